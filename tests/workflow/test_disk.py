"""A disk that is full, or that may not be written to: said, and nothing that was computed is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from repo import Repo, assert_same, contents

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(repo: Repo, tmp_path: Path) -> Iterator[Repo]:
    """The finished study, on a disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a disk for the test cannot be mounted: {mounted.stderr.strip()}")
    try:
        shutil.copytree(repo.store.root, disk / "results", symlinks=True)
        shutil.rmtree(repo.store.root)
        (repo.folder / "results").symlink_to(disk / "results")
        yield repo
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    assert shutil.disk_usage(folder).free == 0
    return path


@pytest.mark.parametrize("kind", ["set", "run", "enhanced", "scores", "table"])
def test_a_full_disk(small_disk: Repo, kind: str) -> None:
    before = contents(small_disk.store)
    node = small_disk.nodes(kind)[0]
    for folder in (small_disk.store.folder(node), small_disk.store.state(node)):
        shutil.rmtree(folder, ignore_errors=True)
    filler = fill(small_disk.store.root)
    full = small_disk.sebench("step", kind, node.stem)
    assert full.code == 1
    assert "No space left on device" in full.err
    assert "give the same command again" in full.err
    assert "Traceback" not in full.err
    filler.unlink()
    small_disk.run()
    assert_same(contents(small_disk.store), before)


def test_a_full_disk_is_said_by_the_driver(small_disk: Repo) -> None:
    node = small_disk.nodes("table")[0]
    shutil.rmtree(small_disk.store.folder(node))
    filler = fill(small_disk.store.root)
    full = small_disk.snakemake()
    assert full.code != 0
    assert "is full" in full.text or "No space left on device" in full.text
    filler.unlink()
    assert small_disk.snakemake().code == 0


def test_a_results_folder_that_may_not_be_written_to(small_disk: Repo) -> None:
    node = small_disk.nodes("table")[0]
    shutil.rmtree(small_disk.store.folder(node))
    disk = small_disk.store.root.resolve().parent
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for done in (small_disk.sebench("run"), small_disk.snakemake()):
        assert done.code != 0
        assert "Read-only file system" in done.text
    assert "make the results folder writable" in small_disk.sebench("run").err
    told = small_disk.sebench("table")
    assert told.code == 0, told.text  # reading is possible
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert small_disk.sebench("run").code == 0
    assert os.path.exists(small_disk.store.folder(node))  # noqa: PTH110

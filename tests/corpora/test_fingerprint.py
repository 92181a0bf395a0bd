"""The fingerprint changes with content and names, and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sebench.corpora.fingerprint import fingerprint
from sebench.errors import DataError

BLOCK = 4096


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = []
    for number, size in enumerate((0, 10, 3 * BLOCK, 3 * BLOCK + 1, 50 * BLOCK)):
        path = tmp_path / "corpus" / f"{number % 2}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(number + i % 251 for i in range(size)))
        made.append(path)
    return made


def test_order_times_and_cache_change_nothing(files: list[Path], tmp_path: Path):
    root, cache = tmp_path / "corpus", tmp_path / "cache.json"
    first = fingerprint(root, files)
    for path in files:
        os.utime(path, (1, 1))
    assert fingerprint(root, reversed(files)) == first
    assert fingerprint(root, files, cache) == first
    assert fingerprint(root, files, cache) == first
    cache.write_text('{"broken": ')
    assert fingerprint(root, files, cache) == first
    cache.write_text("[1, 2]")
    assert fingerprint(root, files, cache) == first
    root.rename(tmp_path / "moved")
    assert fingerprint(tmp_path / "moved", [tmp_path / "moved" / p.relative_to(root) for p in files], cache) == first


@pytest.mark.parametrize("where", [0, 9_999, 25 * BLOCK, 50 * BLOCK - 1])
def test_content_changes_it_also_through_the_cache(files: list[Path], tmp_path: Path, where: int):
    cache = tmp_path / "cache.json"
    first = fingerprint(tmp_path, files, cache)
    data = bytearray(files[-1].read_bytes())
    data[where] ^= 1
    files[-1].write_bytes(data)
    assert fingerprint(tmp_path, files, cache) != first


def test_names_sizes_and_numbers_of_files_change_it(files: list[Path], tmp_path: Path):
    first = fingerprint(tmp_path, files)
    assert fingerprint(tmp_path, files[1:]) != first
    files[1].write_bytes(files[1].read_bytes() + b"x")
    grown = fingerprint(tmp_path, files)
    renamed = files[1].rename(files[1].with_name("other.bin"))
    assert len({first, grown, fingerprint(tmp_path, [files[0], renamed, *files[2:]])}) == 3


def test_corpora_share_one_cache(files: list[Path], tmp_path: Path):
    cache = tmp_path / "cache.json"
    (tmp_path / "second").mkdir()
    other = tmp_path / "second" / "x.bin"
    other.write_bytes(b"x")
    fingerprint(tmp_path / "corpus", files, cache)
    fingerprint(tmp_path / "second", [other], cache)
    assert str(files[0]) in cache.read_text()
    assert str(other) in cache.read_text()


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="gone"):
        fingerprint(tmp_path, [tmp_path / "gone.wav"])

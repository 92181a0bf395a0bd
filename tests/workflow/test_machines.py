"""A user without a home, a name or a folder for temporary files; a store that may only be read."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path

import pytest
from machines import as_nobody
from repo import Repo

from sebench.process import machine


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place for caches, and an environment with a home of this user's."""
    for name in ("XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / "fallback"


def test_what_works_is_left_as_it_is(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = dict(os.environ)
    machine.make_workable(bare)
    assert dict(os.environ) == before
    assert not bare.exists()


def test_a_user_without_a_name_gets_one(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", dict[int, str]().__getitem__)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    machine.make_workable(bare)
    assert getpass.getuser() == f"user-{os.getuid()}"


def test_caches_go_where_they_can_be_written(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that is `/` or another's, and a cache that `sudo` left behind."""
    theirs = Path(os.environ["HOME"], ".cache", "snakemake", "snakemake")
    theirs.mkdir(parents=True)
    tried = tempfile.TemporaryFile

    def refused(*, dir: Path) -> object:
        if dir == theirs:
            raise PermissionError(13, "Permission denied")
        return tried(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    machine.make_workable(bare)
    assert os.environ["XDG_CACHE_HOME"] == str(bare)
    assert bare.is_dir()


def test_without_a_home_there_is_one_for_this_run(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", dict[int, str]().__getitem__)
    machine.make_workable(bare)
    assert Path.home() == bare


def test_a_temporary_folder_that_is_gone_is_left_out(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nonexistent/tmp")
    machine.make_workable(bare)
    assert "TMPDIR" not in os.environ
    assert Path(tempfile.gettempdir()).is_dir()


@pytest.mark.parametrize("home", [{}, {"HOME": "/"}], ids=["no home", "home is /"])
def test_a_store_that_may_only_be_read(tmp_path: Path, home: dict[str, str]) -> None:
    repo = Repo.create(tmp_path / "repo")
    repo.store.make_folders()
    before = sorted(repo.store.root.rglob("*"))
    for words in (("plan",), ("table",), ("list", "studies")):
        done = as_nobody("sebench", *words, folder=repo.folder, environment=home)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert ("fingerprints.json: not written (Permission denied)" in done.stderr) == (words != ("list", "studies"))
    refused = as_nobody("sebench", "run", folder=repo.folder, environment=home)
    assert refused.returncode == 1
    assert "Permission denied" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert sorted(repo.store.root.rglob("*")) == before


@pytest.mark.slow
def test_a_finished_store_that_may_only_be_read(finished: Repo, tmp_path: Path) -> None:
    repo = finished.copy(tmp_path / "repo")
    for path in repo.recordings.rglob("*.wav"):
        path.touch()  # another copy of the same recordings: they are read again
    run = repo.cell("Stage1(MSE)").run.stem
    # Relative: typer asks access(2), which leaves out what lets this user through pytest's private folders.
    recording = str(next(repo.recordings.rglob("*.wav")).relative_to(repo.folder))
    writable = repo.folder / "mine"
    writable.mkdir()
    writable.chmod(0o777)
    commands = (
        ("plan",),
        ("plan", "--why"),
        ("table",),
        ("run",),
        ("enhance", run, recording, "mine/out.wav"),
        ("score", "--metric", "si_sdr", "--clean", recording, "mine/out.wav"),
    )
    for words in commands:
        done = as_nobody("sebench", *words, folder=repo.folder)
        assert done.returncode == 0, (words, done.stderr)


@pytest.mark.slow
def test_a_run_without_home_and_name(tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "repo")
    for path in (tmp_path, repo.folder, *repo.folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    words = ("run", "-c", "2", "--snakemake", "--until complexity")
    done = as_nobody("sebench", *words, folder=repo.folder, environment={"TMPDIR": "/nonexistent"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(repo.store.complete(node) for node in repo.nodes("complexity"))

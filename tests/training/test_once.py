"""Records that one process makes: on file systems with and without hard links, and in both ways at once."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from sebench.errors import SebenchError
from sebench.process.once import make_once, read_record, remove_record


def refuse_links(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def link(*words: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)


@pytest.mark.parametrize("number", [0, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK])
def test_a_record_is_made_once_and_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    if number:
        refuse_links(monkeypatch, number)
    path = tmp_path / "record.json"
    assert read_record(path) is None
    assert make_once(path, "first")
    assert path.is_dir() == bool(number)
    assert not make_once(path, "second")
    assert read_record(path) == "first"
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"
    remove_record(path)
    assert list(tmp_path.iterdir()) == []
    assert make_once(path, "third")


def test_both_forms_exclude_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_once(tmp_path / "file", "first")
    with monkeypatch.context() as patch:
        refuse_links(patch, errno.EPERM)
        assert not make_once(tmp_path / "file", "second")
        assert make_once(tmp_path / "folder", "first")
    assert not make_once(tmp_path / "folder", "second")
    assert read_record(tmp_path / "file") == read_record(tmp_path / "folder") == "first"


def test_of_many_at_once_one_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_links(monkeypatch, errno.EPERM)
    for trial in range(20):
        path = tmp_path / str(trial)
        barrier = threading.Barrier(4)
        won: list[str] = []

        def compete(name: str, path: Path = path, barrier: threading.Barrier = barrier, won: Any = won) -> None:
            barrier.wait()
            if make_once(path, name):
                won.append(name)

        threads = [threading.Thread(target=compete, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert won == [read_record(path)]


def test_what_can_do_neither_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_links(monkeypatch, errno.EPERM)

    def rename(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(SebenchError, match="can neither link files nor rename folders"):
        make_once(tmp_path / "x", "text")
    assert list(tmp_path.iterdir()) == []

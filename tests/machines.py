"""Machines that a test can play: a file system without hard links, a folder that may only be read, another user."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

#: What the kernel answers where there are no hard links (exFAT, SMB).
NO_LINKS = """
import os

def link(source, target, **options):
    raise PermissionError(1, "Operation not permitted", str(source), None, str(target))

os.link = link
"""
#: Some user without an entry in passwd.
NOBODY = 23456


def shim(folder: Path, code: str, environment: dict[str, str]) -> None:
    """Let every Python that gets this environment run `code` when it starts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


def without_hard_links(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Play a file system without hard links, in this process and in those that it starts."""

    def link(source: object, target: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(source), None, str(target))

    environment: dict[str, str] = {}
    shim(folder, NO_LINKS, environment)
    monkeypatch.setattr(os, "link", link)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def as_nobody(
    code: str, *words: str, folder: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python code as a user without an entry in passwd, with this interpreter's modules.

    The test is skipped where this process may not become another user.

    Args:
        code: for `python -c`.
        words: its arguments.
        folder: where it starts; opened for that user to read.
        environment: added to this process's; HOME, USER and the like are taken from it alone.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can start a process of another user")
    kept = {k: v for k, v in os.environ.items() if k not in ("HOME", "USER", "LOGNAME", "LNAME", "XDG_CACHE_HOME")}
    become = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    return subprocess.run(
        [sys.executable, "-c", become + code, *words],
        cwd=folder,
        env=kept | (environment or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def open_to_all(folder: Path, *, write: Sequence[Path] = ()) -> None:
    """Let other users read all of a folder and reach it, and write in some folders of it."""
    for path in [folder, *folder.parents]:
        if path != Path(path.anchor):
            path.chmod(path.stat().st_mode | 0o055)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    for path in write:
        path.chmod(0o777)

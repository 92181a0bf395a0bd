"""Machines that a test can play: a file system without hard links, a folder that may only be read, another user."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
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
    *command: str, folder: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user without an entry in passwd, who may read everything and write nothing of ours.

    The test is skipped where this process may not become another user.

    Args:
        command: words of `python -m`.
        folder: where it starts.
        environment: added to this process's; HOME, USER and the like are taken from it alone.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("another user can only be played by root, with setpriv")
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    # Our interpreter may lie in a home that others cannot enter.
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    personal = ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CACHE_HOME", "TMPDIR", "PYTHONPYCACHEPREFIX")
    kept = {name: value for name, value in os.environ.items() if name not in personal}
    return subprocess.run(
        [*user, *reading, sys.executable, "-m", *command],
        cwd=folder,
        env=kept | (environment or {}),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

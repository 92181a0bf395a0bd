"""What programs expect of a machine and containers and compute nodes do not always have: a home, a user's name."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path

#: For caches and as a home, beside what Snakemake remembers of a project.
CACHE = Path(".snakemake/cache")


def make_workable(fallback: Path) -> None:
    """Set the environment variables without which Snakemake and the jobs end in an error on this machine.

    A user without an entry in passwd gets a name, and without HOME `fallback` as home. Caches go to `fallback` where
    their own folder cannot be written to (HOME is `/`, or is not this user's). A TMPDIR that is gone is left out. What
    works is left as it is.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"user-{os.getuid()}"
    temporary = os.environ.get("TMPDIR")
    if temporary and not (Path(temporary).is_dir() and writable(Path(temporary))):
        del os.environ["TMPDIR"]
        tempfile.tempdir = None
    if not os.path.isabs(os.path.expanduser("~")):  # noqa: PTH111, PTH117 - "~" where nobody knows, no exception
        fallback.mkdir(parents=True, exist_ok=True)
        os.environ["HOME"] = str(fallback.resolve())
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    if not writable(Path(caches, "snakemake/snakemake/source-cache/snakemake-runtime-cache")):
        fallback.mkdir(parents=True, exist_ok=True)
        os.environ["XDG_CACHE_HOME"] = str(fallback.resolve())


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or in the last one on the way to it that is there.

    It is tried: permissions do not say it of every file system.
    """
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False

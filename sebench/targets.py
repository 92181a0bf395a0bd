"""Files that a person names to be written: never an input, nothing that is there without --force, writable at all.

All of it is checked before the work, so that nothing is computed for a place that cannot take it. Writing is by rename
(`sebench.files`): until the new file is whole, an old one stays as it is.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from sebench.errors import DataError


def check_target(path: Path, inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Refuse a file that must not, or cannot, be written. Makes the folder that it is to lie in.

    Args:
        path: to be written.
        inputs: files that are read for it. One of them is never written onto, whatever it is called: a link, a hard
            link, another spelling.
        force: whether another file that is there may be replaced.

    Raises:
        DataError: it is an input, it is there already, or it cannot be written.
    """
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        if os.path.lexists(path):
            _check_old(path, inputs, force)
        else:
            path.lstat()
    except FileNotFoundError:
        pass  # as it should be; a name that the file system does not take has another error
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {_told(error, path)}") from error
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


def check_folder(folder: Path, inputs: Iterable[Path] = ()) -> None:
    """Refuse a folder that is to be filled and lies within one that is read, or contains it.

    Args:
        folder: to be filled; it may not be there yet.
        inputs: folders that are read for it.

    Raises:
        DataError: it is one of the inputs, lies in one, or has one within.
    """
    real = folder.resolve()
    for source in (place.resolve() for place in inputs):
        if real == source or real in source.parents or source in real.parents:
            raise DataError(f"{folder}: is, holds or lies in {source}, which is read for it; accepted: another folder")


def _check_old(path: Path, inputs: Iterable[Path], force: bool) -> None:
    if path.exists():
        for source in inputs:
            if source.exists() and path.samefile(source):
                as_what = "" if str(source) == str(path) else f", as {source},"
                raise DataError(f"{path}: is read{as_what} and cannot be written onto; accepted: another file")
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError(f"{path}: is a folder; accepted: the name of a file")
        if not stat.S_ISREG(mode):
            raise DataError(f"{path}: is no regular file, and cannot be replaced by one; accepted: another file")
    if not force:
        raise DataError(f"{path}: is there already; --force replaces it")


def _told(error: OSError, path: Path) -> str:
    """What the system says, with the folder that it says it of."""
    where = "" if error.filename is None or os.fspath(error.filename) == os.fspath(path) else f"{error.filename}: "
    return f"{where}{error.strerror}"

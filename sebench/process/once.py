"""Records that exactly one of several processes can make, on file systems with and without hard links.

A record is a small text under a name. Where there are hard links it is a file: `os.link` of a finished temporary file
fails if the name is taken. Where there are none (exFAT, SMB, some FUSE mounts) it is a folder that holds the text in
one file: a rename of a folder onto a folder that is not empty, or onto a file, fails too. In both ways the name appears
with its whole text or not at all, so that nobody reads a half-written record and a process that dies on the way leaves
no empty one. The two forms exclude each other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from sebench.errors import SebenchError

#: The file in a record that is a folder.
_TEXT = "record"
#: What `rename` says of a target that is taken.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)
#: What it says where it cannot be done at all.
_UNABLE = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EINVAL)
#: Names of what is there for a moment only: of a record that is made or removed, and of a lease's look at its folder.
_PASSING = re.compile(r"\..+-[0-9a-f]{32}(\.tmp|\.removed)?")
#: So old is nothing that a living process still needs.
_LEFT_SECONDS = 3600.0


def make_once(path: Path, text: str) -> bool:
    """Make the record, unless there is one of that name.

    Args:
        path: its name.
        text: its content; no other process makes one with the same.

    Returns:
        Whether this process made it.

    Raises:
        OSError: the folder cannot be written to.
        SebenchError: its file system can neither link files nor rename folders.
    """
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}.tmp")
    try:
        _write(temporary, text)
        try:
            os.link(temporary, path)
        except OSError as error:
            # NFS may answer with an error although the link was made: the link count is the truth.
            if temporary.stat().st_nlink == 2:
                return True
            if error.errno == errno.EEXIST:
                return False
        else:
            return True
    finally:
        temporary.unlink(missing_ok=True)
    return _make_folder(path, text, temporary)


def _make_folder(path: Path, text: str, temporary: Path) -> bool:
    """The way without hard links. Whatever error the link ended in, this one's is told if it fails as well."""
    temporary.mkdir()
    try:
        _write(temporary / _TEXT, text)
        if path.is_file():  # some network file systems would replace a file
            return False
        try:
            temporary.rename(path)
        except OSError as error:
            if read_record(path) == text:  # as above: done, in spite of the answer
                return True
            if error.errno in _TAKEN or path.exists():
                return False
            if error.errno in _UNABLE:
                raise SebenchError(
                    f"{path.parent}: its file system can neither link files nor rename folders ({error.strerror}): "
                    "nothing keeps two processes apart there; name a results folder on another one"
                ) from error
            raise
        return True
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_record(path: Path) -> str | None:
    """The record's text; None where there is none."""
    for file in (path, path / _TEXT):
        try:
            return file.read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            continue
    return None


def remove_record(path: Path) -> None:
    """Remove the record where there is one: its name first, in one act."""
    if path.is_dir():
        taken = path.with_name(f".{path.name}-{uuid.uuid4().hex}.removed")
        path.rename(taken)
        shutil.rmtree(taken)
    else:
        path.unlink(missing_ok=True)


def leftovers(folder: Path) -> Iterator[Path]:
    """What processes that were killed while they made, removed or checked records left in a folder, an hour ago or
    longer."""
    for path in sorted(folder.glob(".*-*")):
        with contextlib.suppress(FileNotFoundError):  # its process lives
            if _PASSING.fullmatch(path.name) and time.time() - path.lstat().st_mtime > _LEFT_SECONDS:
                yield path


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())

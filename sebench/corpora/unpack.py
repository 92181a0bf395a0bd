"""Unpacking a ZIP archive so that nothing is ever written outside the folder it is meant for."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from sebench.corpora.download import FetchError
from sebench.errors import DataError

_ACCEPTED = "accepted: files and folders with relative paths, not encrypted"


def extract(archive: Path, folder: Path) -> int:
    """Unpack all of `archive` into `folder`, which is made new; returns the number of files.

    Every member is judged before the first is written. What macOS adds (`__MACOSX`, `.DS_Store`) is left out.

    Raises:
        DataError: no whole ZIP archive, or a member that would be written elsewhere, is a link or a device.
        FetchError: the disk is too small.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                problem = _problem(member)
                if problem:
                    raise DataError(
                        f"{archive}: member {member.orig_filename!r} {problem}; nothing was unpacked; {_ACCEPTED}"
                    )
            _check_space(archive, sum(member.file_size for member in members))
            count = sum(_write(opened, member, folder) for member in members)
        if not count:
            raise DataError(f"{archive}: no file in it; {_ACCEPTED}")
        return count
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"{archive}: not a whole ZIP archive: {error}; it begins with {_head(archive)!r}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"{archive}: two members have the same path ({error}); {_ACCEPTED}") from error


def place(unpacked: Path, folder: Path) -> None:
    """Rename what was unpacked to `folder`; a folder of that name that holds everything is not doubled."""
    entries = list(unpacked.iterdir())
    if [entry.name for entry in entries] == [folder.name] and entries[0].is_dir():
        entries[0].rename(folder)
        unpacked.rmdir()
    else:
        unpacked.rename(folder)


def _problem(member: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if stat.S_ISLNK(kind):
        return "is a symbolic link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device, a pipe or a socket"
    for name in (member.filename, member.orig_filename):
        paths = (PurePosixPath(name), PureWindowsPath(name))
        if any(path.is_absolute() or path.anchor for path in paths):
            return "has an absolute path"
        if any(".." in path.parts for path in paths):
            return "leads out of its folder"
    if "\0" in member.orig_filename:
        return "has a name with a null character"
    return "is encrypted" if member.flag_bits & 1 else ""


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> int:
    parts = PurePosixPath(member.filename).parts
    if not parts or parts[0] == "__MACOSX" or parts[-1] == ".DS_Store":
        return 0
    path = folder.joinpath(*parts)
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, path.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 18)
    return 1


def _check_space(archive: Path, needed: int) -> None:
    free = shutil.disk_usage(archive.parent).free
    if needed > free:
        raise FetchError(
            f"{archive}: unpacked it takes {needed / 1e6:.1f} MB, and {archive.parent} has {free / 1e6:.1f} MB free; "
            "make room and give the same command again, or give another folder with --to"
        )


def _head(archive: Path) -> bytes:
    with archive.open("rb") as file:
        return file.read(20)

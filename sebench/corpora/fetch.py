"""`sebench corpus fetch`: the published archives of a corpus, fetched, checked and unpacked into one folder.

Each archive becomes a folder of its own name. `archives.json` beside them records what was fetched, and a later fetch
must get the same. A folder is renamed into place after its record is written: folder and record mean that an archive is
done.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sebench.corpora.download import RETRIES, FetchError, Progress, Retries, download, origin_of, read_origin
from sebench.corpora.unpack import extract, place
from sebench.errors import DataError, SebenchError
from sebench.files import read_json, sha256_of, write_json

if TYPE_CHECKING:
    from sebench.config.entries import Config

RECORDS = "archives.json"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Archive:
    """A published file `*.zip`; its checksum is empty where none is published."""

    file: str
    sha256: str = ""

    @property
    def folder(self) -> str:
        """The folder that it is unpacked into."""
        return self.file.removesuffix(".zip")


def fetch_corpus(
    config: Config, name: str, folder: Path | None = None, base_url: str = "", keep_archives: bool = False
) -> None:
    """Fetch the corpus that the configuration calls `name`, check its layout, and say how to use it.

    Args:
        config: says the corpus's adapter, which lists the archives.
        name: an entry of `corpora`.
        folder: where to; `data/NAME` if absent.
        base_url: address of the folder that the archives lie in, in place of the published one.
        keep_archives: whether the archives stay beside what was unpacked.

    Raises:
        SebenchError: no such corpus, or one without archives; the fetch failed; the layout is not the corpus's.
    """
    from sebench.config import items
    from sebench.config.facts import CORPUS

    named = config.get("corpora", name)
    facts = items.get(CORPUS, named.entry.type).facts
    if not facts.archives:
        types = {kind for kind, found in items.registry(CORPUS).items() if found.facts.archives}
        names = [other for other, entry in config.sections["corpora"].items() if entry.entry.type in types]
        raise SebenchError(
            f"corpus {name!r} ({named.where()}) is of type {named.entry.type!r}, which has no archives to fetch; "
            f"accepted: {', '.join(names) or 'none'}" + f"; where it is from: {facts.source}"
        )
    target = folder or Path("data") / name
    archives = [Archive(*archive) for archive in facts.archives]
    fetch_archives(archives, base_url or facts.address, target, keep_archives=keep_archives)
    try:
        adapter = items.build({"type": named.entry.type, "params": named.entry.params}, "corpus")
        count = len(list(adapter.files(target)))
    except DataError as error:
        raise DataError(f"all archives are unpacked, and the corpus {name!r} cannot be read: {error}") from error
    print(f"{name}: {count} files in {target}")
    variable = named.entry.root_env
    ways = [f"set the variable {variable}={target}"] if variable else []
    print(f"to use it: {' or '.join([*ways, f'write `root: {target}` into the entry at {named.where()}'])}")


def fetch_archives(
    archives: Sequence[Archive],
    base_url: str,
    target: Path,
    *,
    keep_archives: bool = False,
    retries: Retries = RETRIES,
    say: Say = print,
) -> None:
    """Fetch and unpack what is not yet there; interrupted, it goes on where it was.

    Raises:
        FetchError: the server or the disk does not allow it, or another fetch works on the folder.
        DataError: an archive is not what was published or recorded, or is not safe to unpack. It is moved aside.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            records = _read_records(target)
            for archive in archives:
                _check_own(archive, target, records)
            if all(archive.file in records and (target / archive.folder).is_dir() for archive in archives):
                say(f"all {len(archives)} archives are fetched and unpacked in {target}: nothing to do")
                return
            for archive in archives:
                if (target / archive.folder).is_dir():
                    say(f"{archive.file}: is in {target / archive.folder} already")
                else:
                    _fetch(archive, base_url, target, records, keep_archives, retries, say)
    except OSError as error:
        raise FetchError(f"{target}: {error}; what is there is kept: the same command goes on from it") from error


def _fetch(
    archive: Archive,
    base_url: str,
    target: Path,
    records: dict[str, Any],
    keep_archives: bool,
    retries: Retries,
    say: Say,
) -> None:
    path, folder = target / archive.file, target / archive.folder
    if not path.exists():
        with _progress(archive.file) as progress:
            download(f"{base_url.rstrip('/')}/{urllib.parse.quote(archive.file)}", path, progress, retries)
    record = records.get(archive.file)
    sha256 = _check_sum(archive, path, target, record)
    unpacked = target / f".{archive.folder}.unpacking"
    try:
        count = extract(path, unpacked)
    except SebenchError as error:
        shutil.rmtree(unpacked)
        if isinstance(error, DataError):
            raise DataError(f"{error}; {_aside(path)}") from error
        raise
    size = path.stat().st_size
    origin = read_origin(path)  # absent where a person put the archive there: it is theirs, and stays
    if record is None:
        known = {"address": origin.address, "etag": origin.etag} if origin else {"address": "", "etag": ""}
        records[archive.file] = {"sha256": sha256, "size": size, **known}
        write_json(target / RECORDS, records)
    place(unpacked, folder)
    origin_of(path).unlink(missing_ok=True)
    if origin and not keep_archives:
        path.unlink()
    how = "as published" if archive.sha256 else "as recorded" if record else f"recorded in {target / RECORDS}"
    say(f"{archive.file}: {size / 1e6:.1f} MB, sha256 {sha256[:12]}... {how}; {count} files in {folder}")


def _check_sum(archive: Archive, path: Path, target: Path, record: dict[str, Any] | None) -> str:
    found = sha256_of(path)
    expected = archive.sha256 or (record["sha256"] if record else found)
    if found != expected:
        if archive.sha256:
            whence = "published"
        else:
            whence = f"recorded in {target / RECORDS} (if the archive was rightly replaced, remove its entry there)"
        raise DataError(f"{path}: sha256 is {found}, expected {expected}, as {whence}; {_aside(path)}")
    return found


def _aside(path: Path) -> str:
    bad = path.with_name(path.name + ".bad")
    path.replace(bad)
    origin_of(path).unlink(missing_ok=True)
    return f"it was moved to {bad}, and the same command fetches it again; other archives are kept"


def _check_own(archive: Archive, target: Path, records: dict[str, Any]) -> None:
    """Refuse to work over a folder that somebody else made: it may be a part, or another version."""
    if Path(archive.file).name != archive.file or not archive.folder or archive.folder == archive.file:
        raise DataError(f"archive {archive.file!r}: accepted: the plain name of a .zip file")
    folder = target / archive.folder
    if os.path.lexists(folder) and not (archive.file in records and folder.is_dir()):
        raise DataError(
            f"{folder}: is there already and was not unpacked by this command; use it as it is, or move it away, or "
            "fetch to another folder with --to"
        )


def _read_records(target: Path) -> dict[str, Any]:
    path = target / RECORDS
    if not path.exists():
        return {}
    try:
        records = read_json(path)
        if all(isinstance(record["sha256"], str) for record in records.values()):
            return dict(records)
    except (ValueError, AttributeError, KeyError, TypeError):
        pass
    raise DataError(f"{path}: not a record of archives; accepted: a mapping of file to address, etag, sha256, size")


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    handle = os.open(target, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchError(f"{target}: another fetch works on this folder; wait for it, or stop it") from error
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stdout.isatty():
        yield lambda done, total: None
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

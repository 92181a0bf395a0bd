"""One file over HTTP: resumed where it broke off, a bounded number of times, and never whole by name before it is."""

from __future__ import annotations

import http.client
import logging
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sebench.errors import SebenchError
from sebench.files import read_json, write_json

BLOCK = 1 << 18
TIMEOUT_SECONDS = 60.0
#: An attempt that brought at least so many new bytes does not count as a failed one.
GAIN = 1 << 20

#: Called with the bytes that are there and the bytes there will be, None where the server does not say.
Progress = Callable[[int, int | None], None]

_log = logging.getLogger(__name__)


class FetchError(SebenchError):
    """A file could not be fetched: says the address, what happened, and what to do."""


class _Broken(Exception):
    """An attempt failed in a way that another attempt may not."""


@dataclass(frozen=True)
class Retries:
    """How often an attempt without gain is repeated, and the first pause; each further pause is twice as long."""

    attempts: int = 5
    pause_seconds: float = 1.0


RETRIES = Retries()


@dataclass(frozen=True)
class Origin:
    """What a file is part of: its address, and what the server said of it."""

    address: str
    etag: str = ""
    modified: str = ""
    size: int | None = None

    @property
    def validator(self) -> str:
        """What `If-Range` may carry: a strong ETag, else the date of the last change, else nothing."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


def part_of(target: Path) -> Path:
    """Where the bytes of `target` are gathered until it is whole."""
    return target.with_name(target.name + ".part")


def origin_of(target: Path) -> Path:
    """Where the origin of `target` stands while it is fetched; the caller removes it."""
    return target.with_name(target.name + ".part.json")


def read_origin(target: Path) -> Origin | None:
    """What is known of the origin of a file that is being fetched; None if nothing is."""
    try:
        return Origin(**read_json(origin_of(target)))
    except (OSError, ValueError, TypeError):
        return None


def download(address: str, target: Path, progress: Progress, retries: Retries = RETRIES) -> None:
    """Fetch `address` into `target`, by way of `target`.part, going on from what is there.

    A body whose length the server states is complete at that length. Where it states none, the end of the connection is
    taken for the end of the file; the caller must check what came.

    Raises:
        FetchError: the server refuses, the disk is too small, or `retries` are used up; what came is kept.
    """
    if not address.startswith(("http://", "https://")):
        raise FetchError(f"{address}: not an address to fetch from; accepted: http://... or https://...")
    part = part_of(target)
    best, failures = _size(part), 0
    while True:
        try:
            _attempt(address, target, progress)
            break
        except _Broken as error:
            have = _size(part)
            failures = 0 if have >= best + GAIN else failures + 1
            best = max(best, have)
            if failures >= retries.attempts:
                kept = f"{have} bytes are kept in {part}" if have else "nothing of it came"
                raise FetchError(
                    f"{address}: {error}, in {failures} attempts one after another; {kept}: give the same command "
                    "again to go on from there, or another address by --base-url"
                ) from error
            pause = retries.pause_seconds * 2 ** max(failures - 1, 0)
            _log.warning("%s: %s; going on in %g s", address, error, pause)
            time.sleep(pause)
    part.replace(target)


def _attempt(address: str, target: Path, progress: Progress) -> None:
    part, known = part_of(target), read_origin(target)
    same = known is not None and known.address == address
    if known is None or (known.size is None and not (same and known.validator)):
        part.unlink(missing_ok=True)  # nothing could tell whether the rest belongs to it
        known = None
    have = _size(part)
    if known is not None and have and have == known.size:
        return
    headers = {"User-Agent": "sebench", "Accept-Encoding": "identity"}
    if have and known is not None:
        headers["Range"] = f"bytes={have}-"
        if same and known.validator:
            headers["If-Range"] = known.validator
    response = _open(urllib.request.Request(address, headers=headers), part)
    if response is None:
        return
    with response:
        said = _said(address, response)
        if response.status == 206:
            said = _continues(response, said, known if same else None, have, known.size if known else None, part)
        else:
            if have:
                _log.warning("%s: the server sends it from its beginning again; %d bytes are dropped", address, have)
            have = 0
            part.unlink(missing_ok=True)
        _check_space(address, part, have, said.size)
        write_json(origin_of(target), asdict(said))
        with part.open("ab") as file:
            progress(have, said.size)
            for block in _blocks(response):
                file.write(block)
                have += len(block)
                progress(have, said.size)
    if said.size is not None and have > said.size:
        part.unlink()
        raise _Broken(f"{have} bytes came where {said.size} were announced")
    if said.size is not None and have < said.size:
        raise _Broken(f"the connection ended after {have} of {said.size} bytes")


def _open(request: urllib.request.Request, part: Path) -> Any:
    """The response; None where the server says that there is no more than what we have."""
    address = request.full_url
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:
                total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
                if total and int(total[1]) == _size(part):
                    return None
                part.unlink(missing_ok=True)
                raise _Broken("the server has no such range") from error
            if error.code in (408, 425, 429) or error.code >= 500:
                raise _Broken(f"the server answered {error.code} {error.reason}") from error
            raise FetchError(
                f"{address}: the server answered {error.code} {error.reason}; look where the corpus is published now, "
                "and give the address of the folder with its archives by --base-url"
            ) from error
    except urllib.error.URLError as error:
        raise _Broken(f"no connection ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(f"no answer ({type(error).__name__}: {error})") from error


def _blocks(response: Any) -> Iterator[bytes]:
    while True:
        try:
            block = response.read(BLOCK)
        except http.client.IncompleteRead as error:
            yield error.partial
            raise _Broken("the connection broke off") from error
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(f"the connection broke off ({type(error).__name__}: {error})") from error
        if not block:
            return
        yield block


def _said(address: str, response: Any) -> Origin:
    length = response.headers.get("Content-Length", "")
    return Origin(
        address,
        response.headers.get("ETag", ""),
        response.headers.get("Last-Modified", ""),
        int(length) if length.isdecimal() else None,
    )


def _continues(response: Any, said: Origin, same: Origin | None, have: int, size: int | None, part: Path) -> Origin:
    """The origin of the whole file, when the response is what follows our part of it; else the part is dropped."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    total = int(found[2]) if found and found[2] != "*" else size
    changed = same is not None and same.validator and said.validator and same.validator != said.validator
    if not found or int(found[1]) != have or (size is not None and total != size) or changed:
        part.unlink(missing_ok=True)
        raise _Broken("the file changed on the server, or it sent another range than asked for")
    return Origin(said.address, said.etag, said.modified, total)


def _check_space(address: str, part: Path, have: int, size: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if size is not None and size - have > free:
        raise FetchError(
            f"{address}: {(size - have) / 1e6:.1f} MB are still to come, and {part.parent} has {free / 1e6:.1f} MB "
            "free; make room, or give another folder with --to"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

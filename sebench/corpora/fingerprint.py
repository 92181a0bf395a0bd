"""A corpus folder's fingerprint: two people's recordings share it only if every byte is equal.

Every file is read once; its hash is kept by size and modification time, so that later starts read only what is new.
Order of files and modification times have no part in the fingerprint itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sebench.errors import DataError
from sebench.files import sha256_of, write_text

_log = logging.getLogger(__name__)


def fingerprint(root: Path, files: Iterable[Path], cache: Path | None = None) -> str:
    """SHA-256 over relative path, size and SHA-256 of each file.

    Args:
        root: the corpus folder.
        files: files under `root`.
        cache: a JSON file that keeps hashes by path, size and modification time; made if missing.

    Raises:
        DataError: a file is missing or unreadable.
    """
    base = root.absolute()
    known = _load(cache)
    entries = []
    current: dict[str, list[object]] = {}

    def look(path: Path) -> tuple[int, int, str]:
        try:
            status = path.stat()
            kept = known.get(str(path))
            if kept is not None and kept[:2] == [status.st_size, status.st_mtime_ns]:
                return status.st_size, status.st_mtime_ns, str(kept[2])
            return status.st_size, status.st_mtime_ns, sha256_of(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error

    paths = sorted({file.absolute() for file in files})
    with ThreadPoolExecutor() as pool:  # hashing and reading both leave the interpreter's lock
        for path, (size, modified, digest) in zip(paths, pool.map(look, paths), strict=True):
            current[str(path)] = [size, modified, digest]
            entries.append((path.relative_to(base).as_posix(), size, digest))
    if cache is not None:
        _save(cache, f"{base}{os.sep}", known, current)
    total = hashlib.sha256()
    for relative, size, digest in sorted(entries):
        total.update(f"{relative}\0{size}\0{digest}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _load(cache: Path | None) -> dict[str, list[object]]:
    if cache is None or not cache.exists():
        return {}
    try:
        value = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _log.warning("%s: ignored, it is not a fingerprint cache (%s)", cache, error)
        return {}
    if not isinstance(value, dict):
        _log.warning("%s: ignored, it is not a fingerprint cache", cache)
        return {}
    return {path: entry for path, entry in value.items() if isinstance(entry, list) and len(entry) == 3}


def _save(cache: Path, inside: str, known: dict[str, list[object]], current: dict[str, list[object]]) -> None:
    merged = {path: entry for path, entry in known.items() if not path.startswith(inside)} | current
    if merged != known:
        try:
            write_text(cache, json.dumps(merged))
        except OSError as error:  # a colleague's store: looking at it needs no more than to read
            _log.warning("%s: not written (%s): the next command reads all files again", cache, error.strerror)

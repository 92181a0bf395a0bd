"""A corpus folder's fingerprint: cheap enough for every start, and changed by whatever changes the recordings.

Reading 35 GB to learn that nothing changed would cost minutes, so of a long file only size and three blocks are
hashed. Order of files and modification times have no part in it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from sebench.errors import DataError
from sebench.files import write_text

BLOCK = 4096

_log = logging.getLogger(__name__)


def fingerprint(root: Path, files: Iterable[Path], cache: Path | None = None) -> str:
    """SHA-256 over relative path, size and block hash of each file.

    Args:
        root: the corpus folder.
        files: files under `root`.
        cache: a JSON file that keeps block hashes by path, size and modification time; made if missing.

    Raises:
        DataError: a file is missing or unreadable.
    """
    base = root.absolute()
    known = _load(cache)
    entries = []
    current: dict[str, list[object]] = {}
    for path in {file.absolute() for file in files}:
        key = str(path)
        try:
            status = path.stat()
            kept = known.get(key)
            if kept is not None and kept[:2] == [status.st_size, status.st_mtime_ns]:
                digest = str(kept[2])
            else:
                digest = _block_hash(path, status.st_size)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        current[key] = [status.st_size, status.st_mtime_ns, digest]
        entries.append((path.relative_to(base).as_posix(), status.st_size, digest))
    if cache is not None:
        _save(cache, f"{base}{os.sep}", known, current)
    total = hashlib.sha256()
    for relative, size, digest in sorted(entries):
        total.update(f"{relative}\0{size}\0{digest}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _block_hash(path: Path, size: int) -> str:
    with path.open("rb") as file:
        if size <= 3 * BLOCK:
            return hashlib.sha256(file.read()).hexdigest()
        digest = hashlib.sha256()
        for start in (0, (size - BLOCK) // 2, size - BLOCK):
            file.seek(start)
            digest.update(file.read(BLOCK))
        return digest.hexdigest()


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
        write_text(cache, json.dumps(merged))

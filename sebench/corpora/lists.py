"""Lists and logs that come with corpora: text from editors of all kinds."""

from __future__ import annotations

import codecs
from pathlib import Path, PurePosixPath

from sebench.errors import DataError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def text_of(path: Path) -> str:
    """A text in UTF-8, or in UTF-16 that begins with its byte order mark; the mark is no part of it.

    Raises:
        DataError: it cannot be read, or is in another encoding; with the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}:{line}: not UTF-8 (byte {data[error.start]:#x}); save it as UTF-8") from error


def inside(text: str, where: str) -> str:
    """A path that a list or a parameter gives, relative to the corpus and with `/` between its parts.

    >>> inside("speech\\\\train\\\\x.wav", "manifest.csv:2")
    'speech/train/x.wav'

    Raises:
        DataError: it is absolute or leads out of the corpus.
    """
    path = PurePosixPath(text.strip().replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise DataError(f"{where}: {text!r} leads out of the corpus; accepted: a path below its root, without `..`")
    return path.as_posix()

"""Files of printed numbers: read strictly, since a number that is dropped or misread would pass for the source's."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

from sebench.errors import DataError, nearest

#: Columns that a file may have; those of the first line must be there.
NEEDED = ("row", "column", "value")
COLUMNS = ("source", "table", *NEEDED, "ci", "note")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def read_published(path: Path) -> list[dict[str, str]]:
    """Rows of a file of printed numbers; `value` and `ci` are numbers or empty.

    Raises:
        DataError: with file and line: no such file, not UTF-8, not a CSV file, a column that is lacking, unknown or
            there twice, a line with another number of fields, a value or a `ci` that is no number, a number twice.
    """
    entries: list[dict[str, str]] = []
    lines: dict[tuple[str, str], int] = {}
    for line, entry in _entries(path):
        where = f"{path}:{line}"
        for key in ("row", "column"):
            if not entry[key]:
                raise DataError(f"{where}: `{key}` is empty; accepted: its name as printed")
        for key in ("value", "ci"):
            _check_number(where, key, entry.get(key, ""))
        place = (entry["row"], entry["column"])
        if place in lines:
            raise DataError(
                f"{where}: row {place[0]!r}, column {place[1]!r} stands in line {lines[place]} already; accepted: "
                "each number once"
            )
        lines[place] = line
        entries.append(entry)
    return entries


def _check_number(where: str, key: str, text: str) -> None:
    if not text:  # a place that is empty in print
        return
    if _NUMBER.fullmatch(text) is None or not math.isfinite(float(text)):
        raise DataError(f"{where}: `{key}` is {text!r}; accepted: a number as 2.5, or nothing where none is printed")
    if key == "ci" and float(text) < 0:
        raise DataError(f"{where}: `ci` is {text!r}; accepted: a half width, not below 0")


def _entries(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of its first line and fields of each row, without what surrounds a field."""
    numbered = _records(path, _text(path))
    try:
        _, header = next(numbered)
    except StopIteration:
        raise DataError(f"{path}: is empty; accepted: a first line with the columns {', '.join(COLUMNS)}") from None
    _check_header(path, header)
    line = 0
    for line, fields in numbered:
        if len(fields) != len(header):
            raise DataError(
                f"{path}:{line}: has {len(fields)} fields; accepted: {len(header)}, as the first line (a comma "
                'within a field needs quotes: "a, b")'
            )
        yield line, dict(zip(header, fields, strict=True))
    if not line:
        raise DataError(f"{path}: has a first line and no number; accepted: a line for each printed number")


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path}: no such file of published numbers")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        text = data.decode("utf-8-sig")  # with or without a byte order mark
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"byte 0x{data[error.start]:02x}"
        raise DataError(f"{path}:{line}: {found} is not UTF-8; accepted: a file saved as UTF-8") from None
    if "\0" in text:
        raise DataError(f"{path}:{text[: text.index(chr(0))].count(chr(10)) + 1}: a zero byte; accepted: text")
    return text


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """First line and fields of each record; empty lines do not count."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    start = 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            hint = "; a quote is not closed" if "unexpected end" in str(error) else ""
            raise DataError(f"{path}:{start}: not a line of a CSV file ({error}){hint}") from None
        if any("\n" in field or "\r" in field for field in fields):
            raise DataError(f"{path}:{start}: a field goes on over the end of the line; a quote is not closed")
        if any(fields):
            yield start, [field.strip() for field in fields]
        start = reader.line_num + 1


def _check_header(path: Path, header: list[str]) -> None:
    accepted = f"accepted: {', '.join(COLUMNS)}"
    lacking = [name for name in NEEDED if name not in header]
    if lacking:
        hint = "; fields are separated by commas" if len(header) == 1 else ""
        raise DataError(f"{path}:1: needs the columns {', '.join(lacking)}{hint}; {accepted}")
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path}:1: column {name!r} stands twice")
        if name not in COLUMNS:
            near = nearest(name, COLUMNS)
            raise DataError(f"{path}:1: no column {name!r}; {accepted}" + (f"; did you mean {near!r}?" if near else ""))

"""Writing files so that a file that exists is whole: temporary name in the same folder, then rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sebench.errors import SebenchError

if TYPE_CHECKING:
    import pandas as pd


def expanded(text: str | Path, what: str = "path") -> Path:
    """A path that a person has typed or configured, with `~` and `$NAME` or `${NAME}` filled in.

    A part with a dollar sign that is there under just this name is meant as it stands.

    Args:
        what: says in the message where it was found.

    Raises:
        SebenchError: a variable is not set, or there is no home folder: no folder is ever called `~` or `$DATA`.
    """
    path = Path(text)
    literal = next((part for part in [*reversed(path.parents), path] if "$" in part.name), None)
    filled = path
    if literal is not None and not os.path.lexists(literal):
        for variable in re.finditer(r"\$(?:(\w+)|\{(\w+)\})", str(path)):
            if (variable[1] or variable[2]) not in os.environ:
                raise SebenchError(f"{what} {str(text)!r}: the variable {variable[0]} is not set")
        filled = Path(os.path.expandvars(path))
    try:
        return filled.expanduser()
    except RuntimeError:
        raise SebenchError(f"{what} {str(text)!r}: {filled.parts[0]} is no home folder: set HOME") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` if the block succeeds.

    Raises:
        OSError: as the system says, but of `path`: the temporary name means nothing to anybody.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}.", suffix=f".tmp{path.suffix}", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with contextlib.suppress(OSError):  # exFAT, SMB: no modes there
            temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)).name.startswith(f".{path.stem[:40]}."):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def visible(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder by name, without hidden ones: an editor's locks, a file browser's notes, half-written files."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, by rename."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data`, by rename."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys, by rename. NaN and infinity are refused: JSON has none."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame without its index, by rename; equal frames give equal bytes."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file."""
    import pandas as pd

    return pd.read_parquet(path)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` hold what `source` holds, by hard link where the file system allows it; atomic either way."""
    import shutil

    with replacing(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)

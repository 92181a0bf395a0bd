"""The manifest of a corpus: its columns, and how it is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sebench.corpora.names import unified
from sebench.errors import DataError
from sebench.files import read_parquet

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("speech", "noise", "rir", "noisy")
SPLITS = ("train", "valid", "test")

#: column -> type, in the order in which they are written.
COLUMNS: Mapping[str, str] = {
    "id": "str",
    "role": "str",
    "path": "str",
    "split": "str",
    "speaker": "str",
    "kind": "str",
    "seconds": "float64",
    "sample_rate": "int64",
    "channels": "int64",
    "samples": "int64",
    "sha256": "str",
    "licence": "str",
    "source": "str",
    "snr_db": "float64",
    "pair": "str",
    "part": "str",
    "decoded": "str",
    "sound": "str",
}

#: Columns that a manifest may lack: hash of the decoded samples, fingerprint of what is heard. A corpus that is
#: generated has neither, nor has a manifest from before there were any: no result depends on them.
OPTIONAL = ("decoded", "sound")

_ABSENT: Mapping[str, Any] = {
    **dict.fromkeys(("speaker", "kind", "licence", "source", "pair", "part", *OPTIONAL), ""),
    "snr_db": float("nan"),
}


@dataclass(frozen=True)
class Manifest:
    """What a corpus build gives.

    Args:
        frame: one row per file that is used (`COLUMNS`), sorted by id.
        rejected: `{path, reason}` of each file that is left out.
    """

    frame: pd.DataFrame
    rejected: list[dict[str, str]] = field(default_factory=list)


def identity(path: str) -> str:
    """The id of a file: its relative path without the suffix."""
    return PurePosixPath(path).with_suffix("").as_posix()


def make(rows: Iterable[Mapping[str, Any]], rejected: Iterable[tuple[str, str]] = ()) -> Manifest:
    """A checked manifest from rows in any order; optional columns may be missing from a row.

    Speakers and kinds whose names differ in case or unicode form only get one spelling.

    Raises:
        DataError: the rows break a rule of `check`.
    """
    import pandas as pd

    frame = pd.DataFrame([{**_ABSENT, **row} for row in rows], columns=list(COLUMNS))
    frame = frame.astype(dict(COLUMNS)).sort_values("id", ignore_index=True)
    for column in ("speaker", "kind"):
        frame[column] = frame[column].map(unified(frame[column])).astype("str")
    frame = frame.drop(columns=[column for column in OPTIONAL if not frame[column].any()])
    check(frame)
    return Manifest(frame, [{"path": path, "reason": reason} for path, reason in sorted(rejected)])


def read_manifest(path: Path) -> pd.DataFrame:
    """Read `manifest.parquet`.

    Raises:
        DataError: missing, or not a manifest.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such manifest")
    frame = read_parquet(path)
    check(frame, str(path))
    return frame


def check(frame: pd.DataFrame, where: str = "manifest") -> None:
    """Refuse a frame that is not a manifest.

    Raises:
        DataError: with every rule that is broken.
    """
    problems = _column_problems(frame) or [*_row_problems(frame)]
    if problems:
        raise DataError("\n".join([f"{where}: not a manifest:", *(f"  {problem}" for problem in problems)]))


def _column_problems(frame: pd.DataFrame) -> list[str]:
    from pandas.api import types

    kinds = {"str": types.is_string_dtype, "float64": types.is_float_dtype, "int64": types.is_integer_dtype}
    there = [name for name in COLUMNS if name in frame.columns or name not in OPTIONAL]
    if list(frame.columns) != there:
        return [f"columns are {', '.join(map(str, frame.columns))}; they must be {', '.join(COLUMNS)}"]
    return [
        f"column {name} is {frame[name].dtype}; it must be {wanted}"
        for name in there
        if not kinds[wanted := COLUMNS[name]](frame[name])
    ]


def _row_problems(frame: pd.DataFrame) -> Iterable[str]:
    noisy = frame["role"] == "noisy"
    alone = frame["pair"] == ""
    speech = frame.loc[frame["role"] == "speech"].drop_duplicates("id").set_index("id")["split"]
    paths = frame["path"].map(PurePosixPath)
    outside = paths.map(lambda path: path.is_absolute() or ".." in path.parts)
    rules = {
        "id occurs more than once": frame["id"].duplicated(),
        "path occurs more than once": frame["path"].duplicated(),
        f"role is none of {', '.join(ROLES)}": ~frame["role"].isin(ROLES),
        f"split is none of {', '.join(SPLITS)}": ~frame["split"].isin(SPLITS),
        "a text column holds a missing value": frame[[c for c in COLUMNS if c in frame and COLUMNS[c] == "str"]]
        .isna()
        .any(axis=1),
        "path is not a relative path inside the corpus": outside.astype(bool),
        "seconds, sample_rate, channels or samples is not positive": ~(
            frame[["seconds", "sample_rate", "channels", "samples"]] > 0
        ).all(axis=1),
        "sha256 is not 64 hexadecimal digits": ~frame["sha256"].str.fullmatch("[0-9a-f]{64}").astype(bool),
        "speech or noisy without a speaker": frame["role"].isin(["speech", "noisy"]) & (frame["speaker"] == ""),
        "noise or rir without a kind": frame["role"].isin(["noise", "rir"]) & (frame["kind"] == ""),
        "an SNR, where there is no pair or another role than noisy": frame["snr_db"].notna() & (alone | ~noisy),
        "noisy whose pair is no speech id of its split": noisy & ~alone & (frame["pair"].map(speech) != frame["split"]),
        "a pair, where the role is not noisy": ~noisy & ~alone,
        "a part, where the role is not noisy": ~noisy & (frame["part"] != ""),
    }
    for rule, broken in rules.items():
        if broken.any():
            names = frame.loc[broken, "path"].astype(str).tolist()
            yield f"{rule}: {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
    if not frame["id"].is_monotonic_increasing:
        yield "rows are not sorted by id"

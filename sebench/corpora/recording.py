"""One file of a corpus: what its place and name say of it, and its row of the manifest once it was decoded."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sebench.corpora import names
from sebench.corpora.audio import SUFFIXES, decode, unusable_files
from sebench.corpora.pool import ordered
from sebench.errors import DataError
from sebench.seeding import seed_of

PUBLISHED_SECONDS = 0.1  # what is shorter is no utterance

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recording:
    """What is known of a file before it is read: columns of the manifest by their names.

    Args:
        published: it is used as it is, clipped or short: what a corpus was published with, a recording to be tested.
    """

    role: str
    path: str
    split: str
    speaker: str = ""
    kind: str = ""
    licence: str = ""
    source: str = ""
    snr_db: float = math.nan
    pair: str = ""
    part: str = ""
    published: bool = False


def examined(
    root: Path, recordings: Sequence[Recording], processes: int, min_seconds: float = 0.0
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Rows of the manifest, without ids, and path and reason of each file that gives none.

    Args:
        root: the corpus's.
        recordings: files below it.
        processes: how many work at once.
        min_seconds: of speech and noise that are not `published`.
    """
    rows: list[dict[str, Any]] = []
    rejected: list[tuple[str, str]] = []
    outcomes = ordered(functools.partial(_examine, root, min_seconds), recordings, processes)
    for recording, outcome in zip(recordings, outcomes, strict=True):
        if isinstance(outcome, str):
            rejected.append((recording.path, outcome))
        else:
            rows.append(outcome)
    return rows, rejected


def _examine(root: Path, min_seconds: float, recording: Recording) -> dict[str, Any] | str:
    """A row, or the reason for none."""
    from sebench.corpora.quality import clipping, fault

    try:
        decoded = decode(root / recording.path)
    except DataError as error:
        return "unreadable: " + str(error).removeprefix(f"{root / recording.path}: ").replace(f"{root}/", "")
    header = decoded.probe
    needed = 0.0 if recording.role == "rir" else PUBLISHED_SECONDS if recording.published else min_seconds
    reason = fault(decoded.samples, header.sample_rate, needed)
    if not reason and not recording.published:
        reason = clipping(decoded.samples, header.sample_rate)
    if reason:
        return reason
    known = {name: value for name, value in vars(recording).items() if name != "published"}
    return known | {
        "seconds": header.seconds,
        "sample_rate": header.sample_rate,
        "channels": header.channels,
        "samples": header.samples,
        **decoded.identity(),
    }


def with_ids(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows with ids; a suffix belongs to the id only where two files differ in nothing else.

    Of `x.wav`, `x.flac` and `x.wav.flac` the third one's stem is the first one's path: each keeps its suffix.
    """
    rows = list(rows)
    stems = Counter(_stem(row["path"]) for row in rows)
    paths = {row["path"] for row in rows}
    for row in rows:
        stem = _stem(row["path"])
        yield {"id": stem if stems[stem] == 1 and stem not in paths else row["path"], **row}


def _stem(path: str) -> str:
    return PurePosixPath(path).with_suffix("").as_posix()


def unusable_in(root: Path, folders: Iterable[str], suffixes: Collection[str] = SUFFIXES) -> list[tuple[str, str]]:
    """Path and reason of what lies in folders of a corpus, looks like audio, and cannot even be named or opened."""
    return [
        (names.printable(path.relative_to(root).as_posix()), reason)
        for folder in folders
        for path, reason in unusable_files(root / folder, suffixes)
    ]


def warn(root: Path, rejected: Iterable[tuple[str, str]]) -> None:
    """Say in the log what is left out, and why."""
    for path, reason in sorted(rejected):
        _log.warning("%s: left out: %s: %s", root, path, reason)


def speakers_by_split(recordings: Iterable[Recording]) -> dict[tuple[str, str], list[str]]:
    """(Role, split) -> speakers of training and validation, sorted."""
    found: dict[tuple[str, str], set[str]] = {}
    for item in recordings:
        if item.role == "speech" and item.split != "test":
            found.setdefault((item.role, item.split), set()).add(item.speaker)
    return {place: sorted(speakers) for place, speakers in sorted(found.items())}


def held_out(names: Iterable[str], fraction: float, *what: Any) -> frozenset[str]:
    """The share of names that validates, by a hash of each: at least one of them, and never all.

    Args:
        names: speakers, say.
        fraction: of them.
        what: whatever else the choice depends on.
    """
    ranked = sorted(set(names), key=lambda name: (seed_of(*what, name), name))
    return frozenset(ranked[: min(max(1, round(fraction * len(ranked))), len(ranked) - 1)])

"""Corpus `folder`: a person's own recordings in folders named by role, split, and speaker, noise kind or room."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Lt

from sebench.corpora import names
from sebench.corpora.audio import audio_files
from sebench.corpora.base import Corpus
from sebench.corpora.lists import inside, text_of
from sebench.corpora.recording import Recording, examined, unusable_in, with_ids
from sebench.errors import DataError
from sebench.seeding import seed_of

if TYPE_CHECKING:
    from sebench.corpora.manifest import Manifest

SPLITS = ("train", "valid", "test")

#: role -> (what the folder below the split names, splits that must hold something)
LAYOUT = {
    "speech": ("SPEAKER", ("train", "valid", "test")),
    "noise": ("KIND", ("train", "valid", "test")),
    "rir": ("ROOM", ("train", "test")),
}

#: Folder of real recordings of noisy speech, and the part that they are.
REAL, PART = "noisy_real", "real"

_log = logging.getLogger(__name__)


class Folder(Corpus):
    """Recordings in folders: speech/SPLIT/SPEAKER, noise/SPLIT/KIND and, if there are any, rir/SPLIT/ROOM.

    WAV, FLAC, OGG or MP3 of any sample rate and number of channels, nested deeper if need be. Without split folders
    (speech/SPEAKER) whole speakers, kinds or rooms are dealt to the splits by a hash of their names. A `manifest.csv`
    in the root with columns `path`, `licence` and `source` tells where files come from.

    noisy_real/SOURCE may hold real recordings of noisy speech, without a clean reference: they are the part `real` of
    the test split, taken as they are, clipped or not.

    Args:
        min_seconds: shorter speech and noise files are rejected.
        strict: stop at the first build that has anything to reject.
        valid_fraction: of speakers, kinds or rooms, where there are no split folders; at least one.
        test_fraction: likewise.
    """

    name = "folder"
    parts = ("real",)
    version = 3
    source = "the user's own files"

    def __init__(
        self,
        *,
        min_seconds: Annotated[float, Ge(0)] = 0.5,
        strict: bool = False,
        valid_fraction: Annotated[float, Ge(0), Lt(0.5)] = 0.1,
        test_fraction: Annotated[float, Ge(0), Lt(0.5)] = 0.2,
    ) -> None:
        self.min_seconds = min_seconds
        self.strict = strict
        self.fractions = {"valid": valid_fraction, "test": test_fraction}

    def files(self, root: Path) -> Iterable[Path]:
        """All audio files of the three roles, those of noisy_real, and `manifest.csv` if there is one."""
        found = [path for role in LAYOUT for path in audio_files(root / role)]
        if not found:
            there = ", ".join(sorted(path.name for path in root.iterdir())) if root.is_dir() else "no such folder"
            raise DataError(f"{root}: holds no audio in speech/, noise/ or rir/; found: {there or 'nothing'}")
        found += audio_files(root / REAL)
        table = root / "manifest.csv"
        return [*found, table] if table.is_file() else found

    def published_parts(self, root: Path) -> Sequence[str]:
        """`real`, if there are such recordings."""
        return (PART,) if audio_files(root / REAL) else ()

    def dealt(self, root: Path) -> Mapping[tuple[str, str], Sequence[str]]:
        """Of each role without folders of splits."""
        found: dict[tuple[str, str], list[str]] = {}
        for role in LAYOUT:
            paths = [path.relative_to(root / role) for path in audio_files(root / role)]
            if _split_folders(root / role, LAYOUT[role][0], paths):
                continue
            dealt = self._deal(root / role, role, {path.parts[0] for path in paths if len(path.parts) > 1})
            for group, split in sorted(dealt.items()):
                found.setdefault((role, split), []).append(group)
        return found

    def build(self, root: Path, out: Path, processes: int) -> Manifest:
        """Decode and check every file once; see the class for what is expected."""
        from sebench.corpora.manifest import make

        facts = _facts(root, root / "manifest.csv")
        recordings: list[Recording] = []
        rejected: list[tuple[str, str]] = []
        for found in [*(self._recordings(root, role, facts) for role in LAYOUT), _real(root, facts)]:
            for item in found:
                if isinstance(item, Recording):
                    recordings.append(item)
                else:
                    rejected.append(item)
        rows, unusable = examined(root, recordings, processes, self.min_seconds)
        rejected += unusable + unusable_in(root, [*LAYOUT, REAL])
        _report(root, rows, rejected, strict=self.strict)
        _require_splits(root, rows, rejected)
        return make(with_ids(rows), rejected)

    def _recordings(self, root: Path, role: str, facts: _Facts) -> Iterator[Recording | tuple[str, str]]:
        word = LAYOUT[role][0]
        paths = [path.relative_to(root / role) for path in audio_files(root / role)]
        splits = _split_folders(root / role, word, paths)
        depth = 1 if splits else 0
        groups = {path.parts[depth] for path in paths if len(path.parts) > depth + 1}
        dealt = {} if splits else self._deal(root / role, role, groups)
        spelt = names.unified(groups)
        for path in paths:
            relative = f"{role}/{path.as_posix()}"
            layout = f"{role}/{{{','.join(splits)}}}/{word}/" if splits else f"{role}/{word}/"
            if len(path.parts) < depth + 2 or (splits and path.parts[0] not in splits):
                yield relative, f"not in the layout: expected a file in {layout}"
                continue
            group = spelt[path.parts[depth]]
            split = splits[path.parts[0]] if splits else dealt[group]
            speaker, kind = (group, "") if role == "speech" else ("", group)
            yield Recording(role, relative, split, speaker, kind, *facts.get(relative, ("", "")))

    def _deal(self, folder: Path, role: str, groups: set[str]) -> dict[str, str]:
        if not groups:
            return {}
        groups = set(names.unified(groups).values())
        required = LAYOUT[role][1]
        if len(groups) < len(required):
            raise DataError(
                f"{folder}: no split folders ({', '.join(SPLITS)}), and {len(groups)} {LAYOUT[role][0]} folders "
                f"({', '.join(sorted(groups))}) are too few to give {', '.join(required)} one each"
            )
        ranked = sorted(groups, key=lambda group: (seed_of("corpus folder", role, group), group))
        dealt: dict[str, str] = {}
        for split in required[1:]:
            for _ in range(max(1, round(self.fractions[split] * len(groups)))):
                dealt[ranked.pop()] = split
        dealt.update(dict.fromkeys(ranked, "train"))
        return dealt


def _split_folders(folder: Path, word: str, paths: Sequence[Path]) -> dict[str, str]:
    """Folder -> split, none where speakers, kinds or rooms are to be dealt.

    Raises:
        DataError: some folders look like splits and others do not, two look like the same one, or the splits lie
            deeper: that is not to be guessed.
    """
    first = sorted({path.parts[0] for path in paths if len(path.parts) > 1})
    found = names.splits_of(first)
    siblings = [] if found else names.siblings_of(first)
    found |= dict(siblings)
    if not found:
        deeper = sorted({name for path in paths for name in path.parts[1:-1]})
        splits = names.splits_of(deeper) or dict(names.siblings_of(deeper))
        if len(set(splits.values())) > 1:
            raise DataError(
                f"{folder}: its folders {', '.join(first[:4])} hold folders that look like splits "
                f"({', '.join(splits)}); accepted: {folder.name}/SPLIT/{word}/, with SPLIT one of {', '.join(SPLITS)}"
            )
        return {}
    others = [name for name in first if name not in found]
    whole = {split for name in found if (split := names.split_of(name))}
    if others and not {"train", "test"} <= whole:
        raise DataError(
            f"{folder}: {', '.join(found)} look like folders of splits, {', '.join(others[:4])} do not; accepted: "
            f"{folder.name}/SPLIT/{word}/ with SPLIT one of {', '.join(SPLITS)} (dev, eval, ... are known too), or "
            f"{folder.name}/{word}/ with names that look like no split"
        )
    if len(set(found.values())) < len(siblings):
        raise DataError(
            f"{folder}: {', '.join(found)} look like folders of splits, and which is which is not clear; accepted: one "
            f"for each of {', '.join(SPLITS)}, with names that differ in that word alone (clean_train, clean_test)"
        )
    return found


def _real(root: Path, facts: _Facts) -> Iterator[Recording | tuple[str, str]]:
    """Who speaks there is not known: each source counts as a speaker of its own."""
    for path in audio_files(root / REAL):
        relative = path.relative_to(root).as_posix()
        parts = relative.split("/")
        if len(parts) < 3:
            yield relative, f"not in the layout: expected a file in {REAL}/SOURCE/"
            continue
        told = facts.get(relative, ("", ""))
        yield Recording("noisy", relative, "test", "/".join(parts[:2]), "", *told, part=PART, published=True)


#: Path -> licence, source.
_Facts = Mapping[str, tuple[str, str]]


def _facts(root: Path, table: Path) -> _Facts:
    """What `manifest.csv` says, by path.

    Raises:
        DataError: it is no CSV with a column `path`, or names a file outside or twice.
    """
    if not table.is_file():
        return {}
    try:
        rows = list(csv.DictReader(text_of(table).splitlines(), strict=True))
    except csv.Error as error:
        raise DataError(f"{table}: cannot be read as CSV: {error}") from error
    if rows and "path" not in rows[0]:
        raise DataError(f"{table}: has no column `path`; found: {', '.join(map(str, rows[0]))}")
    found: dict[str, tuple[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        path = _named(root, row["path"] or "", f"{table}:{number}")
        if path in found:
            raise DataError(f"{table}:{number}: {path} stands twice")
        found[path] = (row.get("licence") or row.get("license") or "", row.get("source") or "")
    absent = [path for path in found if not (root / path).is_file()]
    if absent:
        _log.warning("%s: names %d files that are not there: %s", table, len(absent), ", ".join(absent[:3]))
    return found


def _named(root: Path, text: str, where: str) -> str:
    """A path as listed; with backslashes where there is a file of that very name."""
    return text if "\\" in text and ".." not in text and (root / text).is_file() else inside(text, where)


def _report(root: Path, rows: list[dict[str, Any]], rejected: list[tuple[str, str]], *, strict: bool) -> None:
    formats = Counter((row["sample_rate"], row["channels"]) for row in rows)
    for (sample_rate, channels), count in sorted(formats.items()):
        if (sample_rate, channels) != (16000, 1):
            _log.info(
                "%s: %d files at %d Hz with %d channels are converted on reading", root, count, sample_rate, channels
            )
    shown = [f"{path}: {reason}" for path, reason in sorted(rejected)]
    if shown and strict:
        more = [f"and {len(shown) - 10} more"] if len(shown) > 10 else []
        raise DataError(
            "\n  ".join([f"{root}: {len(shown)} files cannot be used, and `strict` is set:", *shown[:10], *more])
        )
    for line in shown:
        _log.warning("%s: left out: %s", root, line)


def _require_splits(root: Path, rows: list[dict[str, Any]], rejected: list[tuple[str, str]]) -> None:
    for role, (word, required) in LAYOUT.items():
        if role == "rir" and not (root / role).is_dir():
            continue
        counts = Counter(row["split"] for row in rows if row["role"] == role)
        missing = [split for split in required if not counts[split]]
        if not missing:
            continue
        folder = root / role
        below = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []
        lost = [f"{path}: {reason}" for path, reason in sorted(rejected) if path.startswith(f"{role}/")]
        raise DataError(
            f"{folder}: nothing usable for {', '.join(missing)}; expected {role}/SPLIT/{word}/*.wav (flac, ogg, mp3) "
            f"with SPLIT one of {', '.join(SPLITS)}, or {role}/{word}/ alone; found folders: "
            f"{', '.join(below[:8]) or 'none'}, files used: {', '.join(f'{counts[s]} {s}' for s in SPLITS)}, "
            f"left out: {len(lost)}" + (f" ({lost[0]})" if lost else "")
        )

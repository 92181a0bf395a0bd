"""Corpus `voicebank_demand`: VoiceBank-DEMAND as published, with its own noisy files and the SNRs of its logs."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import MinLen

from sebench.config.base import Align
from sebench.corpora.align import pair_fault
from sebench.corpora.audio import audio_files, decode
from sebench.corpora.base import Corpus
from sebench.corpora.lists import text_of
from sebench.corpora.pool import ordered
from sebench.errors import DataError

if TYPE_CHECKING:
    from sebench.corpora.manifest import Manifest

DOWNLOAD = (
    "get it by `sebench corpus fetch voicebank_demand`, or download it from "
    "https://datashare.ed.ac.uk/handle/10283/2791 and unpack the archives side by side"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Part:
    clean: str
    noisy: str
    log: str
    published: int


PARTS = (
    _Part("clean_trainset_28spk_wav", "noisy_trainset_28spk_wav", "log_trainset_28spk.txt", 11572),
    _Part("clean_testset_wav", "noisy_testset_wav", "log_testset.txt", 824),
)


@dataclass(frozen=True)
class _Pair:
    clean: str
    noisy: str
    split: str
    speaker: str
    kind: str
    snr_db: float


class VoiceBankDemand(Corpus):
    """VoiceBank-DEMAND (28 speakers for training, 2 for test), 48 kHz, with its published mixtures.

    The publication has no validation split: it is made of whole speakers of the training set.

    Args:
        valid_speakers: training speakers that validate; p226 and p227 give 742 files.
    """

    name = "voicebank_demand"
    version = 2
    paired = True
    source = "Valentini-Botinhao et al., SSW 2016; https://datashare.ed.ac.uk/handle/10283/2791"
    address = "https://datashare.ed.ac.uk/bitstream/handle/10283/2791"
    archives = (
        ("clean_trainset_28spk_wav.zip", ""),
        ("noisy_trainset_28spk_wav.zip", ""),
        ("clean_testset_wav.zip", ""),
        ("noisy_testset_wav.zip", ""),
        ("logfiles.zip", ""),
    )

    def __init__(self, *, valid_speakers: Annotated[tuple[str, ...], MinLen(1)] = ("p226", "p227")) -> None:
        self.valid_speakers = tuple(valid_speakers)

    def files(self, root: Path) -> Iterable[Path]:
        """All clean and noisy files and both logs."""
        found: list[Path] = []
        for part in PARTS:
            found += audio_files(_folder(root, part.clean)) + audio_files(_folder(root, part.noisy))
            found.append(_log_path(root, part.log))
        return found

    def published_snr_db(self, root: Path, split: str) -> Sequence[float]:
        """The SNRs in the log of the training or the test set."""
        part = PARTS[1 if split == "test" else 0]
        return sorted({snr_db for _, snr_db in _read_log(_log_path(root, part.log)).values()})

    def build(self, root: Path, out: Path, processes: int) -> Manifest:
        """Pair the files, check them, and fill in noise type and SNR from the logs."""
        from sebench.corpora.manifest import make

        train, test = (self._pairs(root, part, "train" if index == 0 else "test") for index, part in enumerate(PARTS))
        self._check_speakers(root, train)
        pairs = [*train, *test]
        rows: list[dict[str, Any]] = []
        rejected: list[tuple[str, str]] = []
        outcomes = ordered(functools.partial(_examine, root, self.align), pairs, processes)
        for pair, outcome in zip(pairs, outcomes, strict=True):
            if isinstance(outcome, str):
                _log.warning("%s: left out: %s: %s", root, pair.noisy, outcome)
                rejected += [(pair.clean, outcome), (pair.noisy, outcome)]
            else:
                rows += outcome
        for split in ("train", "valid", "test"):
            if not any(row["split"] == split for row in rows):
                raise DataError(f"{root}: no usable pair is left for {split}; first: {rejected[:1]}")
        return make(rows, rejected)

    def _pairs(self, root: Path, part: _Part, split: str) -> list[_Pair]:
        clean, noisy = _by_stem(_folder(root, part.clean)), _by_stem(_folder(root, part.noisy))
        _same(root, part.clean, clean, part.noisy, noisy)
        logged = _read_log(_log_path(root, part.log))
        unknown = sorted(set(clean) - set(logged))
        if unknown:
            raise DataError(f"{root / part.log}: has no line for {_some(unknown)}; {DOWNLOAD}")
        if len(clean) != part.published:
            _log.warning("%s: %d files, where %d were published", root / part.clean, len(clean), part.published)
        pairs = []
        for stem in sorted(clean):
            speaker = stem.partition("_")[0]
            pairs.append(
                _Pair(
                    clean[stem].relative_to(root).as_posix(),
                    noisy[stem].relative_to(root).as_posix(),
                    "valid" if split == "train" and speaker in self.valid_speakers else split,
                    speaker,
                    *logged[stem],
                )
            )
        return pairs

    def _check_speakers(self, root: Path, train: Sequence[_Pair]) -> None:
        speakers = sorted({pair.speaker for pair in train})
        absent = sorted(set(self.valid_speakers) - set(speakers))
        if absent:
            raise DataError(
                f"{root / PARTS[0].clean}: valid_speakers {', '.join(absent)} do not occur; "
                f"found: {', '.join(speakers)}"
            )
        if set(speakers) == set(self.valid_speakers):
            raise DataError(f"{root / PARTS[0].clean}: valid_speakers holds every speaker, none is left for training")


def _folder(root: Path, name: str) -> Path:
    folder = root / name
    if not folder.is_dir() or not audio_files(folder):
        raise DataError(f"{folder}: no such folder, or no audio in it; {DOWNLOAD} ({name}.zip)")
    return folder


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in audio_files(folder):
        other = found.setdefault(path.stem, path)
        if other != path:
            raise DataError(f"{path}: {other} would be the same utterance; accepted: one of the two")
    return found


def _log_path(root: Path, name: str) -> Path:
    """The logs come in an archive of their own, which some unpack into a folder."""
    for path in (root / name, root / "logfiles" / name):
        if path.is_file():
            return path
    raise DataError(f"{root / name}: no such file; {DOWNLOAD} (logfiles.zip)")


def _read_log(path: Path) -> dict[str, tuple[str, float]]:
    """Stem -> (noise type, SNR in dB); a line reads `p232_001 bus 17.5`."""
    found = {}
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            stem, kind, snr_db = line.split()
            found[stem.removesuffix(".wav")] = (kind, float(snr_db))
        except ValueError as error:
            raise DataError(f"{path}:{number}: {line!r} is not `stem noise-type SNR`") from error
    return found


def _same(root: Path, first: str, a: Iterable[str], second: str, b: Iterable[str]) -> None:
    lost, extra = sorted(set(a) - set(b)), sorted(set(b) - set(a))
    if lost or extra:
        parts = [f"{_some(lost)} only in {first}"] * bool(lost) + [f"{_some(extra)} only in {second}"] * bool(extra)
        raise DataError(f"{root}: clean and noisy files differ: {'; '.join(parts)}; {DOWNLOAD}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _examine(root: Path, align: Align | None, pair: _Pair) -> list[dict[str, Any]] | str:
    """Rows of clean and noisy, or why the pair cannot be used."""
    from sebench.corpora.quality import fault

    rows = list(_rows(root, pair, fault))
    problem = next((row for row in rows if isinstance(row, str)), None)
    if problem is not None:
        return problem
    clean, noisy = (row for row in rows if not isinstance(row, str))
    forms = [(row["samples"], row["sample_rate"]) for row in (clean, noisy)]
    return pair_fault(forms[0], forms[1], align) or [clean, noisy]


def _rows(root: Path, pair: _Pair, fault: Any) -> Iterator[dict[str, Any] | str]:
    identity = pair.clean.rpartition(".")[0]
    for role, path in (("speech", pair.clean), ("noisy", pair.noisy)):
        try:
            decoded = decode(root / path)
        except DataError as error:
            yield f"unreadable: {error}".replace(f"{root}/", "")
            continue
        header = decoded.probe
        reason = fault(decoded.samples, header.sample_rate, 0.1)  # clipped or not, these are the published mixtures
        if reason:
            yield f"{path}: {reason}"
            continue
        yield {
            "id": path.rpartition(".")[0],
            "role": role,
            "path": path,
            "split": pair.split,
            "speaker": pair.speaker,
            "kind": pair.kind if role == "noisy" else "",
            "seconds": header.seconds,
            "sample_rate": header.sample_rate,
            "channels": header.channels,
            "samples": header.samples,
            **decoded.identity(),
            "licence": "CC BY 4.0",
            "source": "DataShare 10283/2791",
            "snr_db": pair.snr_db if role == "noisy" else float("nan"),
            "pair": identity if role == "noisy" else "",
        }

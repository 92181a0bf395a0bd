"""Corpus `chime2_wsj0`: the WSJ0 track of the second CHiME challenge, with its own binaural mixtures.

`isolated` holds the noisy recordings, `scaled` the reverberant speech at the level that it has in each of them; noise
is their difference. In which order folders of SNRs and speakers lie below a split, and whether both are there, could
not be confirmed without the corpus: files are paired by SNR folder, wherever it is, and by name, which begins with the
speaker.
"""

from __future__ import annotations

import functools
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sebench.config.base import Align
from sebench.corpora.align import fitted, pair_fault
from sebench.corpora.audio import CHANNELS, Decoded, audio_files, decode, file_of, of_channel, probe
from sebench.corpora.base import Corpus
from sebench.corpora.pool import ordered
from sebench.errors import DataError

if TYPE_CHECKING:
    from sebench.corpora.manifest import Manifest

NOISY, CLEAN = "isolated", "scaled"
LISTS = {"5k": ("si_dt_05", "si_et_05"), "20k": ("si_dt_20", "si_et_20")}
PUBLISHED = {"si_tr_s": 7138, "si_dt_05": 6 * 409, "si_dt_20": 6 * 403, "si_et_05": 6 * 330, "si_et_20": 6 * 333}
SNRS_DB = {"m6db": -6.0, "m3db": -3.0, "0db": 0.0, "3db": 3.0, "6db": 6.0, "9db": 9.0}
FORMAT = (16000, 2)  # Hz, channels
LEAK = 0.1  # part of the speech that may be left in the noise, averaged over a split
WHERE = (
    "the root is the folder chime2-wsj0 of LDC2017S10 (https://catalog.ldc.upenn.edu/LDC2017S10), which holds "
    f"{NOISY}/ and {CLEAN}/"
)

#: Names of WSJ0: three characters of speaker, one of sentence type, two of session, two of utterance.
_UTTERANCE = re.compile(r"[0-9a-z]{3}[a-z][0-9a-z]{4}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Pair:
    clean: str
    noisy: str
    split: str
    speaker: str
    snr_db: float | None  # None where no folder tells it


@dataclass(frozen=True)
class _Examined:
    rows: Sequence[dict[str, Any]]
    leak: float


class Chime2Wsj0(Corpus):
    """CHiME-2, WSJ0 track: speech from a fixed place in a living room with the noise of a household, 16 kHz, binaural.

    The target is the reverberant speech. Validation and test use the left channel, as source 002 does for its test.

    Args:
        vocabulary: lists of validation and test: `20k`: `si_dt_20`, `si_et_20` (403 and 333 utterances at six SNRs
            each); `5k`: `si_dt_05`, `si_et_05` (409 and 330).
        train_channels: `both`: two mono utterances of each training file; validation and test use the left channel.
            Source 002 names a channel for the test only; `left` gives the 7138 training utterances that it counts.
    """

    name = "chime2_wsj0"
    version = 2
    paired = True
    source = "Vincent et al., ICASSP 2013; licensed by the LDC: https://catalog.ldc.upenn.edu/LDC2017S10"

    def __init__(
        self, *, vocabulary: Literal["5k", "20k"] = "20k", train_channels: Literal["left", "both"] = "left"
    ) -> None:
        self.folders = dict(zip(("train", "valid", "test"), ("si_tr_s", *LISTS[vocabulary]), strict=True))
        self.train_channels = CHANNELS if train_channels == "both" else CHANNELS[:1]

    def files(self, root: Path) -> Iterable[Path]:
        """All noisy and clean files of the three splits."""
        return [
            path for folder in self.folders.values() for tree in (NOISY, CLEAN) for path in _audio(root, tree, folder)
        ]

    def published_snr_db(self, root: Path, split: str) -> Sequence[float]:
        """The SNRs that folders of noisy files are named for."""
        found = {_snr_db(path, root / NOISY) for path in _audio(root, NOISY, self.folders[split])}
        return sorted(snr_db for snr_db in found if snr_db is not None)

    def build(self, root: Path, out: Path, processes: int) -> Manifest:
        """Pair the files and check each pair; what has no partner is rejected."""
        from sebench.corpora.manifest import make

        rows: dict[str, dict[str, Any]] = {}
        rejected: list[tuple[str, str]] = []
        examine = functools.partial(_examine, root, self.align)
        for split, folder in self.folders.items():
            pairs, lost = self._pairs(root, split)
            leaks = []
            for pair, outcome in zip(pairs, ordered(examine, pairs, processes), strict=True):
                if isinstance(outcome, str):
                    lost += [(pair.clean, outcome), (pair.noisy, outcome)]
                    continue
                rows.update((row["id"], row) for row in outcome.rows)
                leaks.append(outcome.leak)
            if not leaks:
                raise DataError(f"{root}: no usable pair is left for {split} ({folder}); first: {lost[:1]}; {WHERE}")
            _check_leak(root, folder, leaks)
            rejected += lost
        used = {row["path"] for row in rows.values()}
        rejected = [item for item in dict.fromkeys(rejected) if item[0] not in used]
        for path, reason in rejected:
            _log.warning("%s: left out: %s: %s", root, path, reason)
        return make(rows.values(), rejected)

    def _pairs(self, root: Path, split: str) -> tuple[list[_Pair], list[tuple[str, str]]]:
        """What belongs together in a split, one pair per channel, and what has no partner, with the reason."""
        folder = self.folders[split]
        noisy, clean = (_by_utterance(root, tree, folder) for tree in (NOISY, CLEAN))
        pairs: list[_Pair] = []
        unpaired: list[tuple[str, str]] = []
        for stem, snr_db, path in _each(noisy):
            partner = _partner(clean.get(stem, {}), snr_db)
            if partner is None:
                unpaired.append((path, f"has no partner in {CLEAN}/{folder}"))
                continue
            told, partner_path = partner
            if told is None and split != "train":
                unpaired.append((path, f"no folder tells its SNR; accepted names: {', '.join(SNRS_DB)}"))
                continue
            for channel in self.train_channels if split == "train" else CHANNELS[:1]:
                names = (of_channel(partner_path, channel), of_channel(path, channel))
                pairs.append(_Pair(*names, split, stem[:3], told))
        partners = {file_of(Path(pair.clean)).as_posix() for pair in pairs}
        lost = f"has no partner in {NOISY}/{folder}"
        unpaired += [(path, lost) for _, _, path in _each(clean) if path not in partners]
        count = sum(map(len, noisy.values()))
        if count != PUBLISHED[folder]:
            _log.warning("%s: %d files, where %d were published", root / NOISY / folder, count, PUBLISHED[folder])
        return pairs, unpaired


#: Utterance -> SNR in dB, None where no folder tells it -> path.
_Tree = Mapping[str, Mapping[float | None, str]]


def _audio(root: Path, tree: str, folder: str) -> list[Path]:
    found = audio_files(root / tree / folder)
    if not found:
        raise DataError(f"{root / tree / folder}: no such folder, or no audio in it; {WHERE}")
    return found


def _snr_db(path: Path, top: Path) -> float | None:
    """What a folder between `top` and the file says."""
    named = [SNRS_DB[part.lower()] for part in path.relative_to(top).parts[:-1] if part.lower() in SNRS_DB]
    return named[-1] if named else None


def _by_utterance(root: Path, tree: str, folder: str) -> _Tree:
    found: dict[str, dict[float | None, str]] = {}
    for path in _audio(root, tree, folder):
        stem, snr_db = path.stem.lower(), _snr_db(path, root / tree)
        if not _UTTERANCE.match(stem):
            raise DataError(f"{path}: not the name of a WSJ0 utterance, which begins with its speaker as 011c0201 does")
        at_snr = found.setdefault(stem, {})
        if snr_db in at_snr:
            raise DataError(f"{path}: the same utterance at the same SNR as {root / at_snr[snr_db]}; {WHERE}")
        at_snr[snr_db] = path.relative_to(root).as_posix()
    return found


def _each(tree: _Tree) -> Iterator[tuple[str, float | None, str]]:
    """Utterance, SNR and path of each file, in an order that does not depend on folders."""
    for stem in sorted(tree):
        yield from ((stem, snr_db, path) for snr_db, path in sorted(tree[stem].items(), key=lambda item: item[1]))


def _partner(clean: Mapping[float | None, str], snr_db: float | None) -> tuple[float | None, str] | None:
    """SNR and clean file of a noisy one: the file at its SNR, else the only one where a tree has no SNR folders."""
    if snr_db in clean:
        return snr_db, clean[snr_db]
    if snr_db is not None:
        return (snr_db, clean[None]) if None in clean else None
    return next(iter(clean.items())) if len(clean) == 1 else None


def _check_leak(root: Path, folder: str, leaks: Sequence[float]) -> None:
    """Refuse speech that is not the speech in the mixtures, or not at its level there: noise would hold speech."""
    mean = math.fsum(leaks) / len(leaks)
    if abs(mean) > LEAK:
        raise DataError(
            f"{root}: {folder}: {NOISY} - {CLEAN} holds {mean:.2f} times the speech of {CLEAN} on average, accepted: "
            f"{LEAK:g} at most: the files do not belong together, or not at this level; {WHERE}"
        )


def _examine(root: Path, align: Align | None, pair: _Pair) -> _Examined | str:
    """Rows of clean and noisy, or why the pair cannot be used."""
    import numpy as np

    from sebench.corpora.quality import fault

    decoded = {}
    for path in (pair.clean, pair.noisy):
        try:
            header = probe(root / path)
            if (header.sample_rate, header.channels) != FORMAT:
                return f"{path}: {header.sample_rate} Hz, {header.channels} channels; accepted: 16000 Hz, 2 channels"
            decoded[path] = decode(root / path)
        except DataError as error:
            return f"unreadable: {error}".replace(f"{root}/", "")
        reason = fault(decoded[path].samples, header.sample_rate, 0.1)  # clipped or not, these are the mixtures
        if reason:
            return f"{path}: {reason}"
    clean, noisy = (decoded[path].samples.astype(np.float64) for path in (pair.clean, pair.noisy))
    problem = pair_fault((len(clean), FORMAT[0]), (len(noisy), FORMAT[0]), align)
    if problem:
        return problem
    if align:
        clean, noisy = fitted({"clean": clean, "noisy": noisy}, align).values()
    noise = noisy - clean
    if not noise.any():
        return "clean and noisy are the same"
    speech_energy = float(np.sum(clean**2))
    snr_db = pair.snr_db
    if snr_db is None:
        snr_db = round(10.0 * math.log10(speech_energy / float(np.sum(noise**2))), 2)
    rows = [
        _row(pair, role, decoded) | extra
        for role, extra in (
            ("speech", {}),
            ("noisy", {"kind": "household", "snr_db": snr_db, "pair": _identity(pair.clean)}),
        )
    ]
    return _Examined(rows, float(np.sum(clean * noise)) / speech_energy)


def _row(pair: _Pair, role: str, decoded: Mapping[str, Decoded]) -> dict[str, Any]:
    path = pair.clean if role == "speech" else pair.noisy
    header = decoded[path].probe
    return {
        "id": _identity(path),
        "role": role,
        "path": path,
        "split": pair.split,
        "speaker": pair.speaker,
        "seconds": header.seconds,
        "sample_rate": header.sample_rate,
        "channels": header.channels,
        "samples": header.samples,
        **decoded[path].identity(),
        "licence": "LDC User Agreement",
        "source": "LDC2017S10",
    }


def _identity(path: str) -> str:
    stem, _, suffix = path.rpartition(".")
    return f"{stem}#{suffix.rpartition('#')[2]}"

"""Corpus `wsj0`: WSJ0 speech with the noise of DEMAND and QUT-NOISE, as source 001 trains and tests its predictor.

Below the root lie three folders, one for each. WSJ0 may lie as on the discs of LDC93S6A or converted: lists are found
by the folder of their name (`si_tr_s`, ...), speakers by the first three characters of a file's name. DEMAND gives the
first of its 16 channels (`ch01`), QUT-NOISE the left one of two: channels of one place are no further noise.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt, MinLen

from sebench.corpora import sphere
from sebench.corpora.audio import SUFFIXES, audio_files, file_of, of_channel
from sebench.corpora.base import Corpus
from sebench.corpora.lists import inside
from sebench.corpora.recording import Recording, examined, held_out, speakers_by_split, warn, with_ids
from sebench.errors import DataError

if TYPE_CHECKING:
    from sebench.corpora.manifest import Manifest

WHERE = (
    "WSJ0 is LDC93S6A (https://catalog.ldc.upenn.edu/LDC93S6A), DEMAND https://zenodo.org/records/1227121, QUT-NOISE "
    "comes from the Queensland University of Technology; parameters of the corpus name their folders below the root"
)
CONVERT = "convert them by `sph2pipe -f wav IN.wv1 OUT.wav` (the LDC gives it away), with the same names and folders"
TRAINING_NOISE_FILES = 35  # source 001

#: Names of WSJ0: three characters of speaker, one of sentence type, two of session, two of utterance.
_UTTERANCE = re.compile(r"[0-9a-z]{3}[a-z][0-9a-z]{4}")

#: Names of QUT-NOISE: scenario, place, session.
_QUT = re.compile(r"((?:CAFE|CAR|HOME|REVERB|STREET)-[A-Z0-9]+)-\d+")

_RATE = re.compile(r"_(16|48)k$", re.IGNORECASE)

_log = logging.getLogger(__name__)


class Wsj0(Corpus):
    """WSJ0 speech with the noise of DEMAND and QUT-NOISE; kinds of noise of the test are not in training.

    Speakers of si_tr_s are divided between training and validation by a hash of their names; the manifest records the
    outcome. Validation shares the noise files of training, as source 001 does. Which noise its test has is not
    published: the default of `test_noise` is ours.

    Args:
        speech: folder of WSJ0 below the root.
        demand: folder of DEMAND below the root; empty: without it.
        qut_noise: folder of QUT-NOISE below the root; empty: without it.
        test_noise: kinds of noise of the test alone: an environment of DEMAND, a scenario (`CAFE`) or a place
            (`CAFE-FOODCOURTB`) of QUT-NOISE.
        validation: the list that validates; `si_tr_s`: a part of it.
        valid_fraction: of the speakers of `si_tr_s`, where it validates too.
        test: the list that tests: both have eight speakers, `si_et_05` a vocabulary of 5000 words.
        seed: another seed, other speakers that validate.
    """

    name = "wsj0"
    version = 2
    source = "WSJ0: https://catalog.ldc.upenn.edu/LDC93S6A; DEMAND: https://zenodo.org/records/1227121; QUT-NOISE"

    def __init__(
        self,
        *,
        speech: Annotated[str, MinLen(1)] = "wsj0",
        demand: str = "demand",
        qut_noise: str = "qut_noise",
        test_noise: Annotated[tuple[str, ...], MinLen(1)] = ("PCAFETER", "TMETRO", "CAFE", "REVERB"),
        validation: Literal["si_tr_s", "si_dt_05", "si_dt_20"] = "si_tr_s",
        valid_fraction: Annotated[float, Gt(0), Lt(1)] = 0.15,
        test: Literal["si_et_05", "si_et_20"] = "si_et_05",
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        self.speech = inside(speech, "corpus wsj0: speech")
        folders = (
            (inside(demand, "corpus wsj0: demand"), _demand),
            (inside(qut_noise, "corpus wsj0: qut_noise"), _qut_noise),
        )
        self.noise = [(name, find) for name, find in folders if name != "."]
        self.test_noise = tuple(test_noise)
        self.lists = {"train": "si_tr_s", "valid": validation, "test": test}
        self.valid_fraction = valid_fraction
        self.seed = seed

    def files(self, root: Path) -> Iterable[Path]:
        """All utterances of the lists that are used, and the noise."""
        found = [path for paths in self._utterances(root)[0].values() for path in paths]
        _refuse_compressed(root, found[:1])  # the others when the manifest is made
        return [*found, *(file_of(root / noise.path) for noise in self._noise(root))]

    def dealt(self, root: Path) -> Mapping[tuple[str, str], Sequence[str]]:
        """Speakers of training and validation."""
        return speakers_by_split(
            self._speech(root, self._utterances(root)[0]) if self.lists["valid"] == self.lists["train"] else ()
        )

    def build(self, root: Path, out: Path, processes: int) -> Manifest:
        """Divide speakers and kinds of noise, and check every file."""
        from sebench.corpora.manifest import make

        utterances, rejected = self._utterances(root)
        _refuse_compressed(root, [path for paths in utterances.values() for path in paths])
        rows, unusable = examined(root, [*self._speech(root, utterances), *self._noise(root)], processes)
        rejected += unusable
        warn(root, rejected)
        _require(root, rows, rejected)
        training = sum(row["role"] == "noise" and row["split"] == "train" for row in rows)
        if training != TRAINING_NOISE_FILES:
            _log.info("%s: %d noise files to train on; source 001 has %d", root, training, TRAINING_NOISE_FILES)
        return make(with_ids(rows), rejected)

    def _utterances(self, root: Path) -> tuple[dict[str, list[Path]], list[tuple[str, str]]]:
        """Files of each list, without the SPHERE files of what is there converted, and what is left out."""
        found: dict[str, dict[str, Path]] = {name: {} for name in self.lists.values()}
        rejected = []
        paths = audio_files(root / self.speech, SUFFIXES | sphere.SUFFIXES)
        for path in sorted(paths, key=lambda path: (path.suffix.lower() in sphere.SUFFIXES, path)):
            parts = [part.lower() for part in path.relative_to(root).parts[:-1]]
            name = next((name for name in found if name in parts), None)
            stem = path.stem.lower()
            if name is None:
                continue
            if not _UTTERANCE.fullmatch(stem):
                rejected.append((path.relative_to(root).as_posix(), "not the name of a WSJ0 utterance, as 011c0201 is"))
                continue
            first = found[name].setdefault(stem, path)
            if first is not path and first.suffix.lower() == path.suffix.lower():
                reason = f"the same utterance as {first.relative_to(root).as_posix()}"
                rejected.append((path.relative_to(root).as_posix(), reason))
        for name, files in found.items():
            if not files:
                raise DataError(f"{root / self.speech}: no utterance in a folder {name}; {WHERE}")
        return {name: sorted(files.values()) for name, files in found.items()}, rejected

    def _speech(self, root: Path, utterances: dict[str, list[Path]]) -> Iterable[Recording]:
        valid: frozenset[str] = frozenset()
        if self.lists["valid"] == self.lists["train"]:
            speakers = {_speaker(path) for path in utterances[self.lists["train"]]}
            valid = held_out(speakers, self.valid_fraction, "corpus wsj0", self.seed)
            _log.info("%s: %d of %d speakers validate: %s", root, len(valid), len(speakers), ", ".join(sorted(valid)))
        for name in dict.fromkeys(self.lists.values()):
            split = next(split for split, used in self.lists.items() if used == name)
            for path in utterances[name]:
                speaker = _speaker(path)
                yield Recording(
                    "speech",
                    path.relative_to(root).as_posix(),
                    "valid" if split == "train" and speaker in valid else split,
                    speaker=speaker,
                    licence="LDC User Agreement",
                    source="LDC93S6A",
                    published=True,
                )

    def _noise(self, root: Path) -> list[Recording]:
        """The noise files, of the test where their kind is asked for."""
        found = [noise for name, find in self.noise for noise in find(root, name)]
        if not found:
            raise DataError(f"{root}: no noise: `demand` and `qut_noise` are both empty")
        kinds = sorted({noise.kind for noise in found})
        for asked in self.test_noise:
            if not any(_is_of(kind, asked) for kind in kinds):
                raise DataError(f"{root}: test_noise {asked!r} matches no kind of noise; found: {', '.join(kinds)}")
        tested = {kind for kind in kinds if any(_is_of(kind, asked) for asked in self.test_noise)}
        if len(tested) == len(kinds):
            raise DataError(f"{root}: test_noise holds every kind of noise, none is left for training")
        return [replace(noise, split="test") if noise.kind in tested else noise for noise in found]


def _demand(root: Path, name: str) -> list[Recording]:
    """The first channel of each environment, at 16 kHz where both rates are there."""
    found: dict[str, str] = {}
    paths = [path.relative_to(root) for path in audio_files(root / name) if path.stem.lower() == "ch01"]
    for path in sorted(paths, key=lambda path: (any(part.lower().endswith("_48k") for part in path.parts), path)):
        found.setdefault(_RATE.sub("", path.parent.name).upper(), path.as_posix())
    if not found:
        raise DataError(f"{root / name}: no ch01.wav in the folder of an environment (DKITCHEN, ...); {WHERE}")
    return [
        Recording("noise", path, "train", kind=kind, licence="CC BY-SA 3.0", source="DEMAND", published=True)
        for kind, path in sorted(found.items())
    ]


def _qut_noise(root: Path, name: str) -> list[Recording]:
    """The left channel of each session; scenario and place are its kind."""
    found = []
    for path in audio_files(root / name):
        matched = _QUT.fullmatch(path.stem.upper())
        if matched and "impulses" not in (part.lower() for part in path.relative_to(root).parts):
            left = of_channel(path.relative_to(root).as_posix(), "left")
            found.append(Recording("noise", left, "train", kind=matched[1], source="QUT-NOISE", published=True))
    if not found:
        raise DataError(f"{root / name}: no file with a name of QUT-NOISE (CAFE-CAFE-1.wav, ...); {WHERE}")
    return found


def _is_of(kind: str, asked: str) -> bool:
    return kind == asked.upper() or kind.startswith(f"{asked.upper()}-")


def _speaker(path: Path) -> str:
    return path.stem.lower()[:3]


def _refuse_compressed(root: Path, paths: Sequence[Path]) -> None:
    found = [
        (path, how) for path in paths if path.suffix.lower() in sphere.SUFFIXES and (how := sphere.compression(path))
    ]
    if found:
        path, how = found[0]
        more = f" (and {len(found) - 1} more files)" if len(found) > 1 else ""
        raise DataError(f"{path}{more}: the samples are compressed ({how}), which libsndfile does not read: {CONVERT}")


def _require(root: Path, rows: Sequence[dict[str, Any]], rejected: Sequence[tuple[str, str]]) -> None:
    there = {(row["role"], row["split"]) for row in rows}
    needed = [*(("speech", split) for split in ("train", "valid", "test")), ("noise", "train"), ("noise", "test")]
    for role, split in needed:
        if (role, split) not in there:
            raise DataError(f"{root}: no usable {role} is left for {split}; first that is left out: {rejected[:1]}")

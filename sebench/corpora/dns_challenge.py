"""Corpus `dns_challenge`: material of the Deep Noise Suppression Challenges, and the test sets of the first three.

Names and folders are those of the repository microsoft/DNS-Challenge: its branch of 2020 has the first test set, its
history the second, and the download script of the third challenge fetches the rest. Speech lies below `clean`, at
depths that changed with that script, so files are looked for at any depth.

The test sets are parts. `no_reverb`, `with_reverb`: 150 mixtures each of the same clips, paired by the number behind
`fileid`. `dns2`: clips of speech, emotions and singing, which are numbered each for itself. `dns3_real`: recordings
without a reference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Gt, Lt

from sebench.corpora.audio import audio_files, file_of, of_channel
from sebench.corpora.base import Corpus
from sebench.corpora.lists import inside
from sebench.corpora.recording import Recording, examined, held_out, speakers_by_split, warn, with_ids
from sebench.errors import DataError

if TYPE_CHECKING:
    from sebench.corpora.manifest import Manifest

WHERE = (
    "the root is a clone of https://github.com/microsoft/DNS-Challenge or its folder `datasets`, with clean/ and "
    "noise/, a test set, or both"
)
LICENCE = "see the README of microsoft/DNS-Challenge"  # each of its sources has its own
SOURCE = "microsoft/DNS-Challenge"

_NUMBER = re.compile(r"_fileid_(\d+)$", re.IGNORECASE)
_SNR = re.compile(r"_snr(-?\d+(?:\.\d+)?)_", re.IGNORECASE)
_READER = re.compile(r"reader_(\d+)")
#: Names of CREMA-D (1001_DFA_ANG_XX) and of VCTK (p225_001_mic1), which are among the clean speech.
_ACTOR = re.compile(r"(\d{4})_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}")
_VCTK = re.compile(r"([ps]\d{3})_\d{3}(?:_mic\d)?")
#: Who recorded a real recording: an identifier of the crowd-sourcing service.
_WORKER = re.compile(r"_(A[0-9A-Z]{9,15})(?=_|$)")
_CLASS = re.compile(r"([a-z]+(?:_[a-z]+)*?)_(?:Freesound|\d)")

_Found = Iterable[Recording | tuple[str, str]]


class DnsChallenge(Corpus):
    """Speech, noise and impulse responses of the DNS Challenges, and their published test sets as parts of the test.

    Speakers are told by the names of files where these tell them (reader_00123), else by their folder. A part of them
    validates, with the noise and the responses of training. The test split holds nothing but the published test sets:
    a test condition names one of them. A test set that is not there is no part.

    Args:
        valid_fraction: of the speakers.
        clean: folders of `clean` that are used (`read_speech`, ...); empty: all.
        impulse_responses: whether they are listed, with the left channel of each.
        reverb_reference: what `with_reverb` is compared with: `dry`, the clean file of `no_reverb` with its number, as
            source 001's numbers for its noisy row need; `reverberant`, the file that lies beside it.
        dns2_clips: `speech` leaves out emotions and singing; source 001 tests on "all speech files".
        dns1: folder of the first test set below `datasets`; empty: without it.
        dns2: folder of the second; empty: without it.
        dns3: folder of the third; empty: without it.
    """

    name = "dns_challenge"
    parts = ("no_reverb", "with_reverb", "dns2", "dns3_real")
    version = 2
    paired = True
    source = "Reddy et al., Interspeech 2020 and 2021; https://github.com/microsoft/DNS-Challenge"

    def __init__(
        self,
        *,
        valid_fraction: Annotated[float, Gt(0), Lt(1)] = 0.1,
        clean: tuple[str, ...] = (),
        impulse_responses: bool = True,
        reverb_reference: Literal["dry", "reverberant"] = "dry",
        dns2_clips: Literal["speech", "all"] = "speech",
        dns1: str = "test_set/synthetic",
        dns2: str = "ICASSP_dev_test_set/track_1/synthetic",
        dns3: str = "dev_testset",
    ) -> None:
        self.valid_fraction = valid_fraction
        self.clean = tuple(clean)
        self.impulse_responses = impulse_responses
        self.reverb_reference = reverb_reference
        self.dns2_clips = dns2_clips
        self.sets = {
            name: inside(folder, f"corpus dns_challenge: {name}") if folder else ""
            for name, folder in (("dns1", dns1), ("dns2", dns2), ("dns3", dns3))
        }

    def files(self, root: Path) -> Iterable[Path]:
        """Everything that the manifest lists or leaves out."""
        found = [item.path if isinstance(item, Recording) else item[0] for item in self._recordings(root)]
        if not found:
            raise DataError(f"{root}: holds neither training material nor a test set; {WHERE}")
        return [file_of(root / path) for path in found]

    def published_snr_db(self, root: Path, split: str) -> Sequence[float]:
        """None: all test mixtures belong to a part."""
        return ()

    def published_parts(self, root: Path) -> Sequence[str]:
        """The test sets that are there."""
        found = (item.part for item in self._tests(root) if isinstance(item, Recording))
        return sorted({part for part in found if part})

    def dealt(self, root: Path) -> Mapping[tuple[str, str], Sequence[str]]:
        """Speakers of training and validation."""
        return speakers_by_split(item for item in self._training(root) if isinstance(item, Recording))

    def build(self, root: Path, out: Path, processes: int) -> Manifest:
        """Check every file, and each published mixture against its reference."""
        from sebench.corpora.manifest import make

        found = self._recordings(root)
        rejected = [item for item in found if not isinstance(item, Recording)]
        rows, unusable = examined(root, [item for item in found if isinstance(item, Recording)], processes)
        rows, unpaired = _with_references(list(with_ids(rows)))
        rejected += [*unusable, *unpaired]
        warn(root, rejected)
        if not rows:
            raise DataError(f"{root}: no usable file; first that is left out: {rejected[:1]}; {WHERE}")
        return make(rows, rejected)

    def is_additive(self, part: str) -> bool:
        """Of `with_reverb`, only with the reverberant reference."""
        return part != "with_reverb" or self.reverb_reference != "dry"

    def _recordings(self, root: Path) -> list[Recording | tuple[str, str]]:
        """All files, each once: two test sets have the same references."""
        return list(dict.fromkeys([*self._training(root), *self._tests(root)]))

    def _training(self, root: Path) -> _Found:
        base = _base(root)
        speech = [
            (path, _speaker(path.relative_to(base / "clean")))
            for path in audio_files(base / "clean")
            if not self.clean or set(self.clean) & set(path.relative_to(base / "clean").parts[:-1])
        ]
        noise = audio_files(base / "noise")
        if bool(speech) != bool(noise):
            raise DataError(f"{base}: {'noise' if speech else 'clean'}/ holds nothing that is used; {WHERE}")
        valid = held_out((speaker for _, speaker in speech), self.valid_fraction, "corpus dns_challenge")
        if speech and not valid:
            raise DataError(f"{base / 'clean'}: all of it is of one speaker, {speech[0][1]}: none is left to validate")
        for path, speaker in speech:
            yield _recording(root, "speech", path, "valid" if speaker in valid else "train", speaker=speaker)
        for path in noise:
            yield _recording(root, "noise", path, "train", kind=_class(path.stem) or "audioset")
        if self.impulse_responses:
            yield from _responses(root, base / "impulse_responses")

    def _tests(self, root: Path) -> _Found:
        folders = {name: _base(root) / folder for name, folder in self.sets.items() if folder}
        if "dns1" in folders:
            yield from self._first(root, folders["dns1"])
        if "dns2" in folders:
            yield from self._second(root, folders["dns2"])
        if "dns3" in folders:
            yield from _third(root, folders["dns3"])

    def _first(self, root: Path, folder: Path) -> _Found:
        dry = _by_number(folder / "no_reverb" / "clean")
        wet = dry if self.reverb_reference == "dry" else _by_number(folder / "with_reverb" / "clean")
        for part, references in (("no_reverb", dry), ("with_reverb", wet)):
            mixtures = _by_number(folder / part / "noisy")
            yield from _pairs(root, part, references, mixtures, "dns1")

    def _second(self, root: Path, folder: Path) -> _Found:
        references, mixtures = _by_number(folder / "clean"), _by_number(folder / "noisy")
        if self.dns2_clips == "speech":
            references, mixtures = (
                {key: paths for key, paths in found.items() if key[0] == "speech"} for found in (references, mixtures)
            )
        yield from _pairs(root, "dns2", references, mixtures, "dns2")


def _base(root: Path) -> Path:
    return root / "datasets" if (root / "datasets").is_dir() else root


def _recording(root: Path, role: str, path: Path, split: str, **facts: Any) -> Recording:
    relative = path.relative_to(root).as_posix()
    return Recording(role, relative, split, licence=LICENCE, source=SOURCE, published=True, **facts)


def _speaker(path: Path) -> str:
    """Whose speech a file below `clean` is; its folder where its name does not tell."""
    reader = _READER.search(path.stem)
    if reader:
        return f"reader_{reader[1]}"
    for pattern, prefix in ((_ACTOR, "cremad"), (_VCTK, "vctk")):
        matched = pattern.fullmatch(path.stem)
        if matched:
            return f"{prefix}_{matched[1]}"
    return path.parent.as_posix() if path.parent.name else path.stem


def _class(stem: str) -> str:
    """The class of noise in a name such as door_Freesound_validated_458454_3 or air_conditioner_151977_1."""
    matched = _CLASS.match(stem)
    return matched[1] if matched else ""


def _responses(root: Path, folder: Path) -> Iterator[Recording]:
    """SLR26 has a folder for each room; what else is there counts as a room of its own. Noise is among SLR28."""
    for path in audio_files(folder):
        parts = path.relative_to(folder).parts
        if "pointsource_noises" in parts or "noise" in path.stem.lower():
            continue
        room = "/".join(parts[-3:-1]) if parts[-2:-1] and parts[-2].startswith("Room") else path.stem
        response = _recording(root, "rir", path, "train", kind=room)
        yield replace(response, path=of_channel(response.path, "left"))


#: Group and number of a clip -> the files that have them.
_Numbered = Mapping[tuple[str, int], list[Path]]


def _by_number(folder: Path) -> _Numbered:
    found: dict[tuple[str, int], list[Path]] = {}
    for path in audio_files(folder):
        matched = _NUMBER.search(path.stem)
        number = int(matched[1]) if matched else -1
        found.setdefault((_group(path.stem), number), []).append(path)
    return found


def _group(stem: str) -> str:
    """Emotions, singing and all other clips of the second test set have numbers of their own."""
    words = stem.lower().split("_")
    return next((word for word in ("emotion", "singing") if words[:2] == ["synthetic", word]), "speech")


def _pairs(root: Path, part: str, references: _Numbered, mixtures: _Numbered, name: str) -> _Found:
    """Mixtures, and the clean file of the same number before each."""
    for key in sorted(mixtures):
        group, number = key
        for path in mixtures[key]:
            relative = path.relative_to(root).as_posix()
            clean = references.get(key, [])
            if number < 0:
                yield relative, "its name does not end in _fileid_N"
                continue
            if len(clean) != 1 or len(mixtures[key]) != 1:
                yield relative, f"its number stands for {len(mixtures[key])} mixtures and {len(clean)} clean files"
                continue
            speaker = f"{name}-{group}-{number}"  # not known: each clip counts as one
            reference = _recording(root, "speech", clean[0], "test", speaker=speaker)
            yield reference
            snr = _SNR.search(path.stem)
            yield _recording(
                root,
                "noisy",
                path,
                "test",
                speaker=speaker,
                kind=_class(path.stem.partition("_")[2]) if name == "dns1" else "",
                snr_db=float(snr[1]) if snr else math.nan,
                pair=reference.path,
                part=part,
            )


def _third(root: Path, folder: Path) -> _Found:
    for path in audio_files(folder):
        if path.stem.lower().startswith("synthetic"):
            yield path.relative_to(root).as_posix(), "a synthetic mixture, whose reference is not with it"
            continue
        worker = _WORKER.search(path.stem)
        speaker = f"dns3-{worker[1] if worker else path.stem}"
        yield _recording(root, "noisy", path, "test", speaker=speaker, part="dns3_real")


def _with_references(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Rows whose pair is an id instead of a path, and the mixtures whose reference is left out."""
    by_path = {row["path"]: row for row in rows}
    kept, rejected = [], []
    for row in rows:
        reference = by_path.get(row["pair"])
        if row["pair"] and reference is None:
            rejected.append((row["path"], f"its reference {row['pair']} is left out"))
        else:
            kept.append(row | {"pair": reference["id"] if reference else ""})
    return kept, rejected

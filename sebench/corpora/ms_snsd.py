"""Corpus `ms_snsd`: the Microsoft Scalable Noisy Speech Dataset, its clean speech and its noise.

Mixtures are drawn by a mixing. What the dataset's own synthesiser wrote (NoisySpeech_training, CleanSpeech_training,
Noise_training and their like for the test) is ignored: everybody has other ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from sebench.corpora.audio import audio_files
from sebench.corpora.base import Corpus
from sebench.corpora.recording import Recording, examined, held_out, speakers_by_split, warn, with_ids
from sebench.errors import DataError

if TYPE_CHECKING:
    from sebench.corpora.manifest import Manifest

#: Folder -> role, split.
FOLDERS = {
    "clean_train": ("speech", "train"),
    "clean_test": ("speech", "test"),
    "noise_train": ("noise", "train"),
    "noise_test": ("noise", "test"),
}
WHERE = f"the root is a clone of https://github.com/microsoft/MS-SNSD, with {', '.join(FOLDERS)}"

#: Names of the Edinburgh speech, which a part of the dataset keeps.
_SPEAKER = re.compile(r"([ps]\d{3})_\d{3}")


class MsSnsd(Corpus):
    """MS-SNSD: clean speech and noise for training and test, 16 kHz; a part of the training speech validates.

    Names such as p234_002 tell the speaker. Others (clnsp12) do not: each such file counts as a speaker of its own, so
    that a voice may be heard in training and in validation. Validation shares the noise of training. The kind of a
    noise is its file's name before the first underscore.

    Args:
        valid_fraction: of the speakers of clean_train.
    """

    name = "ms_snsd"
    version = 2
    source = "Reddy et al., Interspeech 2019; https://github.com/microsoft/MS-SNSD"

    def __init__(self, *, valid_fraction: Annotated[float, Gt(0), Lt(1)] = 0.1) -> None:
        self.valid_fraction = valid_fraction

    def files(self, root: Path) -> Iterable[Path]:
        """All files of the four folders."""
        return [path for folder in FOLDERS for path in _audio(root, folder)]

    def dealt(self, root: Path) -> Mapping[tuple[str, str], Sequence[str]]:
        """Speakers of training and validation."""
        return speakers_by_split(self._recordings(root))

    def build(self, root: Path, out: Path, processes: int) -> Manifest:
        """Divide the training speech, and check every file."""
        from sebench.corpora.manifest import make

        rows, rejected = examined(root, list(self._recordings(root)), processes)
        warn(root, rejected)
        there = {(row["role"], row["split"]) for row in rows}
        for role, split in (*FOLDERS.values(), ("speech", "valid")):
            if (role, split) not in there:
                raise DataError(f"{root}: no usable {role} is left for {split}; first that is left out: {rejected[:1]}")
        return make(with_ids(rows), rejected)

    def _recordings(self, root: Path) -> Iterator[Recording]:
        speakers = (_speaker(root, path) for path in _audio(root, "clean_train"))
        valid = held_out(speakers, self.valid_fraction, "corpus ms_snsd")
        for folder, (role, split) in FOLDERS.items():
            for path in _audio(root, folder):
                speaker, kind = (_speaker(root, path), "") if role == "speech" else ("", path.stem.partition("_")[0])
                yield Recording(
                    role,
                    path.relative_to(root).as_posix(),
                    "valid" if (split, role) == ("train", "speech") and speaker in valid else split,
                    speaker,
                    kind,
                    licence="see the README of microsoft/MS-SNSD",  # each of its sources has its own
                    source="microsoft/MS-SNSD",
                    published=True,
                )


def _audio(root: Path, folder: str) -> list[Path]:
    found = audio_files(root / folder)
    if not found:
        raise DataError(f"{root / folder}: no such folder, or no audio in it; {WHERE}")
    return found


def _speaker(root: Path, path: Path) -> str:
    """The same names without a speaker occur in both folders: such a file is a speaker by its path."""
    matched = _SPEAKER.fullmatch(path.stem)
    return matched[1] if matched else path.relative_to(root).with_suffix("").as_posix()

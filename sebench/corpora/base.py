"""What every corpus gives: its files, for the fingerprint, and its manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sebench.config.base import Align
    from sebench.corpora.manifest import Manifest


class Corpus:
    """A source of recordings.

    The planner reads class attributes and `__init__` from the source text (`sebench.config.classes`): attributes are
    literals, parameters are keyword-only and annotated, and the module imports neither NumPy nor torch.

    Attributes:
        name: what a configuration calls the corpus; empty for a class that is no corpus by itself.
        version: raised whenever the same files and parameters give another manifest or other audio.
        needs_root: whether a person must say where the files lie.
        paired: whether the corpus's test mixtures are its own (rows with role `noisy`): at the SNRs of
            `published_snr_db`, or in the test sets of `published_parts`.
        packages: distributions whose version changes the audio.
        source: where to get the corpus.
        address: the folder on the web that `archives` lie in.
        archives: what `sebench corpus fetch` fetches: (file name, published SHA-256 or an empty text) of each `.zip`,
            which is unpacked into a folder of its name.
        parts: every name that `published_parts` can give.
        align: what the entry says of pairs whose lengths differ (`sebench.corpora.align`), set before `build`; None:
            they are left out.
    """

    name = ""
    version = 1
    needs_root = True
    paired = False
    packages: tuple[str, ...] = ()
    source = ""
    address = ""
    archives: tuple[tuple[str, str], ...] = ()
    parts: tuple[str, ...] = ()
    align: Align | None = None

    def files(self, root: Path) -> Iterable[Path]:
        """Every file under `root` that the manifest depends on.

        Raises:
            DataError: `root` is not laid out as this corpus must be.
        """
        raise NotImplementedError

    def published_snr_db(self, root: Path, split: str) -> Sequence[float]:
        """SNRs in dB of a paired corpus's own mixtures, from its logs or folder names: asked while planning.

        Raises:
            DataError: `root` is not laid out as this corpus must be.
        """
        raise NotImplementedError

    def published_parts(self, root: Path) -> Sequence[str]:
        """Names of published test sets whose files are there, as column `part` has them: asked while planning."""
        return ()

    def dealt(self, root: Path) -> Mapping[tuple[str, str], Sequence[str]]:
        """(Role, split) -> speakers, kinds or rooms that the corpus dealt itself, by names alone, while planning."""
        return {}

    def is_additive(self, part: str) -> bool:
        """Whether noisy files are the clean file, as it is, and noise, so that their SNR can be measured.

        Not so where the clean file of reverberant speech is dry: its SNR is then not compared with the log.
        """
        return True

    def build(self, root: Path, out: Path, processes: int) -> Manifest:
        """The manifest.

        Args:
            root: the folder that manifest paths are relative to.
            out: where a corpus that is generated writes its audio; the same folder as `root` for such a corpus.
            processes: how many may work at once; the outcome does not depend on it.

        Raises:
            DataError: the files are not what the corpus must be.
        """
        raise NotImplementedError

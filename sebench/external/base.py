"""What an external model is: a file that others trained, and how a signal goes through it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class External:
    """A published model, of which only its file is trained.

    Class attributes (literals: the planner reads them from the source text):
        name, version: identity, to which the file's SHA-256 is added.
        sample_rate: in Hz.
        source: where the way through it is described.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    sample_rate: int = 16000
    source: str = ""

    def open(self, file: Path) -> None:
        """Read the file. It must not be one that runs code when it is read.

        Raises:
            DataError: it is damaged, or no such model.
        """
        raise NotImplementedError

    def enhance(self, noisy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Enhance one whole utterance with what was opened.

        Shape:
            noisy `(samples,)`, at least one; returns `(samples,)`.

        Raises:
            DataError: the file's model gives something else than it must.
        """
        raise NotImplementedError

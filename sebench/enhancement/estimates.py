"""The signals that are judged: enhanced ones, or the noisy ones of a set, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sebench.artefacts import Node, Store
from sebench.errors import DataError
from sebench.files import read_parquet

if TYPE_CHECKING:
    from numpy.typing import NDArray

AUDIO = "audio.f32"


def is_whole(node: Node, store: Store) -> bool:
    """Whether the audio of an enhanced set is there, in its full size."""
    index = read_parquet(store.outputs(node)["index.parquet"])
    audio = store.state(node) / AUDIO
    return audio.exists() and audio.stat().st_size == 4 * int(index["samples"].sum())


class Estimates:
    """The audio of an enhanced set, opened.

    Args:
        store: where it lies.
        enhanced: its node.
        mixtures: of the rendered set, in its order.

    Raises:
        DataError: it was made from other mixtures.
    """

    def __init__(self, store: Store, enhanced: Node, mixtures: list[str]) -> None:
        path = store.outputs(enhanced)["index.parquet"]
        index = read_parquet(path)
        if list(index["mixture"]) != mixtures:
            raise DataError(f"{path}: its mixtures are not those of its set, in that order")
        self._rows = list(zip(index["offset"], index["samples"], index["status"], index["reason"], strict=True))
        audio = store.state(enhanced) / AUDIO
        some = audio.exists() and audio.stat().st_size > 0
        self._audio = np.memmap(audio, "<f4", mode="r") if some else np.zeros(0, np.float32)

    def row(self, i: int) -> tuple[NDArray[np.float32] | None, str]:
        """A signal `(samples,)`, or None and the reason why there is none."""
        offset, samples, status, reason = self._rows[i]
        if status != "ok":
            return None, str(reason or "not enhanced")
        return self._audio[int(offset) : int(offset) + int(samples)], ""

"""Training batches as a pure function of (seed, step), so that a resumed run needs nothing but its step.

Step k takes the rows k * batch_size ... of an endless list: one permutation of all rows after the other, the e-th drawn
from (seed, "epoch", e). Where each segment starts is drawn from (seed, "batch", k), what an augmentation does to the
batch from (seed, its name, k). Batches of whole utterances end with the epoch: its last one may be smaller.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.seeding import generator
from sebench.training.augment import AUGMENTATIONS, Segments, extra_samples

SIGNALS = ("noisy", "clean", "speech", "noise")


class Rows(Protocol):
    """What is needed of `sebench.synthesis.store.AudioStore`."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Samples of each row."""

    @property
    def levels_db(self) -> NDArray[np.float64]:
        """Active level of each row's speech, in dBov."""

    def __len__(self) -> int: ...

    def row(self, i: int) -> dict[str, NDArray[np.float32]]:
        """All signals of a row."""

    def segment(self, i: int, start: int, samples: int) -> dict[str, NDArray[np.float32]]:
        """A part of a row, with zeros behind its end."""


class Batches:
    """Random segments, or whole utterances, of a rendered set.

    Args:
        rows: the set.
        mixtures: id of each row, for messages.
        sample_rate: in Hz.
        batch_size: segments per step.
        segment_seconds: length of each; None: whole utterances, padded to the longest of the batch.
        seed: of the run.
        signals: which ones a batch holds, of `SIGNALS`.
        augment: names of `augment.AUGMENTATIONS`, in the order in which they are done.

    Raises:
        DataError: the set is empty, an augmentation is not known, or it is asked for whole utterances.
    """

    def __init__(
        self,
        rows: Rows,
        mixtures: Sequence[str],
        sample_rate: int,
        *,
        batch_size: int,
        segment_seconds: float | None,
        seed: int,
        signals: Iterable[str] = SIGNALS,
        augment: Iterable[str] = (),
    ) -> None:
        if not len(rows):
            raise DataError("the training set has no rows")
        self.augment = tuple(augment)
        unknown = sorted(set(self.augment) - set(AUGMENTATIONS))
        if unknown:
            raise DataError(f"no augmentation {', '.join(unknown)}; accepted: {', '.join(AUGMENTATIONS)}")
        if self.augment and segment_seconds is None:
            raise DataError(f"augmentation ({', '.join(self.augment)}) is of segments, not of whole utterances")
        self.rows = rows
        self.mixtures = mixtures
        self.sample_rate = sample_rate
        self.batch_size = batch_size
        self.whole = segment_seconds is None
        self.samples = max(1, round((segment_seconds or 0.0) * sample_rate))
        self.read_samples = self.samples + extra_samples(self.augment, sample_rate)
        self.seed = seed
        wanted = {*signals, *(("noisy", "speech", "noise") if self.augment else ())}
        self.signals = tuple(name for name in SIGNALS if name in wanted)
        self._permutation = functools.lru_cache(4)(self._permute)  # asked from two threads
        self._maker: ThreadPoolExecutor | None = None
        self._made: dict[int, Future[Batch]] = {}

    @property
    def per_epoch(self) -> int:
        """Steps after which every row was there, for whole utterances."""
        return -(-len(self.rows) // self.batch_size)

    def indices(self, step: int) -> NDArray[np.int64]:
        """Rows of a step."""
        if self.whole:
            epoch, place = divmod(step, self.per_epoch)
            return self._permutation(epoch)[place * self.batch_size : (place + 1) * self.batch_size]
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, inside = np.divmod(places, len(self.rows))
        return np.array([self._permutation(int(e))[i] for e, i in zip(epochs, inside, strict=True)], np.int64)

    def starts(self, step: int, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """First sample that is read of each segment."""
        if self.whole:
            return np.zeros(len(indices), np.int64)
        room = np.maximum(0, self.rows.lengths[indices] - self.read_samples)
        return generator("batch", self.seed, step).integers(0, room, endpoint=True)

    def ids(self, step: int) -> list[str]:
        """Mixtures of a step."""
        return [self.mixtures[i] for i in self.indices(step)]

    def batch(self, step: int) -> Batch:
        """The batch of a step; its signals are `(batch, samples)`, its lengths count what is not padding."""
        indices = self.indices(step)
        read_samples = int(self.rows.lengths[indices].max()) if self.whole else self.read_samples
        # PyTorch's memory: it is aligned, and sums of unaligned signals may end in other bits.
        views = {name: torch.empty(len(indices), read_samples).numpy() for name in self.signals}
        for place, (i, start) in enumerate(zip(indices, self.starts(step, indices), strict=True)):
            segment = self.rows.segment(int(i), int(start), read_samples)
            for name, view in views.items():
                view[place] = segment[name]
        lengths = np.minimum(self.rows.lengths[indices], read_samples).astype(np.int64)
        if self.augment:
            segments = Segments(views, lengths, self.rows.levels_db[indices], self.sample_rate)
            for name in self.augment:
                AUGMENTATIONS[name].apply(segments, generator(name, self.seed, step))
            views, lengths = segments.signals, segments.lengths
        tensors = {name: torch.from_numpy(view).contiguous() for name, view in views.items()}
        return Batch(lengths=torch.from_numpy(lengths), sample_rate=self.sample_rate, **tensors)

    def ahead(self, step: int) -> Batch:
        """The same as `batch`; that of the next step is made by another thread while this one is trained on."""
        made = self._made.pop(step, None)
        batch = self.batch(step) if made is None else made.result()
        if self._maker is None:
            self._maker = ThreadPoolExecutor(1, "batches")
        self._made = {step + 1: self._maker.submit(self.batch, step + 1)}
        return batch

    def _permute(self, epoch: int) -> NDArray[np.int64]:
        return generator("epoch", self.seed, epoch).permutation(len(self.rows))


def whole_row(rows: Rows, i: int, sample_rate: int, signals: Iterable[str] = SIGNALS) -> Batch:
    """One utterance as a batch of one."""
    row = rows.row(i)
    tensors: dict[str, Tensor] = {
        name: torch.from_numpy(np.ascontiguousarray(row[name], np.float32))[None] for name in SIGNALS if name in signals
    }
    lengths = torch.tensor([tensors["noisy"].shape[-1]], dtype=torch.int64)
    return Batch(lengths=lengths, sample_rate=sample_rate, **tensors)

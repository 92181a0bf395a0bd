"""The signals of a batch, and what is computed from them once.

Signals beyond an utterance's length are taken as zero before every transform, so that what lies in the padding never
matters. Spectra, magnitudes and masks are kept, however many losses ask for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from sebench.signal.resample import resampled
from sebench.signal.stft import Stft

Value = TypeVar("Value")


@dataclasses.dataclass(eq=False)
class Batch:
    """Signals of a few utterances, padded to one length.

    Args:
        noisy: input.
        clean: target; the direct-path speech where there is a room.
        speech: speech as it is in the mixture (noisy = speech + noise).
        noise: noise as it is in the mixture.
        lengths: samples of each utterance; None: no padding.
        sample_rate: in Hz.

    Shape:
        signals `(batch, samples)`, float; lengths `(batch,)`, int64.
    """

    noisy: Tensor
    clean: Tensor | None = None
    speech: Tensor | None = None
    noise: Tensor | None = None
    lengths: Tensor | None = None
    sample_rate: int = 16000
    _kept: dict[Any, Any] = dataclasses.field(default_factory=dict, init=False, repr=False)

    @property
    def samples(self) -> int:
        """Length of the padded signals."""
        return self.noisy.shape[-1]

    def __len__(self) -> int:
        return self.noisy.shape[0]

    def rows(self, start: int, stop: int) -> Batch:
        """A batch of the utterances from `start` up to `stop`."""
        tensors = {name: getattr(self, name) for name in ("noisy", "clean", "speech", "noise", "lengths")}
        parts = {name: tensor[start:stop] for name, tensor in tensors.items() if tensor is not None}
        return Batch(**parts, sample_rate=self.sample_rate)

    def keep(self, key: Any, compute: Callable[[], Value]) -> Value:
        """The value kept under `key`, computed the first time."""
        if key not in self._kept:
            self._kept[key] = compute()
        value: Value = self._kept[key]
        return value

    @property
    def padded(self) -> bool:
        """Whether any utterance is shorter than the batch."""
        lengths = self.lengths
        return lengths is not None and self.keep("padded", lambda: bool((lengths < self.samples).any()))

    def signal(self, name: str) -> Tensor:
        """A signal by name, float32, zero beyond each utterance's length.

        Shape:
            returns `(batch, samples)`.

        Raises:
            ValueError: the batch has no such signal.
        """
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"the batch has no signal {name!r}: the corpus or the mixing does not give it")
        return self.keep(("signal", name), lambda: self.mask(value.float()))

    def heard(self, sample_rate: int) -> Tensor:
        """The noisy signal as it is at another rate, for a model that hears at that one: band-limited by `resampled`.

        Shape:
            returns `(batch, ceil(samples * sample_rate / self.sample_rate))`, float32, zero beyond each utterance.
        """

        def compute() -> Tensor:
            signal = resampled(self.signal("noisy"), self.sample_rate, sample_rate)
            if not self.padded:
                return signal
            position = torch.arange(signal.shape[-1], device=signal.device) * self.sample_rate
            return signal * (position < self.true_lengths()[:, None] * sample_rate)

        return self.keep(("heard", sample_rate), compute)

    def mask(self, signal: Tensor) -> Tensor:
        """`signal` with zeros beyond each utterance's length.

        Shape:
            signal `(batch, samples)`; returns the same.
        """
        return signal * self.sample_mask() if self.padded else signal

    def true_lengths(self) -> Tensor:
        """Samples of each utterance, also where `lengths` is None.

        Shape:
            returns `(batch,)`, int64.
        """
        if self.lengths is not None:
            return self.lengths
        return self.keep("lengths", lambda: self.noisy.new_full((len(self),), self.samples, dtype=torch.int64))

    def sample_mask(self) -> Tensor:
        """One on the samples of each utterance, zero beyond.

        Shape:
            returns `(batch, samples)`, float32.
        """

        def compute() -> Tensor:
            position = torch.arange(self.samples, device=self.noisy.device)
            return (position < self.true_lengths()[:, None]).float()

        return self.keep("sample_mask", compute)

    def frame_mask(self, stft: Stft) -> Tensor:
        """One on the frames that cover samples of the utterance, zero beyond.

        Shape:
            returns `(batch, frames)`, float32.
        """

        def compute() -> Tensor:
            position = torch.arange(stft.frames(self.samples), device=self.noisy.device)
            return (position < stft.frame_lengths(self.true_lengths())[:, None]).float()

        return self.keep(("frame_mask", stft.key), compute)

    def spectrum(self, signal: str, stft: Stft) -> Tensor:
        """Spectrum of a signal.

        Shape:
            returns complex64 `(batch, bins, frames)`.
        """
        spectrum: Tensor = self.keep(("spectrum", signal, stft.key), lambda: stft(self.signal(signal)))
        return spectrum

    def magnitude(self, signal: str, stft: Stft) -> Tensor:
        """Magnitude of `spectrum`.

        Shape:
            returns float32 `(batch, bins, frames)`.
        """
        return self.keep(("magnitude", signal, stft.key), lambda: self.spectrum(signal, stft).abs())

    def rms(self, signal: str) -> Tensor:
        """Root mean square of a signal over each utterance's samples.

        Shape:
            returns `(batch,)`.
        """

        def compute() -> Tensor:
            return (self.signal(signal).square().sum(-1) / self.true_lengths()).sqrt()

        return self.keep(("rms", signal), compute)

    def mean_over_samples(self, values: Tensor) -> Tensor:
        """Mean over each utterance's samples.

        Shape:
            values `(batch, samples)`; returns `(batch,)`.
        """
        return self.mask(values).sum(-1) / self.true_lengths()

    def mean_over_frames(self, values: Tensor, stft: Stft) -> Tensor:
        """Mean over all bins and each utterance's frames.

        Shape:
            values `(batch, bins, frames)`, real; returns `(batch,)`.
        """
        per_frame = values.mean(1)
        if not self.padded:
            return per_frame.mean(-1)
        valid = self.frame_mask(stft)
        return (per_frame * valid).sum(-1) / valid.sum(-1)

    def to(self, device: torch.device | str) -> Batch:
        """A copy on another device."""

        def move(value: Any) -> Any:
            return value.to(device) if isinstance(value, Tensor) else value

        return Batch(**{f.name: move(getattr(self, f.name)) for f in dataclasses.fields(self) if f.init})

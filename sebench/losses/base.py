"""What a loss sees: the signals of a batch, the views of an estimate, and the interface of a loss.

Signals beyond an utterance's length are taken as zero before every transform, so that what lies in the padding never
matters. Spectra, magnitudes and masks are computed once per batch and kept, however many losses ask for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sebench.signal.stft import Stft

#: Transform for an estimate whose model has none, where the loss brings none either: (window_length, hop).
FALLBACK_STFT = (256, 128)


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

    def keep(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The value kept under `key`, computed the first time."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

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
        return self.keep(("spectrum", signal, stft.key), lambda: stft(self.signal(signal)))

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


class Estimate:
    """What a model made of a batch, under the views that a loss may ask for.

    At least one of the views is given; `spectrum` follows from `gain` or `mask` and the noisy spectrum, or from
    `waveform`; `waveform` follows from `spectrum`. `gain` and `mask` follow from nothing: a model gives them or not.

    Args:
        batch: the input.
        stft: the model's transform; None for a model without one.
        waveform: `(batch, samples)`.
        spectrum: complex `(batch, bins, frames)`.
        gain: real `(batch, bins, frames)`, to be multiplied with the noisy spectrum.
        mask: complex `(batch, bins, frames)`, to be multiplied with the noisy spectrum.

    Real views are cast to float32.
    """

    def __init__(
        self,
        batch: Batch,
        stft: Stft | None = None,
        *,
        waveform: Tensor | None = None,
        spectrum: Tensor | None = None,
        gain: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        if all(view is None for view in (waveform, spectrum, gain, mask)):
            raise ValueError("an estimate needs at least one of waveform, spectrum, gain, mask")
        if stft is None and waveform is None:
            raise ValueError("an estimate without a waveform needs the transform that its spectrum belongs to")
        self.batch = batch
        self._own_stft = stft
        self._given = {"waveform": waveform, "spectrum": spectrum, "gain": gain, "mask": mask}
        self._kept: dict[Any, Tensor] = {}

    def _keep(self, key: Any, compute: Callable[[], Tensor]) -> Tensor:
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

    @property
    def stft(self) -> Stft:
        """The model's transform, or sqrt-Hann `FALLBACK_STFT` for a model without one."""
        if self._own_stft is None:
            self._own_stft = Stft(*FALLBACK_STFT).to(self.batch.noisy.device)
        return self._own_stft

    def _view(self, name: str) -> Tensor:
        value = self._given[name]
        if value is None:
            given = ", ".join(k for k, v in self._given.items() if v is not None)
            raise ValueError(f"the model gives no view {name!r}; it gives {given}, and waveform and spectrum from that")
        return value

    @property
    def waveform(self) -> Tensor:
        """Enhanced signal.

        Shape:
            returns float32 `(batch, samples)`.
        """
        if self._given["waveform"] is not None:
            return self._given["waveform"].float()
        return self._keep("waveform", lambda: self.stft.inverse(self.spectrum, self.batch.samples))

    @property
    def spectrum(self) -> Tensor:
        """Enhanced spectrum in the model's own transform, not passed through a synthesis.

        Shape:
            returns complex64 `(batch, bins, frames)`.
        """

        def compute() -> Tensor:
            if self._given["spectrum"] is not None:
                return self._given["spectrum"].to(torch.complex64)
            for name in ("mask", "gain"):
                if self._given[name] is not None:
                    return getattr(self, name) * self.batch.spectrum("noisy", self.stft)
            return self.stft(self.batch.mask(self.waveform))

        return self._keep("spectrum", compute)

    @property
    def gain(self) -> Tensor:
        """Real gain on the noisy spectrum.

        Shape:
            returns float32 `(batch, bins, frames)`.

        Raises:
            ValueError: the model gives none.
        """
        return self._view("gain").float()

    @property
    def mask(self) -> Tensor:
        """Complex mask on the noisy spectrum.

        Shape:
            returns complex64 `(batch, bins, frames)`.

        Raises:
            ValueError: the model gives none.
        """
        return self._view("mask").to(torch.complex64)

    def spectrum_in(self, stft: Stft | None) -> Tensor:
        """Spectrum in a loss's own transform; `spectrum` where that is None or the model's.

        Shape:
            returns complex64 `(batch, bins, frames)`.
        """
        if stft is None or stft.key == self.stft.key:
            return self.spectrum
        return self._keep(("spectrum", stft.key), lambda: stft(self.batch.mask(self.waveform)))

    def magnitude_in(self, stft: Stft | None) -> Tensor:
        """Magnitude of `spectrum_in`; for a gain that is not negative, without the detour over complex numbers.

        Shape:
            returns float32 `(batch, bins, frames)`.
        """

        def compute() -> Tensor:
            own = stft is None or stft.key == self.stft.key
            others = (self._given[name] for name in ("waveform", "spectrum", "mask"))
            if own and self._given["gain"] is not None and all(view is None for view in others):
                return self.gain.abs() * self.batch.magnitude("noisy", self.stft)
            return self.spectrum_in(stft).abs()

        return self._keep(("magnitude", None if stft is None else stft.key), compute)


class Loss(nn.Module):
    """One value per utterance.

    Class attributes (literals: the planner reads them from the source text, for the default parameters):
        name, version: identity.
        needs_views: views of the estimate that the loss asks for.
        needs_signals: signals of the batch that it asks for.
        phase_blind: whether the phase of the estimate can be anything.
        optimum: where it is smallest: "target" (estimate = target), "any_scale" (any positive multiple of it), "gain"
            (a gain between 0 and 1: 1 where there is no noise, 0 where there is no speech), "none".
        invariances: "level" (estimate and signals times the same factor), "estimate_scale", "polarity" (estimate
            times -1).
        equation, source: what is computed, and where it is from.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    needs_views: tuple[str, ...] = ()
    needs_signals: tuple[str, ...] = ()
    phase_blind: bool = False
    optimum: str = "none"
    invariances: tuple[str, ...] = ()
    equation: str = ""
    source: str = ""

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """The loss.

        Shape:
            returns float32 `(batch,)`.
        """
        raise NotImplementedError

    def terms(self, estimate: Estimate, batch: Batch) -> dict[str, Tensor]:
        """The parts of the loss by name, unweighted, for the history; each `(batch,)`."""
        return self.forward_with_terms(estimate, batch)[1]

    def forward_with_terms(self, estimate: Estimate, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """`forward` and `terms` for the price of one."""
        value = self(estimate, batch)
        return value, {self.name or type(self).__name__: value}


def own_stft(window_length: int | None, hop: int | None, n_fft: int | None) -> Stft | None:
    """A loss's own transform from its parameters; None (the model's) where there is no window length."""
    if window_length is None:
        if hop is not None or n_fft is not None:
            raise ValueError("hop and n_fft are for a loss with its own transform: give window_length too")
        return None
    return Stft(window_length, hop or window_length // 2, n_fft)

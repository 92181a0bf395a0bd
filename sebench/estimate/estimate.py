"""The views of what a model made of a batch. They are computed once and kept, however many losses ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sebench.estimate.batch import Batch
from sebench.signal.stft import Stft

#: Transform for an estimate whose model has none, where the loss brings none either: (window_length, hop).
FALLBACK_STFT = (256, 128)


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
                    factor: Tensor = getattr(self, name)
                    return factor * self.batch.spectrum("noisy", self.stft)
            spectrum: Tensor = self.stft(self.batch.mask(self.waveform))
            return spectrum

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

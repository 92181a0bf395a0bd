"""Errors in relation to the target's power, and correlations: losses that do not change with the level."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor

from sebench.losses.base import Batch, Estimate
from sebench.losses.spectral import SpectralLoss, squared

#: Power that counts as none.
NO_POWER = 1e-30
#: Least power in a correlation's denominator, as a part of the noisy signal's: it bounds the gradient at zero output.
LEAST_POWER = 1e-10


class _Ratio(SpectralLoss):
    """Common part of the two ratios.

    Args:
        floor: part of the noisy signal's power that is added to error and target: 1e-10 bounds the value at -10.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        floor: Annotated[float, Gt(0)] = 1e-10,
        bins: Literal["inner", "all"] = "inner",
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__(bins=bins, window_length=window_length, hop=hop, n_fft=n_fft)
        self.floor = floor

    def ratio(self, error: Tensor, estimate: Estimate, batch: Batch) -> Tensor:
        """log10 of the mean error over the target's mean power.

        Shape:
            error `(batch, bins, frames)`; returns `(batch,)`.
        """
        stft = self.transform(estimate)
        powers = (batch.magnitude(name, stft)[:, self._bins].square() for name in ("clean", "noisy"))
        target, noisy = (self.mean(power, estimate, batch) for power in powers)
        least = self.floor * noisy + NO_POWER
        return ((self.mean(error, estimate, batch) + least) / (target + least)).log10()


class NegSnr(_Ratio):
    """Negative signal-to-noise ratio of magnitudes: -log10(<|S|^2> / <(|S^| - |S|)^2>), equation (13).

    Args:
        floor: part of the noisy signal's power that is added to error and target: 1e-10 bounds the value at -10.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "neg_snr"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    phase_blind = True
    optimum = "target"
    invariances = ("level", "polarity")
    equation = "-log10(mean |S|^2 / mean (|S^| - |S|)^2)"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (13)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.magnitudes(estimate, batch)
        return self.ratio((output - target).square(), estimate, batch)


class NegSdr(_Ratio):
    """Negative signal-to-distortion ratio of complex spectra: -log10(<|S|^2> / <|S^ - S|^2>), equation (14).

    It changes with the scale of the estimate, unlike SI-SDR.

    Args:
        floor: part of the noisy signal's power that is added to error and target: 1e-10 bounds the value at -10.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "neg_sdr"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    optimum = "target"
    invariances = ("level",)
    equation = "-log10(mean |S|^2 / mean |S^ - S|^2)"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (14)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.spectra(estimate, batch)
        return self.ratio(squared(output - target), estimate, batch)


class _Correlation(SpectralLoss):
    """Common part of the two correlations."""

    def least_power(self, estimate: Estimate, batch: Batch) -> Tensor:
        """What a denominator is at least.

        Shape:
            returns `(batch,)`.
        """
        noisy = batch.magnitude("noisy", self.transform(estimate))[:, self._bins]
        return (LEAST_POWER * self.mean(noisy.square(), estimate, batch)).clamp_min(NO_POWER)


class NegMagnitudeCorrelation(_Correlation):
    """Negative squared correlation of magnitudes: -<|S^||S|>^2 / (<|S^|^2><|S|^2>), equation (15).

    Args:
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "neg_mag_corr"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    phase_blind = True
    optimum = "any_scale"
    invariances = ("level", "estimate_scale", "polarity")
    equation = "-(mean |S^||S|)^2 / (mean |S^|^2 mean |S|^2)"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (15)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.magnitudes(estimate, batch)
        product = self.mean(output * target, estimate, batch)
        powers = (self.mean(value.square(), estimate, batch) for value in (output, target))
        least = self.least_power(estimate, batch)
        output_power, target_power = (torch.maximum(power, least) for power in powers)
        return -(product / output_power) * (product / target_power)


class NegComplexCorrelation(_Correlation):
    """Negative correlation of complex spectra: -Re<S^ S*> / sqrt(<|S^|^2><|S|^2>), equation (16).

    Damaged in print, where the root and the real part are hard to make out. There is one reading: without the root the
    range would not be the [-1, 1] that the text gives.

    Args:
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "neg_complex_corr"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    optimum = "any_scale"
    invariances = ("level", "estimate_scale")
    equation = "-Re(mean S^ S*) / sqrt(mean |S^|^2 mean |S|^2)"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (16)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.spectra(estimate, batch)
        product = self.mean((torch.view_as_real(output) * torch.view_as_real(target)).sum(-1), estimate, batch)
        powers = (self.mean(squared(value), estimate, batch) for value in (output, target))
        least = self.least_power(estimate, batch)
        output_rms, target_rms = (torch.maximum(power, least).sqrt() for power in powers)
        return -product / output_rms / target_rms

"""Squared errors of spectra whose magnitudes are compressed by a power."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor

from sebench.losses.base import Batch, Estimate
from sebench.losses.spectral import SpectralLoss, floor_magnitude, squared


class _Compressed(SpectralLoss):
    """Common part: |z|^c, which is linear below a floor, where its slope would have no bound.

    Args:
        exponent: c.
        floor: magnitude below which it is linear, as a factor on that of white noise at the noisy signal's level.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        exponent: Annotated[float, Gt(0)] = 0.3,
        floor: Annotated[float, Gt(0)] = 1e-4,
        bins: Literal["inner", "all"] = "inner",
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__(bins=bins, window_length=window_length, hop=hop, n_fft=n_fft)
        self.exponent, self.floor = exponent, floor

    def factors(self, estimate: Estimate, batch: Batch) -> tuple[Tensor, Tensor]:
        """max(|z|, floor)^(c - 1) of estimate and target: what compresses a spectrum by multiplication.

        Shape:
            returns two real `(batch, bins, frames)`.
        """
        least = floor_magnitude(batch, self.transform(estimate), self.floor)
        output, target = (torch.maximum(value, least) for value in self.magnitudes(estimate, batch))
        return output.pow(self.exponent - 1.0), target.pow(self.exponent - 1.0)


class MagnitudeCompressed(_Compressed):
    """Mean squared error of compressed magnitudes: <(|S^|^c - |S|^c)^2>, equation (11) of Braun & Tashev.

    Args:
        exponent: c.
        floor: magnitude below which it is linear, as a factor on that of white noise at the noisy signal's level.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "mag_comp"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    phase_blind = True
    optimum = "target"
    invariances = ("polarity",)
    equation = "mean_{k,t} (|S^|^c - |S|^c)^2"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (11)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.magnitudes(estimate, batch)
        of_output, of_target = self.factors(estimate, batch)
        return self.mean((of_output * output - of_target * target).square(), estimate, batch)


class ComplexCompressed(_Compressed):
    """Mean squared error of spectra with compressed magnitudes and their phases: equation (12) of Braun & Tashev.

    Args:
        exponent: c.
        floor: magnitude below which it is linear, as a factor on that of white noise at the noisy signal's level.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "complex_comp"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    optimum = "target"
    equation = "mean_{k,t} ||S^|^c exp(j arg S^) - |S|^c exp(j arg S)|^2"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (12)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.spectra(estimate, batch)
        of_output, of_target = self.factors(estimate, batch)
        return self.mean(squared(of_output * output - of_target * target), estimate, batch)

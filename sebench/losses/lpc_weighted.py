"""Squared errors weighted as speech codecs weigh theirs: more where the speech spectrum is weak."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from torch import Tensor

from sebench.losses.base import Batch, Estimate
from sebench.losses.spectral import SpectralLoss, squared
from sebench.signal.lpc import perceptual_weight


class _AmrWeighted(SpectralLoss):
    """Common part: the weight |A(z/gamma1) / A(z/gamma2)|^2 of each frame of the target.

    Args:
        order: of the linear prediction.
        gamma1, gamma2: bandwidth expansion of numerator and denominator.
        correction: part of a frame's power that is added to its lag 0.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        order: Annotated[int, Ge(1)] = 16,
        gamma1: Annotated[float, Gt(0), Le(1)] = 0.92,
        gamma2: Annotated[float, Gt(0), Le(1)] = 0.6,
        correction: Annotated[float, Ge(0)] = 1e-6,
        bins: Literal["inner", "all"] = "inner",
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__(bins=bins, window_length=window_length, hop=hop, n_fft=n_fft)
        self.order, self.gamma1, self.gamma2, self.correction = order, gamma1, gamma2, correction

    def weight(self, estimate: Estimate, batch: Batch) -> Tensor:
        """W_AMR of the target, computed once a batch.

        Shape:
            returns `(batch, bins, frames)`.
        """
        stft = self.transform(estimate)
        settings = (self.order, self.gamma1, self.gamma2, self.correction)

        def compute() -> Tensor:
            return perceptual_weight(batch.signal("clean"), stft, *settings)

        return batch.keep(("perceptual_weight", stft.key, settings), compute)[:, self._bins]


class MagnitudeMseAmr(_AmrWeighted):
    """Mean squared error of magnitudes with the AMR codec's weighting: <W (|S^| - |S|)^2>, equation (18).

    The weighting filter is that of Zhao, Elshamy & Fingscheidt (arXiv 1905.09754), on the frames of this transform. It
    multiplies the error's spectrum, so its squared magnitude multiplies the squared error.

    Args:
        order: of the linear prediction.
        gamma1, gamma2: bandwidth expansion of numerator and denominator.
        correction: part of a frame's power that is added to its lag 0.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "mag_mse_amr"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean",)
    phase_blind = True
    optimum = "target"
    invariances = ("polarity",)
    equation = "mean_{k,t} W (|S^| - |S|)^2, W = |A(z/gamma1) / A(z/gamma2)|^2"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (18); weight: arXiv 1905.09754"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.magnitudes(estimate, batch)
        return self.mean(self.weight(estimate, batch) * (output - target).square(), estimate, batch)


class ComplexMseAmr(_AmrWeighted):
    """Mean squared error of complex spectra with the AMR codec's weighting: <W |S^ - S|^2>, equation (19).

    The weighting filter is that of Zhao, Elshamy & Fingscheidt (arXiv 1905.09754), on the frames of this transform. It
    multiplies the error's spectrum, so its squared magnitude multiplies the squared error.

    Args:
        order: of the linear prediction.
        gamma1, gamma2: bandwidth expansion of numerator and denominator.
        correction: part of a frame's power that is added to its lag 0.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "complex_mse_amr"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean",)
    optimum = "target"
    equation = "mean_{k,t} W |S^ - S|^2, W = |A(z/gamma1) / A(z/gamma2)|^2"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (19); weight: arXiv 1905.09754"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.spectra(estimate, batch)
        return self.mean(self.weight(estimate, batch) * squared(output - target), estimate, batch)

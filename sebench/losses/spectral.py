"""Linear distances of spectra: squared and absolute errors, on magnitudes and on complex values.

Here too is what all losses on one spectrum have in common: their transform, their bins, and the level that floors are
relative to.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from sebench.losses.base import Batch, Estimate, Loss, own_stft
from sebench.signal.stft import Stft

#: Smallest RMS that signals are divided by (-80 dB re full scale): below it an utterance counts as silent.
SILENCE = 1e-4
#: Least magnitude that a floor may be, for signals that are all zeros.
TINY = 1e-10


def scale_rms(batch: Batch, target: str, floor: float) -> Tensor:
    """The RMS that signals are divided by: the target's, and at least `floor` times that of the noisy signal.

    Without the floor a training segment that falls into a pause of the speech outweighs all others: dividing by a
    target that is hardly there makes its noise arbitrarily large (seen: a mean loss of 3,800 where 40 is usual).

    Shape:
        returns `(batch,)`.
    """
    return torch.maximum(batch.rms(target), floor * batch.rms("noisy")).clamp_min(SILENCE)


def floor_magnitude(batch: Batch, stft: Stft, floor: float) -> Tensor:
    """`floor` times the magnitude that white noise of the noisy signal's level has in this transform.

    Shape:
        returns `(batch, 1, 1)`.
    """
    energy = stft.analysis.square().sum()
    return (floor * batch.rms("noisy") * energy.sqrt()).clamp_min(TINY)[:, None, None]


def bins_of(choice: str) -> slice:
    """The bins that a choice stands for: "inner" leaves out the lowest and the highest one, "all" does not."""
    return slice(1, -1) if choice == "inner" else slice(None)


class SpectralLoss(Loss):
    """A loss on one transform and a choice of bins.

    Args:
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        bins: Literal["inner", "all"] = "inner",
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__()
        self._bins = bins_of(bins)
        self.stft = own_stft(window_length, hop, n_fft)

    def transform(self, estimate: Estimate) -> Stft:
        """The loss's own transform, or the model's."""
        return self.stft or estimate.stft

    def magnitudes(self, estimate: Estimate, batch: Batch) -> tuple[Tensor, Tensor]:
        """Magnitudes of estimate and target in the chosen bins.

        Shape:
            returns two real `(batch, bins, frames)`.
        """
        target = batch.magnitude("clean", self.transform(estimate))
        return estimate.magnitude_in(self.stft)[:, self._bins], target[:, self._bins]

    def spectra(self, estimate: Estimate, batch: Batch) -> tuple[Tensor, Tensor]:
        """Complex spectra of estimate and target in the chosen bins.

        Shape:
            returns two complex `(batch, bins, frames)`.
        """
        target = batch.spectrum("clean", self.transform(estimate))
        return estimate.spectrum_in(self.stft)[:, self._bins], target[:, self._bins]

    def mean(self, values: Tensor, estimate: Estimate, batch: Batch) -> Tensor:
        """Mean over the chosen bins and each utterance's frames.

        Shape:
            values `(batch, bins, frames)`; returns `(batch,)`.
        """
        return batch.mean_over_frames(values, self.transform(estimate))


def squared(values: Tensor) -> Tensor:
    """|z|^2 of complex values, with a gradient of zero at zero."""
    return torch.view_as_real(values).square().sum(-1)


class _SquaredError(SpectralLoss):
    """Common part of the two squared errors: a scale, which is none in the papers' equations.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's; 0.3 is a target at -10 dB SNR.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        scale: Literal["target_rms", "none"] = "target_rms",
        floor: Annotated[float, Ge(0)] = 0.3,
        bins: Literal["inner", "all"] = "all",
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__(bins=bins, window_length=window_length, hop=hop, n_fft=n_fft)
        self.scale, self.floor = scale, floor
        if scale == "none":
            self.invariances = tuple(name for name in self.invariances if name != "level")

    def scaled(self, error: Tensor, batch: Batch) -> Tensor:
        """The mean squared error `(batch,)` of signals at their own level, as that of the scaled ones."""
        return error if self.scale == "none" else error / scale_rms(batch, "clean", self.floor).square()


class MagnitudeMse(_SquaredError):
    """Mean squared error of magnitude spectra.

    <(|S^| - |S|)^2>, mean over bins and valid frames of an unnormalised STFT: with `scale: none` and `bins: inner`
    equation (3) of Braun & Tashev, arXiv 2009.12286. It is also the "MSE" of a two-stage page that names it "frequency
    domain loss". Reconstruction: magnitudes for models that give a real gain; both signals are divided by the target's
    RMS, without which the factor 0.02 of a sum with SI-SNR has no meaning.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's; 0.3 is a target at -10 dB SNR.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "mag_mse"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    phase_blind = True
    optimum = "target"
    invariances = ("level", "polarity")
    equation = "mean_{k,t} (|S^(k,t)| - |S(k,t)|)^2 / rms(s)^2; scale none: without the division"
    source = "two-stage low-complexity page, 'MSE', reconstruction; Braun & Tashev, arXiv 2009.12286, eq. (3)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.magnitudes(estimate, batch)
        return self.scaled(self.mean((output - target).square(), estimate, batch), batch)


class ComplexMse(_SquaredError):
    """Mean squared error of complex spectra.

    <|S^ - S|^2>, mean over bins and valid frames of an unnormalised STFT: with `scale: none` and `bins: inner`
    equation (4) of Braun & Tashev, arXiv 2009.12286. It is also the "MSE" of a two-stage page that names it "frequency
    domain loss". Reconstruction: complex values for models that give a complex mask, because the error of magnitudes
    leaves the mask's phase free; both signals are divided by the target's RMS, without which the factor 0.02 of a sum
    with SI-SNR has no meaning.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's; 0.3 is a target at -10 dB SNR.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "complex_mse"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    optimum = "target"
    invariances = ("level",)
    equation = "mean_{k,t} |S^(k,t) - S(k,t)|^2 / rms(s)^2; scale none: without the division"
    source = "two-stage low-complexity page, 'MSE', reconstruction; Braun & Tashev, arXiv 2009.12286, eq. (4)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.spectra(estimate, batch)
        return self.scaled(self.mean(squared(output - target), estimate, batch), batch)


class MagnitudeMae(SpectralLoss):
    """Mean absolute error of magnitude spectra: <| |S^| - |S| |>, equation (5) of Braun & Tashev.

    Args:
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "mag_mae"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean",)
    phase_blind = True
    optimum = "target"
    invariances = ("polarity",)
    equation = "mean_{k,t} ||S^(k,t)| - |S(k,t)||"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (5)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.magnitudes(estimate, batch)
        return self.mean((output - target).abs(), estimate, batch)


class ComplexMae(SpectralLoss):
    """Mean absolute error of real and imaginary parts: <|Re(S^ - S)| + |Im(S^ - S)|>, equation (6) of Braun & Tashev.

    Args:
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "complex_mae"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean",)
    optimum = "target"
    equation = "mean_{k,t} |Re(S^ - S)| + |Im(S^ - S)|"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (6); the RI loss of its reference 21"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = self.spectra(estimate, batch)
        return self.mean(torch.view_as_real(output - target).abs().sum(-1), estimate, batch)

"""Mean squared errors of spectra: on magnitudes, for models that keep the noisy phase, and on complex values."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from sebench.losses.base import Batch, Estimate, Loss, own_stft

#: Smallest RMS that signals are divided by (-80 dB re full scale): below it an utterance counts as silent.
SILENCE = 1e-4


def scale_rms(batch: Batch, target: str, floor: float) -> Tensor:
    """The RMS that signals are divided by: the target's, and at least `floor` times that of the noisy signal.

    Without the floor a training segment that falls into a pause of the speech outweighs all others: dividing by a
    target that is hardly there makes its noise arbitrarily large (seen: a mean loss of 3,800 where 40 is usual).

    Shape:
        returns `(batch,)`.
    """
    return torch.maximum(batch.rms(target), floor * batch.rms("noisy")).clamp_min(SILENCE)


class _SpectralError(Loss):
    """Common part of the two: transform and scale.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's; 0.3 is a target at -10 dB SNR.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        scale: Literal["target_rms", "none"] = "target_rms",
        floor: Annotated[float, Ge(0)] = 0.3,
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__()
        self.scale, self.floor = scale, floor
        self.stft = own_stft(window_length, hop, n_fft)

    def scaled(self, error: Tensor, batch: Batch) -> Tensor:
        """The mean squared error `(batch,)` of signals at their own level, as that of the scaled ones."""
        return error if self.scale == "none" else error / scale_rms(batch, "clean", self.floor).square()


class MagnitudeMse(_SpectralError):
    """Mean squared error of magnitude spectra.

    <(|S^| - |S|)^2>, mean over bins and valid frames of an unnormalised STFT. The "MSE" of a two-stage page that names
    it "frequency domain loss". Reconstruction: magnitudes for models that give a real gain; both signals are divided
    by the target's RMS, without which the factor 0.02 of a sum with SI-SNR has no meaning.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's; 0.3 is a target at -10 dB SNR.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "mag_mse"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    phase_blind = True
    optimum = "target"
    invariances = ("level", "polarity")
    equation = "mean_{k,t} (|S^(k,t)| - |S(k,t)|)^2 / rms(s)^2"
    source = "two-stage low-complexity page, 'MSE'; reconstruction"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        stft = self.stft or estimate.stft
        error = estimate.magnitude_in(self.stft) - batch.magnitude("clean", stft)
        return self.scaled(batch.mean_over_frames(error.square(), stft), batch)


class ComplexMse(_SpectralError):
    """Mean squared error of complex spectra.

    <|S^ - S|^2>, mean over bins and valid frames of an unnormalised STFT. The "MSE" of a two-stage page that names it
    "frequency domain loss". Reconstruction: complex values for models that give a complex mask, because the error of
    magnitudes leaves the mask's phase free; both signals are divided by the target's RMS, without which the factor
    0.02 of a sum with SI-SNR has no meaning.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's; 0.3 is a target at -10 dB SNR.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "complex_mse"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    phase_blind = False
    optimum = "target"
    invariances = ("level",)
    equation = "mean_{k,t} |S^(k,t) - S(k,t)|^2 / rms(s)^2"
    source = "two-stage low-complexity page, 'MSE'; reconstruction"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        stft = self.stft or estimate.stft
        error = estimate.spectrum_in(self.stft) - batch.spectrum("clean", stft)
        power = torch.view_as_real(error).square().sum(-1)
        return self.scaled(batch.mean_over_frames(power, stft), batch)

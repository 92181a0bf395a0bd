"""Mean squared errors of spectra: on magnitudes, for models that keep the noisy phase, and on complex values."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sebench.losses.base import Batch, Estimate, Loss, own_stft

#: Smallest RMS that a target is divided by (-80 dB re full scale): below it an utterance counts as silent.
SILENCE = 1e-4


def target_scale(batch: Batch, scale: str) -> Tensor | float:
    """Factor on both signals that brings the target to RMS 1 (`scale="target_rms"`), or 1 (`"none"`).

    Shape:
        returns `(batch,)` or a number.
    """
    return 1.0 / batch.rms("clean").clamp_min(SILENCE) if scale == "target_rms" else 1.0


class _SpectralError(Loss):
    """Common part of the two: transform and scale.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        scale: Literal["target_rms", "none"] = "target_rms",
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.stft = own_stft(window_length, hop, n_fft)


class MagnitudeMse(_SpectralError):
    """Mean squared error of magnitude spectra.

    <(|S^| - |S|)^2>, mean over bins and valid frames of an unnormalised STFT. The "MSE" of a two-stage page that names
    it "frequency domain loss". Reconstruction: magnitudes for models that give a real gain; both signals are divided
    by the target's RMS, without which the factor 0.02 of a sum with SI-SNR has no meaning.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "mag_mse"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean",)
    phase_blind = True
    optimum = "target"
    invariances = ("level", "polarity")
    equation = "mean_{k,t} (|S^(k,t)| - |S(k,t)|)^2 / rms(s)^2"
    source = "two-stage low-complexity page, 'MSE'; reconstruction"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        stft = self.stft or estimate.stft
        error = estimate.magnitude_in(self.stft) - batch.magnitude("clean", stft)
        return batch.mean_over_frames(error.square(), stft) * target_scale(batch, self.scale) ** 2


class ComplexMse(_SpectralError):
    """Mean squared error of complex spectra.

    <|S^ - S|^2>, mean over bins and valid frames of an unnormalised STFT. The "MSE" of a two-stage page that names it
    "frequency domain loss". Reconstruction: complex values for models that give a complex mask, because the error of
    magnitudes leaves the mask's phase free; both signals are divided by the target's RMS, without which the factor
    0.02 of a sum with SI-SNR has no meaning.

    Args:
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "complex_mse"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean",)
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
        return batch.mean_over_frames(power, stft) * target_scale(batch, self.scale) ** 2

"""Linear prediction of frames, and the perceptual weighting filter of speech codecs made from it."""

from __future__ import annotations

import torch
from torch import Tensor

from sebench.signal.stft import Stft

#: Added to the power of every frame, so that silence predicts nothing: the weight of a silent frame is 1.
SILENT_POWER = 1e-12


def levinson_durbin(autocorrelation: Tensor) -> Tensor:
    """Prediction-error filters of many signals at once.

    Args:
        autocorrelation: lags 0..order, the first positive.

    Shape:
        autocorrelation `(..., order + 1)`; returns `(..., order + 1)`, the first coefficient 1.
    """
    order = autocorrelation.shape[-1] - 1
    filters = torch.zeros_like(autocorrelation)
    filters[..., 0] = 1.0
    error = autocorrelation[..., 0].clone()
    for step in range(1, order + 1):
        correlation = (filters[..., :step] * autocorrelation[..., 1 : step + 1].flip(-1)).sum(-1)
        reflection = -correlation / error
        filters[..., 1 : step + 1] += reflection[..., None] * filters[..., :step].flip(-1)
        error = error * (1.0 - reflection.square())
    return filters


@torch.no_grad()
def perceptual_weight(
    signal: Tensor, stft: Stft, order: int, gamma1: float, gamma2: float, correction: float
) -> Tensor:
    """|A(z/gamma1) / A(z/gamma2)|^2 on the frames and bins of a transform; A predicts each windowed frame.

    Args:
        correction: part of a frame's power that is added to its lag 0.

    Shape:
        signal `(batch, samples)`; returns float32 `(batch, bins, frames)`.
    """
    # twice the length: the circular autocorrelation of the padded frame is the linear one of the frame
    padded = Stft(stft.window_length, stft.hop, 2 * stft.window_length, stft.window).to(signal.device)
    power = padded(signal).transpose(1, 2).abs().double().square()
    lags = torch.fft.irfft(power)[..., : order + 1]
    lags[..., 0] = lags[..., 0] * (1.0 + correction) + SILENT_POWER
    filters = levinson_durbin(lags)
    exponents = torch.arange(order + 1, device=signal.device, dtype=torch.float64)

    def response(gamma: float) -> Tensor:
        power: Tensor = torch.fft.rfft(filters * gamma**exponents, n=stft.n_fft).abs().square()
        return power

    return (response(gamma1) / response(gamma2)).transpose(1, 2).float()

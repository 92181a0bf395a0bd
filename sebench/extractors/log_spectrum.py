"""Features without a network: the logarithm of the power spectrum."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from sebench.extractors.base import Extractor


class LogSpectrum(Extractor):
    """log(|X|^2 + floor) of a Hann-windowed STFT, a channel for each bin; not centred.

    Args:
        n_fft: window and FFT in samples.
        hop: in samples.
        floor: of the power, so that silence has finite features and gradients.
    """

    name = "log_spectrum"
    source = "short-time Fourier transform"
    requires = ("hop <= n_fft",)

    def __init__(
        self,
        *,
        n_fft: Annotated[int, Ge(2)] = 512,
        hop: Annotated[int, Ge(1)] = 256,
        floor: Annotated[float, Gt(0)] = 1e-8,
    ) -> None:
        super().__init__()
        self.n_fft, self.hop, self.floor = n_fft, hop, floor

    def forward(self, waveform: Tensor) -> Tensor:
        """See `Extractor.forward`; shorter signals than a window are padded by zeros."""
        waveform = torch.nn.functional.pad(waveform, (0, max(0, self.n_fft - waveform.shape[-1])))
        window = torch.hann_window(self.n_fft, device=waveform.device)
        spectrum = torch.stft(waveform, self.n_fft, self.hop, window=window, center=False, return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square() + self.floor).log()

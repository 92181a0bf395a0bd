"""A discriminator of complex spectra."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from sebench.discriminators.base import Discriminator, Judgement


class StftDiscriminator(Discriminator):
    """Convolutions over the complex spectra of several resolutions, real and imaginary part as two channels.

    Of each resolution: a convolution of 3 frames by 9 bins, three of them with stride 2 over frequency and dilations
    1, 2, 4 over time, one of 3 by 3, and one of 3 by 3 to the map of scores. Windows are a whole FFT long, a quarter of
    it apart, not centred.

    Args:
        n_ffts: sizes of the FFT in samples.
        channels: of the hidden layers.
    """

    name = "stft"
    source = "Defossez et al., High fidelity neural audio compression, arXiv 2210.13438, sec. 3.4"

    def __init__(self, *, n_ffts: tuple[int, ...] = (2048, 1024, 512, 256, 128), channels: Annotated[int, Ge(1)] = 32):
        super().__init__()
        self.n_ffts = tuple(n_ffts)
        self.scales = nn.ModuleList(_layers(channels) for _ in self.n_ffts)

    def forward(self, waveform: Tensor) -> list[Judgement]:
        """See `Discriminator.forward`; shorter signals than a window are padded by zeros."""
        return [self._judge(waveform, n, layers) for n, layers in zip(self.n_ffts, self.scales, strict=True)]

    @staticmethod
    def _judge(waveform: Tensor, n_fft: int, layers: nn.Module) -> Judgement:
        waveform = nn.functional.pad(waveform, (0, max(0, n_fft - waveform.shape[-1])))
        window = torch.hann_window(n_fft, device=waveform.device)
        spectrum = torch.stft(
            waveform, n_fft, n_fft // 4, window=window, center=False, normalized=True, return_complex=True
        )
        hidden = torch.view_as_real(spectrum).permute(0, 3, 2, 1)  # (batch, 2, frames, bins)
        features = []
        *inner, last = layers.children()
        for layer in inner:
            hidden = nn.functional.leaky_relu(layer(hidden), 0.2)
            features.append(hidden)
        return Judgement(last(hidden)[:, 0], tuple(features))


def _layers(channels: int) -> nn.ModuleList:
    dilated = [
        nn.Conv2d(channels, channels, (3, 9), stride=(1, 2), dilation=(dilation, 1), padding=(dilation, 4))
        for dilation in (1, 2, 4)
    ]
    return nn.ModuleList(
        [
            nn.Conv2d(2, channels, (3, 9), padding=(1, 4)),
            *dilated,
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Conv2d(channels, 1, 3, padding=1),
        ]
    )

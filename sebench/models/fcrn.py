"""FCRN: convolutions over the bins of each frame, and a convolutional LSTM over frames between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn

from sebench.estimate.batch import Batch
from sebench.models.base import FrameModel, Views
from sebench.models.complex_refine import OUT_SCALE, REAL_BIAS, bounded
from sebench.models.conv_lstm import BinConv, ConvLstm
from sebench.models.input_statistics import InputStatistics

#: Of negative values that a LeakyReLU lets through.
SLOPE = 0.2
#: Bins are halved twice.
DIVISOR = 4


class Fcrn(FrameModel):
    """Fully convolutional recurrent network with a complex mask, 5,213,826 parameters.

    Real and imaginary part of the spectrum, normalised by their mean and deviation over the training set -> two
    convolutions over bins (F channels) -> maximum of pairs of bins -> two convolutions (2F) -> maximum of pairs ->
    convolutional LSTM (F) -> each bin twice -> two convolutions (2F), plus the output of those before the second
    maximum -> each bin twice -> two convolutions (F), plus the output of those before the first maximum -> convolution
    to A, mask tanh(|A|) A / |A| on the spectrum as it was. All kernels have N taps, all convolutions but the last a
    LeakyReLU behind them. 257 bins are filled up with zeros to 260, 630,389,760 multiplications a frame.

    Reconstruction: statistics per bin and part, the LSTM's bias and its start, the side on which an even kernel has one
    zero more, the slope (of public code), the mask's start, real and positive, and that overlap-add, which is all that
    the paper says, adds all 512 samples of the inverse transforms.

    Args:
        filters: F.
        kernel: N.
        window_length, hop, n_fft: of the STFT in samples; periodic Hann window, frames are added up.
    """

    name = "fcrn"
    version = 1
    views = ("waveform", "spectrum", "mask")
    free_phase = True
    source = "Strake et al., ICASSP 2020 and Interspeech 2020; settings of arXiv 2111.03847, Fig. 2 and sec. IV"

    def __init__(
        self,
        *,
        filters: Annotated[int, Ge(1)] = 88,
        kernel: Annotated[int, Ge(1)] = 24,
        window_length: Annotated[int, Ge(4)] = 384,
        hop: Annotated[int, Ge(1)] = 192,
        n_fft: Annotated[int, Ge(4)] = 512,
    ) -> None:
        super().__init__(window_length=window_length, hop=hop, n_fft=n_fft, window="hann")
        self.missing = -self.stft.bins % DIVISOR
        self.statistics = InputStatistics(self.stft.bins, 2)
        narrow, wide = filters, 2 * filters
        self.down1 = _Pair(2, narrow, kernel)
        self.down2 = _Pair(narrow, wide, kernel)
        self.memory = ConvLstm(wide, narrow, kernel)
        self.up2 = _Pair(narrow, wide, kernel)
        self.up1 = _Pair(wide, narrow, kernel)
        self.out = BinConv(narrow, 2, kernel)
        assert self.out.bias is not None
        with torch.no_grad():
            self.out.weight.mul_(OUT_SCALE)
            self.out.bias.copy_(torch.tensor([REAL_BIAS, 0.0]))

    def measure(self, batches: Iterable[Batch]) -> None:
        """Statistics of the noisy spectrum's real and imaginary part, over the frames of each utterance."""
        self.statistics.measure(
            _parts(batch.spectrum("noisy", self.stft))[batch.frame_mask(self.stft).T > 0] for batch in batches
        )

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[Views, Any]:
        """Complex masks for frames.

        Shape:
            spectrum complex `(batch, bins, frames)`; returns "mask" complex `(batch, bins, frames)`.
        """
        inputs = self.statistics(_parts(spectrum))
        shape = inputs.shape[:2]
        first = self.down1(nn.functional.pad(inputs.flatten(0, 1), (0, 0, 0, self.missing)))
        second = self.down2(_halved(first))
        memory, state = self.memory(_halved(second).unflatten(0, shape), state)
        values = self.up2(_doubled(memory.flatten(0, 1))) + second
        values = self.up1(_doubled(values)) + first
        real, imag = bounded(self.out(values)[:, : self.stft.bins].float())
        mask = torch.complex(real, imag)[..., 0].unflatten(0, shape)
        return {"mask": mask.permute(1, 2, 0)}, state


class _Pair(nn.Module):
    """Two convolutions over bins, each with a LeakyReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = BinConv(inputs, outputs, kernel)
        self.conv2 = BinConv(outputs, outputs, kernel)

    def forward(self, values: Tensor) -> Tensor:
        for conv in (self.conv1, self.conv2):
            values = nn.functional.leaky_relu(conv(values), SLOPE)
        return values


def _parts(spectrum: Tensor) -> Tensor:
    """Real and imaginary parts, `(batch, bins, frames)` -> `(frames, batch, bins, 2)`."""
    return torch.view_as_real(spectrum).permute(2, 0, 1, 3)


def _halved(values: Tensor) -> Tensor:
    """The larger one of each pair of bins."""
    lower, upper = values.unflatten(1, (-1, 2)).unbind(2)
    return torch.where(lower < upper, upper, lower)


def _doubled(values: Tensor) -> Tensor:
    """Each bin twice."""
    return values.repeat_interleave(2, dim=1)

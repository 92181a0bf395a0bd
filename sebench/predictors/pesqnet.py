"""PESQNet: PESQ of a whole utterance from its amplitude spectrogram alone."""

from __future__ import annotations

import itertools
from typing import Annotated

import torch
from annotated_types import Gt, MinLen
from torch import Tensor, nn

from sebench.predictors.base import Predictor
from sebench.signal.stft import Stft

#: The bins are halved twice.
_POOLING = 4


class PesqNet(Predictor):
    """PESQNet (Xu, Strake, Fingscheidt, arXiv 2111.03847, sec. III-B).

    The spectrogram is cut into blocks of `block` frames. In each block, two convolutions with pooling, then parallel
    convolutions over all bins and 1, 2, 4, 8 frames, each followed by its maximum over time. A bidirectional LSTM runs
    over the blocks; mean, standard deviation, minimum and maximum over the blocks go through dense layers, and
    3.6 sigmoid(x) + 1.04 keeps the score between 1.04 and 4.64.

    Reconstructed: the dense layers (the source's figure is not available) and what follows the last whole block
    (zeros). With the defaults 13,833,761 parameters.

    Args:
        channels: filters of the first two convolutions.
        kernels: filters of each of the parallel convolutions.
        widths: their lengths in frames, after one halving of the block.
        hidden: cells of the LSTM in each direction.
        dense: sizes of the hidden dense layers.
        block: frames of a block.
        block_hop: frames from one block to the next; the successor's code overlaps blocks by one frame (15).
        window_length, hop, n_fft: periodic Hann transform in samples.

    Raises:
        ValueError: a width is longer than half a block, or blocks would leave out frames.
    """

    name = "pesqnet"
    version = 1
    bounds = (1.04, 4.64)
    requires = (
        "window_length % hop == 0",
        "2 * hop <= window_length",
        "n_fft >= window_length",
        "block_hop <= block",
        "min(widths) >= 1",
        "max(widths) <= block // 2",
    )
    source = "Xu, Strake, Fingscheidt, arXiv 2111.03847, sec. III-B"

    def __init__(
        self,
        *,
        channels: Annotated[int, Gt(0)] = 32,
        kernels: Annotated[int, Gt(0)] = 384,
        widths: Annotated[tuple[int, ...], MinLen(1)] = (1, 2, 4, 8),
        hidden: Annotated[int, Gt(0)] = 128,
        dense: tuple[int, ...] = (128, 32),
        block: Annotated[int, Gt(1)] = 16,
        block_hop: Annotated[int, Gt(0)] = 16,
        window_length: Annotated[int, Gt(1)] = 384,
        hop: Annotated[int, Gt(0)] = 192,
        n_fft: Annotated[int, Gt(1)] = 512,
    ) -> None:
        super().__init__()
        self.stft = Stft(window_length, hop, n_fft, "hann")
        if max(widths) > block // 2 or min(widths) < 1:
            raise ValueError(f"widths {widths}: from 1 to {block // 2}, half a block")
        if block_hop > block:
            raise ValueError(f"block_hop {block_hop}: at most the block's {block} frames")
        self.block, self.block_hop = block, block_hop
        self.bins = -(-self.stft.bins // _POOLING) * _POOLING
        self.encoder = nn.Sequential(
            nn.Conv2d(1, channels, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d((2, 1)),
        )
        height = channels * self.bins // _POOLING
        self.parallel = nn.ModuleList(nn.Conv1d(height, kernels, width) for width in widths)
        self.lstm = nn.LSTM(kernels * len(widths), hidden, batch_first=True, bidirectional=True)
        sizes = [4 * 2 * hidden, *dense]
        layers = [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.head = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def forward(self, magnitude: Tensor, frames: Tensor) -> Tensor:
        """See `Predictor.forward`."""
        counts = self.blocks(frames)
        blocks = self._blocks(magnitude, frames, int(counts.max()))
        present = torch.arange(blocks.shape[1], device=counts.device) < counts[:, None]
        features = self._encode(blocks[present])
        encoded = features.new_zeros(*present.shape, features.shape[-1])
        encoded = encoded.masked_scatter(present[..., None], features)
        packed = nn.utils.rnn.pack_padded_sequence(encoded, counts.cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        low, high = self.bounds
        score = self.head(_statistics(hidden.float(), present)).squeeze(-1)
        return low + (high - low) * torch.sigmoid(score.float())

    def blocks(self, frames: Tensor) -> Tensor:
        """Blocks of utterances of so many frames; the last one is filled with zeros.

        Shape:
            frames `(batch,)`, int64; returns the same.
        """
        behind = (frames - self.block).clamp_min(0)
        return 1 + torch.div(behind + self.block_hop - 1, self.block_hop, rounding_mode="floor")

    def _blocks(self, magnitude: Tensor, frames: Tensor, count: int) -> Tensor:
        """`(batch, blocks, bins, block)`, zero where an utterance has no frames."""
        valid = torch.arange(magnitude.shape[-1], device=frames.device) < frames[:, None]
        length = self.block + (count - 1) * self.block_hop
        wanted = (0, max(0, length - magnitude.shape[-1]), 0, self.bins - magnitude.shape[1])
        present = magnitude.float().masked_fill(~valid[:, None], 0.0)
        padded = nn.functional.pad(present, wanted)[..., :length]
        return padded.unfold(-1, self.block, self.block_hop).transpose(1, 2)

    def _encode(self, blocks: Tensor) -> Tensor:
        """`(blocks, bins, frames)` -> `(blocks, features)`."""
        features = self.encoder(blocks[:, None]).flatten(1, 2)
        return torch.cat([torch.relu(kernel(features)).amax(-1) for kernel in self.parallel], dim=-1)


def _statistics(values: Tensor, present: Tensor) -> Tensor:
    """Mean, standard deviation, minimum and maximum over the blocks that are there.

    Shape:
        values `(batch, blocks, features)`, present `(batch, blocks)`; returns `(batch, 4 * features)`.
    """
    weight = present[..., None].float()
    count = weight.sum(1)
    mean = (values * weight).sum(1) / count
    variance = ((values - mean[:, None]).square() * weight).sum(1) / count
    absent = ~present[..., None]
    lowest = values.masked_fill(absent, torch.inf).amin(1)
    highest = values.masked_fill(absent, -torch.inf).amax(1)
    return torch.cat([mean, variance.clamp_min(1e-8).sqrt(), lowest, highest], dim=-1)

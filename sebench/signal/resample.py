"""Doubling and halving of a sampling rate with a windowed sinc; a whole signal is one chunk of a stream.

The method is that of J. O. Smith's band-limited interpolation at a fixed ratio of two: every second sample is an input
sample, the others lie half a sample beside one and are sums over `zeros` neighbours on each side. Before a signal there
are zeros.

Both classes are pushed chunks of any length, each with what the chunk before left, and return all samples that later
ones cannot change. Whoever wants the end of a signal pushes zeros after it, up to sample `needed(last)`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

#: Zero crossings of the sinc on each side.
ZEROS = 56


def half_sample_taps(zeros: int) -> Tensor:
    """sinc(t) cos^2(pi t / (2 zeros)) at t = -zeros + 1/2, ..., zeros - 1/2: the value half-way between two samples.

    Shape:
        returns `(2 * zeros,)`, float32.
    """
    time = torch.arange(2 * zeros, dtype=torch.float64) - zeros + 0.5
    return (torch.sinc(time) * (0.5 * math.pi * time / zeros).cos().square()).float()


class _ByTwo(nn.Module):
    """The values half-way between samples, in float32 also where autocast is on.

    The sums are one matrix product over blocks of samples: on a CPU, forward and backward, some twenty times as fast
    as `conv1d` with one channel, for twice the multiplications.
    """

    weights: Tensor

    def __init__(self, zeros: int = ZEROS) -> None:
        super().__init__()
        self.zeros, self.length = zeros, 2 * zeros
        taps = half_sample_taps(zeros)
        columns = [nn.functional.pad(taps, (i, self.length - i)) for i in range(self.length)]
        self.register_buffer("weights", torch.stack(columns, dim=1), persistent=False)

    def half_way(self, signal: Tensor) -> Tensor:
        """Values half-way between samples, where all `2 * zeros` neighbours are there.

        Shape:
            signal `(batch, samples)`; returns `(batch, samples - 2 * zeros + 1)`, or no samples.
        """
        count = signal.shape[1] - self.length + 1
        if count < 1:
            return signal[:, :0]
        number = -(-count // self.length)
        padded = nn.functional.pad(signal, (0, (number + 1) * self.length - signal.shape[1]))
        blocks = padded.unflatten(1, (number + 1, self.length))
        return (torch.cat([blocks[:, :-1], blocks[:, 1:]], dim=2) @ self.weights).flatten(1)[:, :count]


class Upsample2(_ByTwo):
    """Double the sampling rate.

    Args:
        zeros: zero crossings of the sinc on each side.
    """

    def needed(self, sample: int) -> int:
        """Index of the last input sample on which the outputs 1 to `sample` depend (output 0 is input 0)."""
        return (sample - 1) // 2 + self.zeros

    def forward(self, chunk: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The next samples at the double rate.

        Args:
            chunk: not empty where it is the first.
            kept: of the call before; None at the start.

        Shape:
            chunk `(batch, samples)`; returns `(batch, resampled)`, and what to keep.
        """
        with torch.autocast(chunk.device.type, enabled=False):
            chunk = chunk.float()
            first = chunk[:, :1] if kept is None else chunk[:, :0]
            before = chunk.new_zeros(len(chunk), self.zeros - 1) if kept is None else kept
            joined = torch.cat([before, chunk], dim=1)
            odd = self.half_way(joined)
            count = odd.shape[1]
            even = joined[:, self.zeros : self.zeros + count]
            return torch.cat([first, torch.stack([odd, even], dim=2).flatten(1)], dim=1), joined[:, count:]


class Downsample2(_ByTwo):
    """Halve the sampling rate; what lies above half the new rate is filtered out.

    Args:
        zeros: zero crossings of the sinc on each side.
    """

    def needed(self, sample: int) -> int:
        """Index of the last input sample on which the outputs up to `sample` depend."""
        return 2 * sample + 2 * self.zeros - 1

    def forward(self, chunk: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The next samples at half the rate.

        Args:
            chunk: any number of samples.
            kept: of the call before; None at the start.

        Shape:
            chunk `(batch, samples)`; returns `(batch, resampled)`, and what to keep.
        """
        with torch.autocast(chunk.device.type, enabled=False):
            chunk = chunk.float()
            before = chunk.new_zeros(len(chunk), 2 * self.zeros) if kept is None else kept
            joined = torch.cat([before, chunk], dim=1)
            odd = self.half_way(joined[:, 1::2])
            count = odd.shape[1]
            even = joined[:, ::2][:, self.zeros : self.zeros + count]
            return 0.5 * (even + odd), joined[:, 2 * count :]

"""Sampling rates changed by a windowed sinc: doubled and halved, from chunk to chunk; any ratio, of a whole signal.

Doubling and halving, where a whole signal is one chunk, are J. O. Smith's band-limited interpolation at a fixed ratio
of two: every second sample is an input sample, the others lie half a sample beside one and are sums over `zeros`
neighbours on each side. Before a signal there are zeros.

Both classes are pushed chunks of any length, each with what the chunk before left, and return all samples that later
ones cannot change. Whoever wants the end of a signal pushes zeros after it, up to sample `needed(last)`.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn

#: Zero crossings of the sinc on each side.
ZEROS = 56
#: Of `resampled`: its cutoff, as a part of the lower Nyquist frequency, the shape of its Kaiser window (a stopband 100
#: dB down), and its zero crossings, enough for the stopband to begin at the Nyquist frequency.
BAND, KAISER, REACH = 0.96, 10.06, 160


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


def resampled(signal: Tensor, source: int, target: int) -> Tensor:
    """A whole signal at another sample rate; there are zeros before and after it.

    Args:
        source, target: sample rates in Hz.

    Shape:
        signal `(batch, samples)`; returns `(batch, ceil(samples * target / source))`, float32.
    """
    divisor = math.gcd(source, target)
    source, target = source // divisor, target // divisor
    count = -(-signal.shape[-1] * target // source)
    if source == target:
        return signal.float()
    kernels, reach = _kernels(source, target)
    with torch.autocast(signal.device.type, enabled=False):
        padded = nn.functional.pad(signal.float(), (reach, reach + source))
        blocks = nn.functional.conv1d(padded[:, None], kernels.to(signal.device), stride=source)
        return blocks.transpose(1, 2).flatten(1)[:, :count]


@functools.lru_cache(8)
def _kernels(source: int, target: int) -> tuple[Tensor, int]:
    """For each of `target` outputs to `source` inputs, the weights of the inputs around; how many lie on each side.

    Shape:
        returns `(target, 1, 2 * reach + source)`, float32.
    """
    band = BAND * min(1.0, target / source)
    reach = math.ceil(REACH / 2 / band)
    offsets = torch.arange(-reach, reach + source, dtype=torch.float64)
    time = offsets - source * torch.arange(target, dtype=torch.float64)[:, None] / target
    inside = (1.0 - (time / reach).square()).clamp(min=0.0)
    window = torch.special.i0(KAISER * inside.sqrt()) / torch.special.i0(torch.tensor(KAISER, dtype=torch.float64))
    kernels = band * torch.sinc(band * time) * window * (time.abs() <= reach)
    return kernels.float()[:, None], reach

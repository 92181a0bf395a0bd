"""Running means over frames: what makes a network indifferent to the level of its input, without looking ahead."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

#: Frames that are averaged by one matrix product.
BLOCK = 128

#: Weighted sum of the frames so far `(batch, channels)`, and the sum of the weights.
MeanState = tuple[Tensor, float]


class RunningMean(nn.Module):
    """Exponentially weighted mean of all frames up to the present one, each weight divided by the weights' sum.

    m_t = sum_{i<=t} a^(t-i) x_i / sum_{i<=t} a^(t-i), a = exp(-1 / (seconds * frame rate)): from the first frame on, a
    constant added to the input is added to the mean.

    Args:
        seconds: time constant.
        frame_rate: frames per second.
    """

    decay: Tensor
    lower: Tensor

    def __init__(self, seconds: float, frame_rate: float) -> None:
        super().__init__()
        self.coefficient = math.exp(-1.0 / (seconds * frame_rate))
        step = torch.arange(BLOCK, dtype=torch.float64)
        lag = step[:, None] - step[None, :]
        lower = torch.where(lag >= 0, self.coefficient ** lag.clamp_min(0), torch.zeros(()).double())
        self.register_buffer("lower", lower.float(), persistent=False)
        self.register_buffer("decay", (self.coefficient ** (step + 1)).float(), persistent=False)

    def forward(self, values: Tensor, state: MeanState | None = None) -> tuple[Tensor, MeanState]:
        """The mean at each frame.

        Shape:
            values `(batch, frames, channels)`; returns the same, and the state after the last frame.
        """
        total, weight = state if state is not None else (values.new_zeros(values.shape[0], values.shape[2]), 0.0)
        means = []
        with torch.autocast(values.device.type, enabled=False):
            for block in values.float().split(BLOCK, dim=1):
                count = block.shape[1]
                lower, decay = self.lower[:count, :count], self.decay[:count]
                sums = lower @ block + decay[:, None] * total[:, None]
                weights = lower.sum(1) + decay * weight
                means.append(sums / weights[:, None])
                total = sums[:, -1]
                weight = weight * self.coefficient**count + (1.0 - self.coefficient**count) / (1.0 - self.coefficient)
        return torch.cat(means, dim=1), (total, weight)


#: Frames so far, mean and mean square `(batch, channels)`.
NormState = tuple[int, Tensor, Tensor]
#: Least variance that features are divided by.
LEAST_VARIANCE = 1e-12


class RunningNorm(nn.Module):
    """Features with the running mean taken off, divided by the running standard deviation.

    m_t = a m_{t-1} + (1 - a) x_t from m_{-1} = x_0, and the same for the squares, a = exp(-1 / (seconds * frame rate)),
    with a shorter time constant in the first moments (Xia et al., arXiv 2001.10601; values: DNS-Challenge baseline).

    Args:
        seconds: time constant.
        first_seconds: time constant, and length, of the first moments.
        frame_rate: frames per second.
    """

    def __init__(self, seconds: float, first_seconds: float, frame_rate: float) -> None:
        super().__init__()
        self.first_frames = round(first_seconds * frame_rate)
        self.coefficients = (math.exp(-1.0 / (first_seconds * frame_rate)), math.exp(-1.0 / (seconds * frame_rate)))

    def forward(self, values: Tensor, state: NormState | None = None) -> tuple[Tensor, NormState]:
        """The normalised features.

        Shape:
            values `(batch, frames, channels)`, at least one frame; returns the same, and the state after the last.
        """
        # float64: the variance of the first frames is a small difference of large numbers
        with torch.autocast(values.device.type, enabled=False):
            exact = values.double()
            start, mean, square = (0, exact[:, 0], exact[:, 0].square()) if state is None else state
            outputs = []
            for block in exact.split(BLOCK, dim=1):
                lower, decay = self._weights(start, block.shape[1], block.device)
                means = lower @ block + decay[:, None] * mean[:, None]
                squares = lower @ block.square() + decay[:, None] * square[:, None]
                deviation = (squares - means.square()).clamp_min(LEAST_VARIANCE).sqrt()
                outputs.append(((block - means) / deviation).float())
                start, mean, square = start + block.shape[1], means[:, -1], squares[:, -1]
        return torch.cat(outputs, dim=1), (start, mean, square)

    def _weights(self, start: int, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Weight of frame i in the mean at frame t `(count, count)`, and of the mean before the block `(count,)`."""
        # on the CPU: sums along an axis have no deterministic form on every GPU
        position = torch.arange(start, start + count)
        first, later = torch.tensor(self.coefficients, dtype=torch.float64)
        coefficient = torch.where(position < self.first_frames, first, later)
        logs = coefficient.log().cumsum(0)
        lower = (logs[:, None] - logs[None, :]).exp() * (1.0 - coefficient)
        return lower.tril().to(device), logs.exp().to(device)

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

"""Mean and standard deviation of a model's input over its training set, kept with the model's weights.

They are measured once, before the first step of the first stage, and never change again: they travel in the checkpoint
as the weights do, to what is resumed, to the stages that start from it, and to enhancement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from sebench.errors import DataError
from sebench.estimate.batch import Batch

#: Least deviation, relative to the largest one: 80 dB below it. What lies lower is constant, as is the imaginary part
#: of bin 0, or was removed by a coder.
LEAST_DEVIATION = 1e-4


class InputStatistics(nn.Module):
    """Values less their mean, divided by their standard deviation, element by element; at first 0 and 1.

    Args:
        shape: of what has statistics of its own, e.g. (bins, 2).
    """

    mean: Tensor
    deviation: Tensor
    count: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @property
    def measured(self) -> bool:
        """Whether they are of any data."""
        return bool(self.count > 0)

    def forward(self, values: Tensor) -> Tensor:
        """Normalise.

        Shape:
            values `(..., *shape)`; returns the same.
        """
        return (values - self.mean) / self.deviation

    @torch.no_grad()
    def measure(self, parts: Iterable[Tensor]) -> None:
        """Take the statistics of all values of all parts; sums are in float64. Nothing changes before the last part.

        Shape:
            parts `(values, *shape)`.

        Raises:
            ValueError: there are no values.
        """
        count, total, squares = 0, self.mean.double() * 0, self.mean.double() * 0
        for part in parts:
            exact = part.double()
            count += len(exact)
            total += exact.sum(0)
            squares += exact.square().sum(0)
        if not count:
            raise ValueError("there is nothing to measure the input statistics of")
        mean = total / count
        deviation = (squares / count - mean.square()).clamp_min(0.0).sqrt()
        least = LEAST_DEVIATION * float(deviation.max()) or 1.0  # 1 where all is silent
        self.mean.copy_(mean)
        self.deviation.copy_(deviation.clamp_min(least))
        self.count.fill_(count)


@runtime_checkable
class Measures(Protocol):
    """A model that can measure the statistics that it normalises its input by."""

    def measure(self, batches: Iterable[Batch]) -> None:
        """Measure over all utterances, which come once and have no other signal than `noisy`."""


def measure_inputs(model: nn.Module, batches: Iterable[Batch]) -> None:
    """Measure what is not measured yet, over `batches`; where everything is, they are not looked at.

    Raises:
        DataError: there are statistics that the model does not measure.
    """
    if not unmeasured(model):
        return
    if isinstance(model, Measures):
        model.measure(batches)
    missing = unmeasured(model)
    if missing:
        raise DataError(
            f"{type(model).__name__}: nothing measures the input statistics {', '.join(missing)}: give the model a "
            "method measure(batches), or weights that have them"
        )


def unmeasured(model: nn.Module) -> list[str]:
    """Names of the model's input statistics that are still 0 and 1."""
    return [name for name, part in model.named_modules() if isinstance(part, InputStatistics) and not part.measured]


def statistics_of(model: nn.Module) -> dict[str, Tensor]:
    """Copies of all input statistics, on the CPU, by their names among the model's weights."""
    return {
        f"{name}.{key}".removeprefix("."): value.detach().to("cpu", copy=True)
        for name, part in model.named_modules()
        if isinstance(part, InputStatistics)
        for key, value in part.state_dict().items()
    }

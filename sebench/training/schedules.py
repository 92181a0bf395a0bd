"""Learning rate schedules: a factor on every optimiser's base rate.

A schedule depends on the step and on the validation scores so far and on nothing else, so that nothing of it has to be
saved: after an interruption the scores are shown to it again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from sebench.errors import DataError, absent


class Schedule:
    """A constant rate, after a linear warm-up as with all types.

    Attributes:
        reads: the parameters that do something.

    Args:
        steps: length of the stage.
        warmup_steps: steps over which the rate rises; step s of these has the factor (s + 1) / warmup_steps.
        final_factor: factor at the end, where the schedule has one.
        patience: validations without a better score, where the schedule counts them.
        stop_lr: rate below which the stage ends, where the schedule lowers it on a plateau.
    """

    reads: ClassVar[tuple[str, ...]] = ("warmup_steps",)

    def __init__(
        self,
        steps: int,
        *,
        warmup_steps: int = 0,
        final_factor: float = 0.0,
        patience: int = 5,
        stop_lr: float | None = None,
    ) -> None:
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.final_factor = final_factor
        self.patience = patience
        self.stop_lr = stop_lr

    def factor(self, step: int) -> float:
        """Factor on the base rate in step `step`, counted from 0."""
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return warm * self.shape(step)

    def shape(self, step: int) -> float:
        """The factor without the warm-up."""
        return 1.0

    def observe(self, score: float) -> None:
        """Show it the score of a validation, larger is better."""

    def exhausted(self, base_lr: float) -> bool:
        """Whether the stage ends here, before its last step."""
        return False

    def progress(self, step: int) -> float:
        """Part of the way behind the warm-up, from 0 to 1."""
        return min(1.0, max(0, step - self.warmup_steps) / max(1, self.steps - self.warmup_steps))


class Cosine(Schedule):
    """From 1 to `final_factor` along half a cosine (Loshchilov and Hutter 2017, eq. 5, without restarts)."""

    reads = ("warmup_steps", "final_factor")

    def shape(self, step: int) -> float:
        """The factor without the warm-up."""
        return self.final_factor + (1.0 - self.final_factor) * 0.5 * (1.0 + math.cos(math.pi * self.progress(step)))


class LinearDecay(Schedule):
    """From 1 to `final_factor` along a line."""

    reads = ("warmup_steps", "final_factor")

    def shape(self, step: int) -> float:
        """The factor without the warm-up."""
        return 1.0 - (1.0 - self.final_factor) * self.progress(step)


class HalveOnPlateau(Schedule):
    """Half the rate after `patience` validations without a better score; the end below `stop_lr`."""

    reads = ("warmup_steps", "patience", "stop_lr")

    def __init__(self, steps: int, **params: Any) -> None:
        super().__init__(steps, **params)
        self._best = -math.inf
        self._waited = 0
        self._halvings = 0

    def shape(self, step: int) -> float:
        """The factor without the warm-up."""
        return 0.5**self._halvings

    def observe(self, score: float) -> None:
        """Count validations without a better score."""
        if score > self._best:
            self._best, self._waited = score, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self._halvings += 1
            self._waited = 0

    def exhausted(self, base_lr: float) -> bool:
        """Whether the rate has fallen below `stop_lr`."""
        return self.stop_lr is not None and base_lr * 0.5**self._halvings < self.stop_lr


SCHEDULES: Mapping[str, type[Schedule]] = {
    "constant": Schedule,
    "cosine": Cosine,
    "linear_decay": LinearDecay,
    "halve_on_plateau": HalveOnPlateau,
}


def build_schedule(spec: Mapping[str, Any], steps: int) -> Schedule:
    """A schedule from `{"type": ..., parameters}`.

    Raises:
        DataError: there is no such type.
    """
    params = {name: value for name, value in spec.items() if name != "type"}
    if spec["type"] not in SCHEDULES:
        raise DataError(absent("schedule", spec["type"], SCHEDULES))
    return SCHEDULES[spec["type"]](steps, **params)

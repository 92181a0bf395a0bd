"""Clipping: what is louder than a threshold is cut or pressed down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Gt, Le

from sebench.degradations.base import Degradation

if TYPE_CHECKING:
    from sebench.degradations.base import Signal


class Clipping(Degradation):
    """Samples limited to a share of the signal's peak

    Args:
        threshold: as a factor on the largest magnitude of the signal.
        form: hard, t = threshold x peak: min(t, max(-t, x)); soft: t tanh(x / t).
    """

    name = "clipping"
    version = 1
    source = "limiter"

    def __init__(
        self, *, threshold: Annotated[float, Gt(0), Le(1)] = 0.5, form: Literal["hard", "soft"] = "hard"
    ) -> None:
        self.threshold, self.form = threshold, form

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """Limited."""
        limit = self.threshold * float(np.abs(signal).max())
        if limit == 0.0:
            return signal
        return np.clip(signal, -limit, limit) if self.form == "hard" else limit * np.tanh(signal / limit)

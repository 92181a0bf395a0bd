"""SNR improvement, and the limited ratio in dB that energy metrics share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sebench.metrics.base import Metric

if TYPE_CHECKING:
    from sebench.metrics.base import Signal

LIMIT_DB = 100.0


def inner(first: Signal, second: Signal) -> float:
    """The inner product. Not by BLAS (`@`), whose last bits depend on its number of threads."""
    return float((first * second).sum())


def ratio_db(signal: float, residual: float, limit_db: float = LIMIT_DB) -> float:
    """10 log10(signal / residual) of two energies, limited to +-`limit_db`.

    Reconstruction: the definitions have no limit; 100 dB is far beyond 16-bit audio and keeps means finite.
    """
    if residual <= 0.0:
        return limit_db
    if signal <= 0.0:
        return -limit_db
    return max(-limit_db, min(limit_db, 10.0 * math.log10(signal / residual)))


class DeltaSnr(Metric):
    """SNR improvement over the noisy mixture, in dB

    SNR(estimate) - SNR(noisy) with SNR(x) = 10 log10(||clean||^2 / ||x - clean||^2), each limited to +-100 dB. Not
    scale-invariant: an attenuated estimate loses.
    """

    name = "delta_snr"
    version = 1
    bounds = (-200.0, 200.0)
    needs_noisy = True
    unit = "dB"
    source = "signal-to-noise ratio"
    other_rates = "own"

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """SNR improvement in dB."""
        power = inner(clean, clean)
        after, before = estimate - clean, noisy - clean
        return ratio_db(power, inner(after, after)) - ratio_db(power, inner(before, before))

"""SI-SDR, the scale-invariant signal-to-distortion ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sebench.metrics.base import Metric, Unscorable
from sebench.metrics.snr import inner, ratio_db

if TYPE_CHECKING:
    from sebench.metrics.base import Signal


class SiSdr(Metric):
    """SI-SDR of zero-mean signals, in dB

    With alpha = <estimate, clean> / ||clean||^2: 10 log10(||alpha clean||^2 / ||estimate - alpha clean||^2), limited
    to +-100 dB so that a perfect estimate has a value.

    Args:
        zero_mean: remove the means first (Le Roux et al.; torchmetrics does not by default).
    """

    name = "si_sdr"
    version = 1
    bounds = (-100.0, 100.0)
    unit = "dB"
    source = "Le Roux, Wisdom, Erdogan, Hershey, ICASSP 2019, eq. 3"
    other_rates = "own"

    def __init__(self, *, zero_mean: bool = True) -> None:
        self.zero_mean = zero_mean

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """SI-SDR in dB."""
        if self.zero_mean:
            clean, estimate = clean - clean.mean(), estimate - estimate.mean()
        power = inner(clean, clean)
        if power == 0.0:
            raise Unscorable("the clean reference is constant")
        if not estimate.any():
            raise Unscorable("SI-SDR is 0/0: the estimate is silent or constant")
        target = inner(estimate, clean) / power * clean
        residual = estimate - target
        return ratio_db(inner(target, target), inner(residual, residual))

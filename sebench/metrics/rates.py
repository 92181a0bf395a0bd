"""Files at another rate than a metric's: scored where the metric's definition says how, never in a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sebench.metrics.base import Metric, MetricValue

if TYPE_CHECKING:
    from sebench.metrics.base import Signal


def score_at_any_rate(metric: Metric, signals: Mapping[str, Signal | None], sample_rate: int) -> MetricValue:
    """The value of files at `sample_rate`, with what was done to them as its reason.

    Args:
        signals: clean, estimate and noisy, `(samples,)`, at one rate; None where there is none.

    A metric with `other_rates` "own" scores them as they are; one with "down" scores what soxr's very high quality
    brings to its rate, of higher rates only: a lower one lacks the band that it is about.
    """
    if sample_rate == metric.sample_rate:
        return _computed(metric, signals, sample_rate, "")
    if metric.other_rates == "own" or sample_rate in metric.own_rates:
        return _computed(metric, signals, sample_rate, f"scored at {sample_rate} Hz")
    if metric.other_rates == "down" and sample_rate > metric.sample_rate:
        brought = {role: _resampled(signal, sample_rate, metric.sample_rate) for role, signal in signals.items()}
        return _computed(metric, brought, metric.sample_rate, f"resampled from {sample_rate} Hz")
    lower = ", and a lower rate lacks the band that it scores" if metric.other_rates == "down" else ""
    return MetricValue.not_applicable(
        f"{metric.name} is defined here at {metric.sample_rate} Hz, not {sample_rate}{lower}"
    )


def _computed(metric: Metric, signals: Mapping[str, Signal | None], rate: int, told: str) -> MetricValue:
    metric.require()
    estimate = signals["estimate"]
    assert estimate is not None
    found = metric.compute_at(clean=signals["clean"], estimate=estimate, noisy=signals["noisy"], sample_rate=rate)
    if found.value is None or not told:
        return found
    return MetricValue(found.value, "; ".join(filter(None, (told, found.reason))))


def _resampled(signal: Signal | None, source: int, target: int) -> Signal | None:
    import numpy as np
    import soxr

    if signal is None or not signal.size or not np.isfinite(signal).all():
        return signal  # the metric says what is wrong with it
    return np.asarray(soxr.resample(np.asarray(signal, np.float64), source, target, quality="VHQ"))

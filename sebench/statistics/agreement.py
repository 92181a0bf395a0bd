"""Percentile bootstrap of the agreement of predicted with measured scores, over scenes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from sebench.metrics.agreement import lcc, mae
from sebench.seeding import generator
from sebench.statistics.bootstrap import DECIMALS, LEVEL, RESAMPLES, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Statistic = Literal["mae", "lcc"]


def agreement_interval(
    predicted: NDArray[np.float64],
    measured: NDArray[np.float64],
    statistic: Statistic,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """MAE or LCC over all pairs, with an interval: whole scenes are resampled.

    Args:
        predicted, measured: `(scenes, conditions)`, NaN where there is none.
        statistic: "mae" or "lcc".

    Returns:
        None where the statistic is not defined, or fewer than three scenes have a pair.
    """
    import numpy as np

    there = np.isfinite(predicted) & np.isfinite(measured)
    some = there.any(axis=1)
    there, predicted, measured = there[some], predicted[some], measured[some]
    point = (mae if statistic == "mae" else lcc)(predicted, measured)
    scenes = len(predicted)
    if point is None or scenes < 3:
        return None
    p, m = np.where(there, predicted, 0.0), np.where(there, measured, 0.0)
    data = np.ascontiguousarray(np.stack([p, m]))
    digest = hashlib.sha256(data.tobytes()).hexdigest()
    share = np.full(scenes, 1.0 / scenes)
    draws = generator("agreement", digest, list(p.shape)).multinomial(scenes, share, size=resamples)
    # Sums over each scene's conditions, then over the scenes of each sample.
    parts = [there, p, m, p * p, m * m, p * m, np.abs(p - m)]
    count, sp, sm, spp, smm, spm, error = (draws @ part.sum(axis=1) for part in parts)
    if statistic == "mae":
        samples = error / count
    else:
        variances = (spp - sp * sp / count) * (smm - sm * sm / count)
        usable = variances > 1e-12
        samples = (spm - sp * sm / count)[usable] / np.sqrt(variances[usable])
        if not samples.size:
            return None
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    mean, low, high = (round(float(x), DECIMALS) for x in (point, low, high))
    return Interval(mean, low, high, scenes)

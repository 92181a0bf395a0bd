"""Percentile bootstrap of a mean over utterances, where the same scenes occur under several conditions."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sebench.seeding import generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 2000
DECIMALS = 9


@dataclass(frozen=True)
class Interval:
    """A mean with its interval.

    Args:
        mean: the point estimate.
        low, high: bounds of the interval.
        scenes: how many scenes were resampled.
    """

    mean: float
    low: float
    high: float
    scenes: int


def mean_of_groups(values: NDArray[np.float64]) -> float:
    """Mean over groups (columns) of the mean over scenes (rows) that have a value; NaN where a group has none."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.mean(np.nanmean(values, axis=0)))


def mean_interval(values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES) -> Interval | None:
    """Percentile bootstrap interval of `mean_of_groups`.

    Whole scenes are resampled: a scene that is heard at five SNRs (five columns) is one draw, because its scores are
    not independent. The generator is seeded by the values themselves: equal data, equal interval.

    Args:
        values: `(scenes, groups)` or `(scenes,)`, NaN where there is no score.
        level: coverage of the interval.
        resamples: number of bootstrap samples.

    Returns:
        None where a group has no value, or fewer than two scenes have one: there is nothing to resample.
    """
    import numpy as np

    array = np.asarray(values, np.float64)
    array = array[:, None] if array.ndim == 1 else array
    array = array[~np.isnan(array).all(axis=1)]
    scenes = len(array)
    if scenes < 2 or np.isnan(array).all(axis=0).any():
        return None
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    draws = generator("bootstrap", digest, list(array.shape)).multinomial(
        scenes, np.full(scenes, 1.0 / scenes), size=resamples
    )
    there = ~np.isnan(array)
    counts = draws @ there.astype(np.float64)
    sums = draws @ np.where(there, array, 0.0)
    # A sample may miss every scene that a sparse group has: that sample says nothing about the mean.
    usable = (counts > 0).all(axis=1)
    means = (sums[usable] / counts[usable]).mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    # Sums in another order (another BLAS) differ in the last bits, which no reader of a table needs.
    mean, low, high = (round(float(x), DECIMALS) for x in (mean_of_groups(array), low, high))
    return Interval(mean, low, high, scenes)


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES
) -> Interval | None:
    """Interval of the mean of `first - second`, scene by scene; scenes without one of the two do not count.

    Args:
        first, second: `(scenes, groups)` of the same scenes and groups, NaN where there is no score.
    """
    import numpy as np

    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return mean_interval(difference, level=level, resamples=resamples)

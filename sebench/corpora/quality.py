"""What makes a recording unusable, and how that is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SILENCE_DBOV = -80.0
FULL_SCALE = 0.999
CLIPPED_SECONDS = 0.0005


def fault(samples: npt.NDArray[np.float32], sample_rate: int, min_seconds: float) -> str:
    """Why samples `(samples,)` cannot be used, in words: too short, not finite, constant, silent; empty if they can."""
    import numpy as np

    seconds = len(samples) / sample_rate
    if seconds < min_seconds:
        return f"too short: {seconds:.3f} s, less than min_seconds = {min_seconds:g}"
    bad = int(np.count_nonzero(~np.isfinite(samples)))
    if bad:
        return f"not finite: {bad} samples are NaN or infinite"
    if samples[0] and samples.min() == samples.max():
        return f"constant: every sample is {samples[0]:.4g}"
    if float(np.std(samples, dtype=np.float64)) < 10 ** (SILENCE_DBOV / 20):  # an offset is not heard
        return f"silent: its RMS after down-mixing, without its offset, is below {SILENCE_DBOV:g} dBov"
    return ""


def clipping(samples: npt.NDArray[np.float32], sample_rate: int) -> str:
    """How samples `(samples,)` are clipped, in words; empty if they are not.

    Clipped means at full scale with one sign for half a millisecond: a peak-normalised recording touches full scale
    for a sample or two, never for that long.
    """
    run = max(longest_run(samples >= FULL_SCALE), longest_run(samples <= -FULL_SCALE))
    limit = max(4, round(CLIPPED_SECONDS * sample_rate))
    return f"clipped: {run} samples in a row at full scale" if run >= limit else ""


def longest_run(flags: npt.NDArray[np.bool_]) -> int:
    """Length of the longest run of true values.

    >>> import numpy as np
    >>> longest_run(np.array([True, False, True, True]))
    2
    """
    import numpy as np

    if not flags.any():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max())

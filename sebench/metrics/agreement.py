"""How well predicted scores agree with measured ones: what is defined on a set, not on an utterance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def mae(predicted: ArrayLike, measured: ArrayLike) -> float | None:
    """Mean absolute error; None without a pair."""
    p, m = _pairs(predicted, measured)
    return float(abs(p - m).mean()) if p.size else None


def lcc(predicted: ArrayLike, measured: ArrayLike) -> float | None:
    """Pearson's linear correlation coefficient; None where one of the two does not vary."""
    import numpy as np

    p, m = _pairs(predicted, measured)
    if p.size < 2 or p.std() == 0 or m.std() == 0:
        return None
    return float(np.corrcoef(p, m)[0, 1])


def _pairs(predicted: ArrayLike, measured: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both, flat, where both are there."""
    import numpy as np

    p, m = np.asarray(predicted, np.float64).reshape(-1), np.asarray(measured, np.float64).reshape(-1)
    there = np.isfinite(p) & np.isfinite(m)
    return p[there], m[there]

"""Verdicts on ordering claims of a source: "this row is better than that one in this column"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sebench.statistics.bootstrap import paired_difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Outcome = Literal["holds", "contradicted", "undecided", "missing"]


@dataclass(frozen=True)
class Verdict:
    """What our numbers say about a claim.

    Args:
        outcome: "holds" (the whole interval lies on the claim's side), "contradicted" (on the other side),
            "undecided" (it holds zero, or the rows are one) or "missing" (a row has no value).
        difference: better - worse in the column's unit, whatever its direction.
        low, high: 95% interval of the difference.
        scenes: how many scenes were paired.
        reason: why it is missing or undecided without an interval.
    """

    outcome: Outcome
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    scenes: int = 0
    reason: str = ""


def judge(
    better: NDArray[np.float64] | None, worse: NDArray[np.float64] | None, higher_is_better: bool = True
) -> Verdict:
    """Judge a claim by paired bootstrap.

    Args:
        better, worse: scores of the two rows, averaged over seeds, `(scenes, conditions)`, same scenes and
            conditions in the same order; None where a row has a hole.
        higher_is_better: direction of the column.
    """
    import numpy as np

    missing = [side for side, values in (("better", better), ("worse", worse)) if values is None]
    if missing:
        return Verdict(
            "missing", reason=f"no value in the row that should be {' nor in that which should be '.join(missing)}"
        )
    assert better is not None
    assert worse is not None
    if np.array_equal(better, worse, equal_nan=True):
        return Verdict("undecided", reason="both entries are equal, utterance by utterance")
    interval = paired_difference(better, worse)
    if interval is None:
        return Verdict("undecided", reason="fewer than two scenes are scored in both rows")
    return _from_bounds(interval.mean, interval.low, interval.high, interval.scenes, higher_is_better)


def judge_numbers(better: float | None, worse: float | None, higher_is_better: bool) -> Verdict:
    """Judge a claim on numbers without spread (parameters, operations)."""
    if better is None or worse is None:
        return Verdict("missing", reason="a row has no value")
    difference = better - worse
    return _from_bounds(difference, difference, difference, 0, higher_is_better)


def _from_bounds(difference: float, low: float, high: float, scenes: int, higher_is_better: bool) -> Verdict:
    above, below = low > 0, high < 0
    holds, contradicted = (above, below) if higher_is_better else (below, above)
    outcome: Outcome = "holds" if holds else "contradicted" if contradicted else "undecided"
    return Verdict(outcome, difference, low, high, scenes)

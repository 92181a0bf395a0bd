"""Verdicts on ordering claims."""

from __future__ import annotations

import numpy as np
import pytest

from sebench.statistics.claims import judge, judge_numbers

RNG = np.random.default_rng(0)
SCENE = RNG.standard_normal((40, 1))
BASE = SCENE + 0.1 * RNG.standard_normal((40, 5))
ABOVE = SCENE + 0.1 * RNG.standard_normal((40, 5)) + 0.2


@pytest.mark.parametrize(
    ("better", "worse", "higher", "outcome"),
    [
        (ABOVE, BASE, True, "holds"),
        (BASE, ABOVE, True, "contradicted"),
        (ABOVE, BASE, False, "contradicted"),
        (BASE, ABOVE, False, "holds"),
        (BASE, BASE + 0.1 * (RNG.standard_normal((40, 5)) - 0), True, "undecided"),
        (None, BASE, True, "missing"),
        (BASE, None, True, "missing"),
    ],
)
def test_outcomes(better, worse, higher, outcome):
    verdict = judge(better, worse, higher)
    assert verdict.outcome == outcome
    assert bool(verdict.reason) == (outcome == "missing")
    if outcome != "missing":
        assert verdict.low <= verdict.difference <= verdict.high
        assert verdict.scenes == 40


def test_a_row_against_itself_decides_nothing():
    partial = BASE.copy()
    partial[3] = np.nan
    verdict = judge(partial, partial.copy())
    assert verdict.outcome == "undecided"
    assert verdict.difference is None
    assert "equal" in verdict.reason


def test_difference_is_better_less_worse():
    assert judge(ABOVE, BASE).difference == pytest.approx(np.mean(ABOVE - BASE))


def test_one_scene_decides_nothing():
    verdict = judge(ABOVE[:1], BASE[:1])
    assert verdict.outcome == "undecided"
    assert verdict.reason


def test_only_common_scenes_count():
    partial = ABOVE.copy()
    partial[10:] = np.nan
    assert judge(partial, BASE).scenes == 10


def test_numbers():
    assert judge_numbers(16000, 62000, higher_is_better=False).outcome == "holds"
    assert judge_numbers(62000, 16000, higher_is_better=False).outcome == "contradicted"
    assert judge_numbers(5, 5, higher_is_better=False).outcome == "undecided"
    assert judge_numbers(None, 5, higher_is_better=False).outcome == "missing"

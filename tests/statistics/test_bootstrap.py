"""Intervals cover, pair and cluster as they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebench.statistics.bootstrap import mean_interval, mean_of_groups, paired_difference


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_coverage_of_a_known_mean():
    covered = sum(
        interval.low <= 0 <= interval.high
        for interval in (mean_interval(normal(seed, 40), resamples=400) for seed in range(300))
    )
    assert 0.89 <= covered / 300 <= 0.98  # percentile intervals of 40 values cover a little less than 95%


def test_width_is_that_of_the_standard_error():
    values = normal(1, 400)
    interval = mean_interval(values)
    expected = 2 * 1.96 * values.std() / np.sqrt(400)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.1)


def test_scenes_are_resampled_whole():
    scene = normal(2, 60)[:, None]
    repeated = np.repeat(scene, 5, axis=1)  # five conditions that say the same thing add no information
    one, five = mean_interval(scene), mean_interval(repeated)
    assert five.high - five.low == pytest.approx(one.high - one.low, rel=0.1)
    independent = mean_interval(normal(3, 60, 5))
    assert independent.high - independent.low < 0.6 * (one.high - one.low)


def test_pairing_removes_what_the_scenes_share():
    scene = 5 * normal(4, 50, 1)
    first, second = scene + 0.1 * normal(5, 50, 2) + 0.1, scene + 0.1 * normal(6, 50, 2)
    paired = paired_difference(first, second)
    assert paired.low > 0
    alone = mean_interval(first)
    assert paired.high - paired.low < 0.1 * (alone.high - alone.low)


def test_groups_weigh_the_same_however_many_values_are_missing():
    values = np.column_stack([np.zeros(20), np.ones(20)])
    values[:15, 1] = np.nan
    assert mean_of_groups(values) == 0.5
    assert mean_interval(values).mean == 0.5


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan, 1.0], [[1.0, np.nan], [2.0, np.nan]]])
def test_nothing_to_resample(values):
    assert mean_interval(np.array(values)) is None


def test_a_sparse_group_does_not_break_it():
    values = np.column_stack([np.arange(10.0), [5.0] + [np.nan] * 9])
    interval = mean_interval(values)
    assert np.isfinite([interval.mean, interval.low, interval.high]).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.floats(-10, 10), st.floats(0.1, 10))
def test_properties(values, shift, scale):
    array = np.array(values)
    interval = mean_interval(array, resamples=200)
    assert interval == mean_interval(array, resamples=200)
    tolerance = 1e-6 * (1 + np.abs(array).max())
    assert array.min() - tolerance <= interval.low <= interval.high <= array.max() + tolerance
    assert interval.mean == pytest.approx(array.mean(), abs=tolerance)
    mirrored = paired_difference(np.zeros_like(array), array, resamples=200)
    assert mirrored.mean == pytest.approx(-interval.mean, abs=tolerance)
    moved = mean_interval(scale * array + shift, resamples=200)
    assert moved.mean == pytest.approx(scale * interval.mean + shift, abs=20 * tolerance)

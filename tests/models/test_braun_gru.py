"""The network of Braun & Tashev: its size, its features, and its gains."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sebench.contracts.loss import make_batch
from sebench.estimate.batch import Batch
from sebench.models.braun_gru import FIRST_SECONDS, SECONDS, BraunGru
from sebench.models.complexity import complexity
from sebench.models.level import BLOCK, RunningNorm

FRAME_RATE = 62.5


def test_size_is_the_papers() -> None:
    found = complexity(BraunGru().eval())
    assert found["parameters"] == 2_781_655  # 2.8M in print
    assert found["network_macs_per_second"] / found["frames_per_second"] == 2_775_000


def test_the_outer_bins_get_nothing_and_the_others_between_nothing_and_all() -> None:
    gain = BraunGru()(make_batch()).gain
    assert bool((gain[:, [0, -1]] == 0).all())
    assert bool(((gain[:, 1:-1] > 0) & (gain[:, 1:-1] < 1)).all())


@pytest.mark.parametrize("frames", [1, 6, BLOCK, 2 * BLOCK + 17])
def test_normalisation_is_the_recursion(frames: int) -> None:
    values = torch.randn(2, frames, 3, generator=torch.Generator().manual_seed(1)) * 2 - 5
    found, _ = RunningNorm(SECONDS, FIRST_SECONDS, FRAME_RATE)(values)
    mean = square = None
    for t, x in enumerate(values.double().numpy().transpose(1, 0, 2)):
        a = math.exp(-1 / ((FIRST_SECONDS if t < 6 else SECONDS) * FRAME_RATE))
        mean = x if mean is None else a * mean + (1 - a) * x
        square = x**2 if square is None else a * square + (1 - a) * x**2
        expected = (x - mean) / np.sqrt(np.maximum(square - mean**2, 1e-12))
        np.testing.assert_allclose(found[:, t].numpy(), expected, rtol=1e-5, atol=1e-5)


def test_coefficients_are_those_of_the_public_baseline_at_this_frame_rate() -> None:
    first, later = RunningNorm(SECONDS, FIRST_SECONDS, FRAME_RATE).coefficients
    assert (first, later) == (pytest.approx(0.8521, abs=1e-4), pytest.approx(0.99468, abs=1e-5))


def test_the_gain_does_not_change_with_the_level() -> None:
    model = BraunGru(embed=8, hidden=8, dense=8)
    noisy = make_batch().noisy
    one, other = (model(Batch(factor * noisy)).gain for factor in (1.0, 0.1))
    torch.testing.assert_close(one[:, :, 3:], other[:, :, 3:], rtol=0, atol=1e-3)

"""The figure of distributions: densities of signals whose distribution is known."""

from __future__ import annotations

import numpy as np
import pytest

from sebench.figures.distributions import RANGE, DistributionsSpec, densities, draw

SPEC = DistributionsSpec(title="x", exponent=0.3, window_length=512, hop=256, minutes=1.0)


@pytest.fixture(scope="module")
def found():
    noise = np.random.default_rng(0).standard_normal(320000).astype(np.float32)
    return densities([noise[:160000], noise[160000:]], SPEC)


def test_white_noise_has_a_normal_spectrum(found) -> None:
    place, density = found["linear, complex"]
    normal = np.exp(-(place**2) / 2) / np.sqrt(2 * np.pi)
    assert np.abs(density - normal).max() < 0.02


def test_compression_takes_weight_from_zero_and_logarithms_are_skewed(found) -> None:
    place, linear = found["linear, complex"]
    _, compressed = found["compressed (c = 0.3), complex"]
    middle = np.abs(place).argmin()
    assert compressed[middle] < linear[middle]
    _, log = found["log magnitude"]
    assert (place**3 * log).sum() < 0  # the left tail of a log-Rayleigh variable is the long one


def test_densities_integrate_to_what_lies_in_range(found) -> None:
    for place, density in found.values():
        assert 0.98 < density.sum() * (place[1] - place[0]) <= 1.0 + 1e-9
        assert np.abs(place).max() < RANGE


def test_silence_is_left_out() -> None:
    noise = np.random.default_rng(0).standard_normal(64000).astype(np.float32)
    found = densities([np.concatenate([noise, np.zeros(64000, np.float32)])], SPEC)
    assert all(np.isfinite(density).all() for _, density in found.values())
    assert draw("title", found) is not None

"""DNSMOS: equal to the package's own scores, and what noise, level and length do."""

from __future__ import annotations

import numpy as np
import pytest

from sebench.config.items import build
from sebench.metrics.dnsmos import _windows

RATE = 16000
KEYS = {"ovrl": "ovrl_mos", "sig": "sig_mos", "bak": "bak_mos"}


def opinion(name: str, estimate, **params) -> float:
    metric = build({"type": name, "params": params}, "metric")
    found = metric.compute(clean=None, estimate=estimate, noisy=None, sample_rate=RATE)
    assert found.status == "ok", found.reason
    return found.value


@pytest.fixture(scope="module")
def theirs():
    pytest.importorskip("librosa")
    package = pytest.importorskip("speechmos.dnsmos")
    return lambda signal: package.run(np.asarray(signal, np.float64), RATE)


@pytest.mark.parametrize("samples", [4000, int(2.3 * RATE), int(11.2 * RATE)])
def test_equal_to_the_package(theirs, spoken, samples):
    signal = np.resize(spoken["noisy"], samples)
    expected = theirs(signal)
    assert opinion("dnsmos_p808", signal) == pytest.approx(expected["p808_mos"], abs=1e-5)
    for score, key in KEYS.items():
        assert opinion("dnsmos_p835", signal, score=score) == pytest.approx(expected[key], abs=1e-5)


def test_windows_are_the_packages(theirs, spoken):
    """Of 17 s the windows from 7 s on lack a sample and are left out."""
    signal = np.resize(spoken["clean"], 17 * RATE) * np.linspace(1.0, 0.1, 17 * RATE, dtype=np.float32)
    assert opinion("dnsmos_p808", signal) == pytest.approx(theirs(signal)["p808_mos"], abs=1e-5)


@pytest.mark.parametrize(("seconds", "count"), [(1, 7), (4.6, 1), (9.01, 1), (10.9, 1), (11, 2), (16, 7), (34, 8)])
def test_one_window_a_second_of_the_repeated_signal(seconds, count):
    windows = list(_windows(np.arange(round(seconds * RATE)), RATE))
    assert len(windows) == count
    assert {window.size for window in windows} == {144160}


@pytest.mark.parametrize(("name", "params"), [("dnsmos_p808", {}), ("dnsmos_p835", {"score": "bak"})])
def test_more_noise_is_worse(spoken, name, params):
    noise = spoken["noisy"] - spoken["clean"]
    ladder = [opinion(name, spoken["clean"] + gain * noise, **params) for gain in (3.0, 1.0, 0.3, 0.0)]
    assert (np.diff(ladder) > 0).all()


@pytest.mark.parametrize("name", ["dnsmos_p808", "dnsmos_p835"])
def test_beyond_full_scale_is_scaled_to_it_and_said(name, spoken):
    full = spoken["clean"] / np.abs(spoken["clean"]).max()
    metric = build({"type": name}, "metric")
    loud, as_is = (
        metric.compute(clean=None, estimate=signal, noisy=None, sample_rate=RATE) for signal in (4.0 * full, full)
    )
    assert loud.value == pytest.approx(as_is.value, abs=1e-6)
    assert loud.reason == "scaled to full scale: its peak is 4"
    assert not as_is.reason
    clipped = metric.compute(clean=None, estimate=(4.0 * full).clip(-1, 1), noisy=None, sample_rate=RATE)
    assert abs(clipped.value - loud.value) > 0.05, "clipping would be heard"


def test_a_quarter_of_a_second_is_rated_and_less_is_not(spoken):
    metric = build({"type": "dnsmos_p808"}, "metric")
    for samples, status in ((4000, "ok"), (3999, "failed"), (1, "failed")):
        signal = spoken["clean"][8000 : 8000 + samples] + 1e-3 * np.arange(samples) / samples
        assert metric.compute(clean=None, estimate=signal, noisy=None, sample_rate=RATE).status == status


def test_a_short_signal_is_repeated(spoken):
    signal = spoken["noisy"][:RATE]
    assert opinion("dnsmos_p808", signal) == opinion("dnsmos_p808", np.tile(signal, 2))

"""What every registered metric must do; a new metric is tested by being there."""

from __future__ import annotations

import numpy as np
import pytest

from sebench.config.items import build, registry
from sebench.corpora.audio import resample
from sebench.metrics.base import MetricValue, installed

RATE = 16000
METRICS = [name for name, item in registry("metric").items() if item.builtin]


@pytest.fixture(params=METRICS)
def metric(request):
    found = build({"type": request.param}, "metric")
    if not installed(found.package):
        pytest.skip(f"the package {found.package} is not installed")
    return found


@pytest.fixture(scope="module")
def signals(make_signals):
    return make_signals(2.3)  # of which DNSMOS makes one window, of 2 s it makes seven


def score(metric, clean, estimate, noisy) -> MetricValue:
    found = metric.compute(clean=clean, estimate=estimate, noisy=noisy, sample_rate=RATE)
    assert (found.value is not None) == (found.status == "ok")
    assert found.reason or found.status == "ok"
    assert found.value is None or np.isfinite(found.value)
    return found


def test_all_are_there():
    assert {"pesq_nb", "pesq_wb", "pesqc2", "stoi", "estoi", "si_sdr", "delta_snr", "seg_snr", "delta_seg_snr"} <= set(
        METRICS
    )
    assert {"dnsmos_p808", "dnsmos_p835", "srmr"} <= set(METRICS)


def test_facts(metric):
    assert metric.version >= 1
    assert metric.source
    assert metric.sample_rate == RATE
    low, high = metric.bounds
    assert low is None or high is None or low < high


def test_identity_is_best_and_within_bounds(metric, spoken):
    clean, noisy = spoken["clean"], spoken["noisy"]
    values = [score(metric, clean, estimate, noisy).value for estimate in (clean, noisy, clean + 3 * (noisy - clean))]
    sign = 1 if metric.higher_is_better else -1
    ordered = [sign * value for value in values]
    assert ordered[0] > ordered[1] > ordered[2]
    low, high = metric.bounds
    for value in values:
        assert low is None or value >= low - 1e-9
        assert high is None or value <= high + 1e-9


def test_direction_over_a_noise_ladder(metric, spoken):
    clean, noise = spoken["clean"], spoken["noisy"] - spoken["clean"]
    noisy = clean + 2 * noise
    ladder = [score(metric, clean, clean + gain * noise, noisy).value for gain in (2.0, 0.5, 0.125)]
    assert (np.diff(ladder) > 0).all() if metric.higher_is_better else (np.diff(ladder) < 0).all()


def test_deterministic_and_leaves_global_randomness_alone(metric, signals):
    half = signals["noisy"].copy()
    half[len(half) // 2 :] = 0  # silent bands are where ESTOI's own noise shows
    before = np.random.get_state()[1].copy()
    first = score(metric, signals["clean"], half, signals["noisy"])
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(99)
    second = score(metric, signals["clean"], half, signals["noisy"])
    assert first == second


def test_inputs_are_not_changed(metric, signals):
    copies = {name: signal.copy() for name, signal in signals.items()}
    score(metric, copies["clean"], copies["noisy"], copies["noisy"])
    for name, signal in signals.items():
        np.testing.assert_array_equal(copies[name], signal)


@pytest.mark.parametrize("samples", [0, 1, 100, 3000])
def test_short_signals_give_a_value_or_a_reason(metric, signals, samples):
    clean, noisy = signals["clean"][:samples], signals["noisy"][:samples]
    score(metric, clean, noisy, noisy)


def test_silent_reference_is_a_reason(metric, signals):
    silence = np.zeros_like(signals["clean"])
    found = score(metric, silence, signals["noisy"], signals["noisy"])
    assert found.status == ("failed" if metric.needs_reference else "ok")
    assert not metric.needs_reference or "silent" in found.reason


def test_silent_estimate_is_no_exception_and_never_good(metric, signals):
    found = score(metric, signals["clean"], np.zeros_like(signals["clean"]), signals["noisy"])
    if found.value is not None and metric.higher_is_better:
        assert found.value <= score(metric, signals["clean"], signals["clean"], signals["noisy"]).value


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("role", ["clean", "estimate", "noisy"])
def test_non_finite_samples_are_a_reason(metric, signals, role, bad):
    given = {"clean": signals["clean"], "estimate": signals["noisy"], "noisy": signals["noisy"]}
    given[role] = given[role].copy()
    given[role][17] = bad
    assert score(metric, **given) == MetricValue(None, f"the {role} signal is not finite", "failed")


def test_a_constant_reference_is_a_reason(metric, signals):
    found = score(metric, np.full_like(signals["clean"], 0.1), signals["noisy"], signals["noisy"])
    assert found.status == ("failed" if metric.needs_reference else "ok")
    assert not metric.needs_reference or found.reason == "the clean reference is constant"


def test_a_constant_estimate_is_rated_by_nothing_that_listens(metric, signals):
    found = score(metric, signals["clean"], np.full_like(signals["clean"], 0.1), signals["noisy"])
    if metric.unit == "dB" and metric.name != "si_sdr":  # differences of samples, which are defined
        assert found.value < score(metric, signals["clean"], signals["noisy"], signals["noisy"]).value
    else:
        assert found.status == "failed"
        assert "constant" in found.reason


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e9, 1e30, 1e200])
@pytest.mark.parametrize("which", ["estimate", "all"])
def test_any_level_gives_a_value_within_bounds_or_a_reason(metric, signals, scale, which):
    clean = signals["clean"].astype(float)
    estimate = scale * signals["noisy"].astype(float)
    found = score(metric, scale * clean if which == "all" else clean, estimate, signals["noisy"])
    low, high = metric.bounds
    assert found.value is None or low is None or found.value >= low - 1e-3
    assert found.value is None or high is None or found.value <= high + 1e-3


@pytest.mark.parametrize("samples", [1, 2, 17, 160])
def test_nothing_that_listens_rates_a_few_samples(metric, spoken, samples):
    found = score(metric, *(spoken[role][8000 : 8000 + samples] for role in ("clean", "noisy", "noisy")))
    assert metric.unit == "dB" or found.status == "failed"


def test_an_offset_on_the_estimate_is_no_exception(metric, signals):
    score(metric, signals["clean"], signals["noisy"] + 0.5, signals["noisy"])


def test_files_at_another_rate_have_a_score_that_says_so_or_a_reason(metric, spoken):
    for rate in (8000, 48000):
        given = {role: resample(signal, RATE, rate) for role, signal in spoken.items()}
        found = metric.compute(**given, estimate=given["noisy"], sample_rate=rate)
        own, down = metric.other_rates == "own" or rate in metric.own_rates, metric.other_rates == "down"
        if own or (down and rate > RATE):
            assert found.status == "ok"
            assert str(rate) in found.reason
            if down and not own:
                home = {role: resample(signal, rate, RATE) for role, signal in given.items()}
                assert found.value == pytest.approx(
                    score(metric, home["clean"], home["noisy"], home["noisy"]).value, abs=0.01
                )
        else:
            assert found.status == "not_applicable"
            assert f"not {rate}" in found.reason


def test_lengths_that_differ_are_a_reason(metric, signals):
    found = score(metric, signals["clean"], signals["noisy"][:-1], signals["noisy"])
    assert found.status == "failed"
    assert "samples" in found.reason


def test_no_reference_is_not_applicable_or_makes_no_difference(metric, signals):
    clean, noisy = signals["clean"], signals["noisy"]
    found = score(metric, None, noisy, noisy)
    if metric.needs_reference:
        assert found == MetricValue(None, "no clean reference", "not_applicable")
    else:
        assert found.status == "ok"
        assert found == score(metric, clean, noisy, clean) == score(metric, None, noisy, None)


def test_no_mixture_is_not_applicable_or_makes_no_difference(metric, signals):
    clean, noisy = signals["clean"], signals["noisy"]
    found = score(metric, clean, noisy, None)
    if metric.needs_noisy:
        assert found == MetricValue(None, "no noisy mixture", "not_applicable")
    else:
        assert found == score(metric, clean, noisy, clean)


def test_silence_without_a_reference_is_a_reason(metric, signals):
    found = score(metric, None, np.zeros_like(signals["clean"]), None)
    assert found.status == ("not_applicable" if metric.needs_reference else "failed")
    assert metric.needs_reference or "silent" in found.reason

"""What PESQ's C code has no room for is refused before it is called, and what it has room for is scored."""

from __future__ import annotations

import numpy as np
import pytest

from sebench.config.items import build
from sebench.metrics import pesq_limits
from sebench.metrics.base import installed

RATE = 16000
FORMS = ["pesq_nb", "pesq_wb", "pesqc2"]


def phrase(seconds: float, pitch: float, rate: int) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 20))
    return 0.07 * np.sin(np.pi * time / seconds) ** 0.5 * voice


def talk(phrases: int, *, speech: float = 0.25, pause: float = 0.25, rate: int = RATE) -> np.ndarray:
    parts = [(phrase(speech, 120 + 2 * i, rate), np.zeros(round(pause * rate))) for i in range(phrases)]
    return np.concatenate([piece for pair in parts for piece in pair])


def scored(form: str, clean: np.ndarray, rate: int = RATE):
    metric = build({"type": form}, "metric")
    if not installed(metric.package):
        pytest.skip(f"the package {metric.package} is not installed")
    return metric.compute_at(clean=clean, estimate=clean, noisy=None, sample_rate=rate)


@pytest.mark.parametrize("form", FORMS)
def test_fifty_utterances_are_scored_and_not_one_more(form):
    found = scored(form, talk(50))
    assert found.status == "ok"
    assert found.value > 4.5, "of a signal with itself"
    for more in (talk(51), talk(60), np.concatenate([talk(50), talk(1, speech=0.08)])):
        refused = scored(form, more)
        assert refused.status == "failed"
        assert "room for 50 utterances, and the reference has more: number 51 begins at 25." in refused.reason


def test_narrow_band_at_8_khz_has_the_same_limit():
    assert scored("pesq_nb", talk(50, rate=8000), 8000).status == "ok"
    assert "number 51" in scored("pesq_nb", talk(51, rate=8000), 8000).reason


@pytest.mark.parametrize("form", FORMS)
def test_a_quarter_of_a_second_is_scored_and_less_is_not(form):
    clean = phrase(1.0, 140, RATE)
    assert scored(form, clean[4000:8000]).status == "ok"
    assert "needs 0.25 s, has 0.250 s" in scored(form, clean[4000:7999]).reason


def test_longer_than_what_the_code_is_safe_for_is_refused_before_it_is_called(monkeypatch):
    monkeypatch.setattr(pesq_limits, "_library", lambda package: pytest.fail("the C code was called"))
    found = scored("pesq_wb", np.resize(talk(1), 127 * RATE + 1))
    assert "safe for up to 127 s" in found.reason
    assert "has 127.0 s" in found.reason


@pytest.mark.slow
def test_the_longest_is_scored():
    speech = talk(1, speech=4.0, pause=0.5)
    assert scored("pesq_nb", np.resize(speech, 127 * RATE)).status == "ok"


def test_nothing_shorter_than_what_is_looked_at_holds_more_than_fifty():
    """The densest that the activity detection keeps apart, in the longest that is not looked at."""
    dense = talk(80, speech=0.2, pause=0.2)[: int(pesq_limits.SAFE_SECONDS * RATE)]
    for wide in (False, True):
        active = pesq_limits.active_windows("pesq", dense, RATE, wide=wide)
        lengths = [end - start for start, end in pesq_limits.stretches(active)]
        assert sum(length >= pesq_limits.UTTERANCE_WINDOWS for length in lengths) <= 50

"""Levels against known answers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebench.seeding import generator
from sebench.synthesis.levels import MEASURES, active_rms_level, active_speech_level, heard, rms_level

RATE = 16000
NOISE = generator("levels").standard_normal(6 * RATE) * 0.05


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_full_scale_rms_is_0_dbov(measure: str) -> None:
    square = np.tile([1.0, -1.0], 2 * RATE)
    assert MEASURES[measure](square, RATE) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_steady_signals_have_their_rms(measure: str) -> None:
    sine = 0.1 * np.sin(2 * np.pi * 440 * np.arange(6 * RATE) / RATE)
    assert MEASURES[measure](sine, RATE) == pytest.approx(20 * math.log10(0.1 / math.sqrt(2)), abs=0.05)
    assert MEASURES[measure](NOISE, RATE) == pytest.approx(rms_level(NOISE), abs=0.05)


@pytest.mark.parametrize("pause_db", [-math.inf, -60.0])
def test_active_level_is_that_of_the_active_half(pause_db: float) -> None:
    pause = NOISE * 10 ** (pause_db / 20)
    halves = np.concatenate([NOISE, pause])
    active = active_speech_level(halves, RATE)
    # P.56 counts the 0.2 s of hangover after the burst as active.
    assert active == pytest.approx(rms_level(NOISE) - 10 * math.log10(6.2 / 6), abs=0.1)
    assert active == pytest.approx(rms_level(NOISE), abs=0.3)
    assert rms_level(halves) == pytest.approx(rms_level(NOISE) - 3.01, abs=0.02)
    assert active_rms_level(halves, RATE) == pytest.approx(rms_level(NOISE), abs=0.02)


def test_appended_silence_changes_the_rms_only(speech_like: Callable) -> None:
    speech = speech_like(1, 5.0)
    longer = np.concatenate([speech, np.zeros(20 * RATE)])
    assert active_speech_level(longer, RATE) == pytest.approx(active_speech_level(speech, RATE), abs=0.3)
    assert active_rms_level(longer, RATE) == pytest.approx(active_rms_level(speech, RATE), abs=0.01)
    assert rms_level(longer) < rms_level(speech) - 6


@pytest.mark.parametrize("seed", range(8))
def test_series_of_sv56_gives_the_same_level(speech_like: Callable, seed: int) -> None:
    speech = speech_like(seed, 4.0)
    fixed = active_speech_level(speech, RATE, anchor=0.5)
    assert active_speech_level(speech, RATE) == pytest.approx(fixed, abs=0.15)


@settings(deadline=None, max_examples=25)
@given(gain_db=st.floats(-120, 40), seed=st.integers(0, 5), measure=st.sampled_from(sorted(MEASURES)))
def test_scaling_a_signal_scales_its_level(speech_like: Callable, gain_db: float, seed: int, measure: str) -> None:
    speech = speech_like(seed, 2.0)
    scaled = MEASURES[measure](speech * 10 ** (gain_db / 20), RATE)
    assert scaled == pytest.approx(MEASURES[measure](speech, RATE) + gain_db, abs=1e-6)


@pytest.mark.parametrize("measure", sorted(MEASURES))
@pytest.mark.parametrize("samples", [0, 1, RATE])
def test_silence_is_minus_infinity(measure: str, samples: int) -> None:
    assert MEASURES[measure](np.zeros(samples), RATE) == -math.inf


@pytest.mark.parametrize("place", [0, RATE, 2 * RATE - 1])
def test_a_lone_click_has_a_finite_level(place: int) -> None:
    click = np.zeros(2 * RATE)
    click[place] = 1.0
    assert math.isfinite(active_speech_level(click, RATE))


def test_an_offset_is_not_heard_and_an_ordinary_recording_stays_as_it_is() -> None:
    assert heard(NOISE) is NOISE
    small = NOISE + 0.001 * np.sqrt(np.mean(NOISE**2))
    assert heard(small) is small
    assert rms_level(small) == pytest.approx(rms_level(NOISE), abs=0.001)
    for offset in (-3.0, 0.01, 0.5):
        assert rms_level(heard(1e-3 * NOISE + offset)) == pytest.approx(rms_level(NOISE) - 60.0, abs=0.001)
    for constant in (0.0, 0.05, -1.0):
        assert not heard(np.full(RATE, constant, dtype=np.float32)).any()
    assert len(heard(np.zeros(0))) == 0

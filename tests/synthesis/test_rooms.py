"""Rooms: alignment, gain, decay."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from sebench.config.mixing import Reverberation
from sebench.seeding import generator
from sebench.synthesis import rooms
from sebench.synthesis.plan import _room_columns

RATE = 16000


def lag_of_peak(a: np.ndarray, b: np.ndarray) -> int:
    size = len(a) + len(b)
    correlation = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    peak = int(np.argmax(correlation))
    return peak if peak <= size // 2 else peak - size


@pytest.mark.parametrize("distance", [0.1, 0.37, 1.0])
def test_direct_path_lies_on_the_speech_with_gain_one(distance: float) -> None:
    response = rooms.simulate((4.0, 5.0, 3.0), 0.3, (0.0, distance, 0.0), RATE)
    speech = generator("direct").standard_normal(RATE)
    speech = np.convolve(speech, np.hanning(9) / 4, "same")  # the fractional delay is exact below the Nyquist frequency
    dry, wet = response.dry(speech), response.reverberant(speech)
    assert dry.shape == wet.shape == speech.shape
    assert lag_of_peak(dry, speech) == 0
    assert lag_of_peak(wet, dry) == 0
    assert np.sqrt(np.mean(dry**2) / np.mean(speech**2)) == pytest.approx(1.0, abs=0.01)


def test_dry_is_exactly_the_direct_part_of_the_reverberant_response() -> None:
    response = rooms.simulate((8.0, 8.0, 3.5), 0.2, (0.2, 0.1, 0.0), RATE)
    first_reflection = response.delay + round((3.5 - 0.3) / rooms.SPEED_OF_SOUND * RATE) - 41
    direct = np.pad(response.direct, (0, len(response.full) - len(response.direct)))
    assert first_reflection > response.delay + 40
    assert np.array_equal(response.full[:first_reflection], direct[:first_reflection])
    assert np.sum(response.full**2) > np.sum(response.direct**2)


def test_responses_do_not_depend_on_threads_or_on_what_came_before() -> None:
    from pyroomacoustics.parameters import constants

    first = rooms.simulate((3.0, 4.0, 2.5), 0.3, (0.3, 0.2, 0.1), RATE)
    before = constants.get("num_threads")
    constants.set("num_threads", 3)
    try:
        second = rooms.simulate((3.0, 4.0, 2.5), 0.3, (0.3, 0.2, 0.1), RATE)
        assert constants.get("num_threads") == 3
    finally:
        constants.set("num_threads", before)
    assert first.full.tobytes() == second.full.tobytes()


def test_sabine_spans_the_reverberation_times_of_the_paper() -> None:
    # arXiv 2111.03847: rooms of 3..10 x 3..10 x 2.5..3.5 m, absorption 0.1..0.3, "RT60 0.28 to 1.66 s".
    assert rooms.sabine_rt60((10, 10, 3.5), 0.1) == pytest.approx(1.66, abs=0.005)
    assert rooms.sabine_rt60((3, 3, 2.5), 0.3) == pytest.approx(0.25, abs=0.005)
    drawn = []
    for seed in range(300):
        room = json.loads(_room_columns(Reverberation(probability=1), [], generator("sabine", seed))["room"])
        drawn.append(rooms.sabine_rt60(room["size"], room["absorption"]))
    assert 0.25 < min(drawn) < 0.36
    assert 1.2 < max(drawn) < 1.66


@pytest.mark.parametrize(("size", "absorption"), [((5.0, 6.0, 3.0), 0.3), ((3.0, 3.0, 2.5), 0.2)])
def test_energy_decays_at_about_the_sabine_rate(size: tuple[float, float, float], absorption: float) -> None:
    response = rooms.simulate(size, absorption, (0.5, 0.3, 0.2), RATE, decay_db=60)
    energy = np.cumsum(response.full[::-1] ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0])
    t20 = 3 * (np.argmax(level < -25) - np.argmax(level < -5)) / RATE
    # Specular images decay more slowly than Sabine's diffuse field: paths along the long side meet fewer walls.
    assert 0.9 < t20 / rooms.sabine_rt60(size, absorption) < 1.7


def test_image_order_follows_from_the_mean_free_path() -> None:
    size, absorption = (4.0, 5.0, 3.0), 0.2
    volume, surface = math.prod(size), 2 * (20 + 12 + 15)
    reflections = rooms.SPEED_OF_SOUND * rooms.sabine_rt60(size, absorption) * surface / (4 * volume)
    assert rooms.image_order(absorption, 60) == math.ceil(reflections)


def test_measured_response_is_aligned_and_of_positive_polarity(decaying: Callable) -> None:
    response = rooms.measured(decaying(3, peak=123), RATE, direct_ms=2.5)
    speech = generator("measured").standard_normal(RATE)
    assert response.delay == 123
    assert len(response.direct) == 123 + 1 + 40
    assert lag_of_peak(response.dry(speech), speech) == 0
    assert lag_of_peak(response.reverberant(speech), response.dry(speech)) == 0
    assert np.mean(response.dry(speech) * speech) / np.mean(speech**2) == pytest.approx(1.0, abs=0.02)


def test_silent_response_is_refused() -> None:
    with pytest.raises(ValueError, match="silent"):
        rooms.measured(np.zeros(100), RATE)

"""Rooms: alignment, gain, order. Their reverberation times: `test_reverberation_time.py`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from sebench.seeding import generator
from sebench.synthesis import rooms

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

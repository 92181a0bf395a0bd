"""Segmental SNR: against a transcription frame by frame, and what it must do by its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sebench.config.items import build

RATE = 16000


def compute(name: str, clean, estimate, noisy=None):
    return build({"type": name}, "metric").compute(clean=clean, estimate=estimate, noisy=noisy, sample_rate=RATE)


def transcribed(clean, estimate) -> float:
    """Loizou's loop, with its two epsilons."""
    length, skip, eps = round(30 * RATE / 1000), math.floor(round(30 * RATE / 1000) / 4), np.finfo(float).eps
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(1, length + 1) / (length + 1)))
    ratios = []
    for frame in range(int(len(clean) / skip - length / skip)):
        part = slice(frame * skip, frame * skip + length)
        speech, processed = clean[part] * window, estimate[part] * window
        ratio = 10 * np.log10(np.sum(speech**2) / (np.sum((speech - processed) ** 2) + eps) + eps)
        ratios.append(min(max(ratio, -10), 35))
    return float(np.mean(ratios))


@pytest.mark.parametrize("samples", [600, 719, 720, 5000, 32000])
def test_agrees_with_the_loop(signals, samples):
    clean, noisy = (signals[role][-samples:].astype(np.float64) for role in ("clean", "noisy"))
    clean[samples // 2 :] = 0.0
    noisy[3 * samples // 4 :] = 0.0
    assert compute("seg_snr", clean, noisy).value == pytest.approx(transcribed(clean, noisy), abs=1e-9)


def test_limits():
    clean = np.random.default_rng(0).standard_normal(RATE)
    assert compute("seg_snr", clean, clean).value == pytest.approx(35.0)
    assert compute("seg_snr", clean, clean * (1 + 1e-6)).value == pytest.approx(35.0)
    assert compute("seg_snr", clean, 100 * clean).value == pytest.approx(-10.0)
    assert compute("seg_snr", clean, 0 * clean).value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_a_steady_snr_is_every_frames(scale):
    clean = scale * np.random.default_rng(0).standard_normal(RATE)
    noise = 10 ** (-7 / 20) * clean[::-1] * np.sign(np.random.default_rng(1).standard_normal(RATE))
    same_in_all_frames = 10 ** (-7 / 20) * clean
    assert compute("seg_snr", clean, clean + same_in_all_frames).value == pytest.approx(7.0, abs=1e-9)
    # within the limits, a factor on the noise is decibels of improvement
    better = compute("delta_seg_snr", clean, clean + 0.5 * noise, clean + noise).value
    assert better == pytest.approx(20 * math.log10(2), abs=1e-9)


def test_digital_silence_gains_nothing(signals):
    clean, noise = signals["clean"].copy(), signals["noisy"] - signals["clean"]
    clean[: len(clean) // 2] = 0.0
    noisy = clean + noise
    cleaned = noisy.copy()
    cleaned[: len(clean) // 2 - 480] = 0.0
    assert compute("delta_seg_snr", clean, cleaned, noisy).value == pytest.approx(0.0, abs=0.3)


def test_improvement_is_the_difference(signals):
    clean, noisy = signals["clean"], signals["noisy"]
    estimate = 0.7 * clean + 0.3 * noisy
    after, before = (compute("seg_snr", clean, x).value for x in (estimate, noisy))
    assert compute("delta_seg_snr", clean, estimate, noisy).value == pytest.approx(after - before, abs=1e-12)
    assert compute("delta_seg_snr", clean, noisy, noisy).value == 0.0


def test_less_than_a_frame_is_a_reason(signals):
    found = compute("seg_snr", signals["clean"][-599:], signals["noisy"][-599:])
    assert (found.status, found.reason) == ("failed", "segmental SNR needs 37.5 ms, has 37.4 ms")

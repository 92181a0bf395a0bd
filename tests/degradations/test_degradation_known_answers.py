"""What each degradation does, against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import soundfile

from sebench.config.items import build
from sebench.errors import DataError

RATE = 16000


def degraded(signal: np.ndarray, name: str, seed: int = 0, rate: int = RATE, **params: object) -> np.ndarray:
    made = build({"type": name, "params": params}, "degradation")
    return np.asarray(made.apply(signal.astype(np.float32), rate, np.random.default_rng(seed)), np.float64)


def noise(seconds: float = 4.0, rate: int = RATE) -> np.ndarray:
    return 0.1 * np.random.default_rng(7).standard_normal(round(seconds * rate))


def response_db(name: str, frequencies: list[float], rate: int = RATE, **params: object) -> np.ndarray:
    """Magnitude of a linear degradation, from what it makes of an impulse in the middle of silence."""
    impulse = np.zeros(rate)
    impulse[rate // 2] = 0.5
    spectrum = np.abs(np.fft.rfft(degraded(impulse, name, rate=rate, **params))) / 0.5
    return 20 * np.log10(spectrum[np.array(frequencies, int)] + 1e-12)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_nothing_is_left_above_a_band_limit_and_all_below(rate: int) -> None:
    found = response_db("band_limit", [500, 3000, 4200, 6000], rate, cutoff_hz=4000)
    assert found[:2] == pytest.approx([0, 0], abs=0.01)
    assert found[2:].max() < -80


@pytest.mark.parametrize(("low_hz", "high_hz"), [(None, 3000.0), (300.0, None), (300.0, 3000.0)])
def test_butterworth_is_butterworths_formula(low_hz: float | None, high_hz: float | None) -> None:
    """1 / sqrt(1 + (tan / tan)^(2n)) of the bilinear transform, once for each direction."""
    frequencies = np.array([100.0, 300.0, 1000.0, 3000.0, 4500.0])
    warped = np.tan(np.pi * frequencies / RATE)
    if low_hz is None:
        ratio = warped / np.tan(np.pi * high_hz / RATE)
    elif high_hz is None:
        ratio = np.tan(np.pi * low_hz / RATE) / warped
    else:
        low, high = (np.tan(np.pi * edge / RATE) for edge in (low_hz, high_hz))
        ratio = (warped**2 - low * high) / (warped * (high - low))
    expected = -20 * np.log10(1 + np.abs(ratio) ** (2 * 3))  # order 6: 3 in each direction
    found = response_db("butterworth", list(frequencies), low_hz=low_hz, high_hz=high_hz, order=6)
    assert found == pytest.approx(expected, abs=0.05)


def test_a_microphone_is_its_three_curves() -> None:
    """SciPy's own low cut; the peak and the shelf by their gains where the cookbook fixes them."""
    flat = {"peak_db": 0.0, "shelf_db": 0.0, "low_hz": 100.0}
    sections = scipy.signal.butter(2, 100.0, "highpass", fs=RATE, output="sos")
    _, expected = scipy.signal.sosfreqz(sections, [50.0, 100.0, 400.0], fs=RATE)
    assert response_db("microphone", [50, 100, 400], **flat) == pytest.approx(20 * np.log10(abs(expected)), abs=0.02)
    peak = {**flat, "low_hz": 5.0, "peak_db": 9.0, "peak_hz": 2000.0, "peak_q": 2.0}
    assert response_db("microphone", [100, 2000, 7900], **peak) == pytest.approx([0.0, 9.0, 0.0], abs=0.05)
    shelf = {**flat, "low_hz": 5.0, "shelf_db": -12.0, "shelf_hz": 1000.0}
    assert response_db("microphone", [50, 1000, 7900], **shelf) == pytest.approx([0.0, -6.0, -12.0], abs=0.05)


def test_a_microphone_is_minimum_phase() -> None:
    made = build({"type": "microphone", "params": {}}, "degradation")
    zeros, poles, _ = scipy.signal.sos2zpk(made.sections(RATE))
    assert np.abs(poles).max() < 1
    assert np.abs(zeros).max() <= 1 + 1e-6


def test_clipping_is_at_its_share_of_the_peak() -> None:
    signal = noise()
    peak = np.abs(signal.astype(np.float32)).max()
    hard = degraded(signal, "clipping", threshold=0.25)
    assert np.abs(hard).max() == pytest.approx(0.25 * peak)
    inside = np.abs(signal) < 0.249 * peak
    assert hard[inside] == pytest.approx(signal[inside], abs=1e-7)
    assert hard[~inside] == pytest.approx(np.clip(signal, -0.25 * peak, 0.25 * peak)[~inside], abs=1e-7)
    soft = degraded(signal, "clipping", threshold=0.25, form="soft")
    assert np.abs(soft).max() < 0.25 * peak
    small = np.abs(signal) < 0.01 * peak
    assert soft[small] == pytest.approx(signal[small], rel=1e-2, abs=1e-6)


@pytest.mark.parametrize("bits", [6, 8, 12])
def test_the_snr_of_a_quantised_sine_is_six_db_a_bit(bits: int) -> None:
    signal = (1 - 2.0 ** (1 - bits)) * np.sin(2 * np.pi * 997.3 * np.arange(4 * RATE) / RATE)
    error = degraded(signal, "bit_reduction", bits=bits) - signal
    found = 10 * np.log10(np.mean(signal**2) / np.mean(error**2))
    level = 20 * np.log10(1 - 2.0 ** (1 - bits))
    assert found == pytest.approx(6.02 * bits + 1.76 + level, abs=0.25)


def test_mu_law_keeps_its_snr_at_low_levels() -> None:
    loud = np.sin(2 * np.pi * 997.3 * np.arange(2 * RATE) / RATE)

    def snr_db(signal: np.ndarray, scale: str) -> float:
        error = degraded(signal, "bit_reduction", bits=8, scale=scale) - signal
        return float(10 * np.log10(np.mean(signal**2) / np.mean(error**2)))

    # The curve of 8-bit mu-law lies between 36 and 39 dB there; the even scale loses what the level does.
    assert [snr_db(gain * loud, "mu_law") for gain in (0.9, 0.1, 0.03)] == pytest.approx([37.5] * 3, abs=1.5)
    assert snr_db(0.9 * loud, "linear") - snr_db(0.03 * loud, "linear") > 25


def test_lost_packets_are_as_many_and_as_long_as_asked() -> None:
    signal = np.ones(RATE * 400)
    heard = degraded(signal, "packet_loss", packet_ms=10.0, share=0.2, mean_burst=4.0)
    packets = heard.reshape(-1, 160)
    assert set(np.unique(packets.sum(axis=1))) == {0.0, 160.0}
    lost = packets[:, 0] == 0
    starts = np.sum(lost[1:] & ~lost[:-1]) + lost[0]
    assert lost.mean() == pytest.approx(0.2, abs=0.02)
    assert lost.sum() / starts == pytest.approx(4.0, abs=0.3)


def test_a_lost_packet_is_the_one_before_once_more() -> None:
    signal = np.repeat(np.arange(1, 201) / 256.0, 160)
    silent = degraded(signal, "packet_loss", 3, packet_ms=10.0, share=0.3, mean_burst=2.0)[::160]
    repeated = degraded(signal, "packet_loss", 3, packet_ms=10.0, share=0.3, mean_burst=2.0, fill="repeat")[::160]
    last = 0.0
    for before, after in zip(silent, repeated, strict=True):
        last = before or last
        assert after == last
    assert 20 < np.sum(silent == 0) < 100


def test_gains_are_within_their_range_and_as_frequent_as_asked() -> None:
    gains = degraded(np.full(RATE * 300, 0.5), "gain_steps", seconds=0.5, low_db=-10.0, high_db=-2.0) / 0.5
    decibels = 20 * np.log10(gains)
    assert -10 <= decibels.min() < -9.5
    assert -2.5 < decibels.max() <= -2 + 1e-4
    changing = np.abs(np.diff(gains)) > 1e-9
    jumps = np.sum(changing[1:] & ~changing[:-1])
    assert jumps == pytest.approx(300 / 0.505, rel=0.1)
    assert changing.sum() / jumps == pytest.approx(0.005 * RATE, rel=0.05)


@pytest.mark.parametrize("form", ["mp3", "vorbis", "opus"])
def test_a_codec_costs_more_the_more_it_compresses(form: str) -> None:
    time = np.arange(2 * RATE) / RATE
    signal = 0.2 * np.sin(2 * np.pi * 440 * time) + 0.3 * noise(2.0)
    errors = [
        np.mean((degraded(signal, "codec", format=form, compression=level) - signal) ** 2) for level in (0.0, 0.5, 0.95)
    ]
    assert errors[0] < errors[1] < errors[2]
    assert errors[0] < 0.05 * np.mean(signal**2)
    assert errors[2] > 0.02 * np.mean(signal**2)


def test_a_codec_takes_rates_that_it_does_not_have() -> None:
    signal = 0.2 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    heard = degraded(signal, "codec", rate=44100, format="opus", compression=0.2)
    assert np.mean((heard - signal)[2000:-2000] ** 2) < 0.01 * np.mean(signal**2)


def test_a_missing_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "available_subtypes", lambda container=None: {"VORBIS": "Vorbis"})
    with pytest.raises(DataError, match="no encoder for mp3; it has vorbis"):
        build({"type": "codec", "params": {}}, "degradation")

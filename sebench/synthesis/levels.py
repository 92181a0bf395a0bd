"""Levels of signals in dBov: ITU-T P.56 active speech level, plain RMS, RMS of the active segments.

0 dBov is a signal whose RMS is 1.0. A signal without energy has the level -inf under every measure. The measures take
a signal as it is; what nobody hears, an offset, is taken off before (`heard`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from sebench.corpora.audio import offset

Level = Callable[[np.ndarray, int], float]

TIME_CONSTANT = 0.03  # s, of the envelope's two identical smoothings
HANGOVER = 0.2  # s, for which a signal stays active after its envelope fell below the threshold
MARGIN_DB = 15.9  # between the active level and the threshold that defines activity


def decibels(power: float) -> float:
    """10 log10 of a power; -inf for zero."""
    return 10.0 * math.log10(power) if power > 0.0 else -math.inf


def mean_power(signal: np.ndarray) -> float:
    """Mean of the squared samples in float64 (a pairwise sum: no BLAS, so the same bits with any number of threads)."""
    return float(np.mean(np.square(signal, dtype=np.float64))) if len(signal) else 0.0


def heard(signal: np.ndarray) -> np.ndarray:
    """The signal without its offset: its mean is taken off where that matters, else the signal is returned as it is.

    A converter's offset is not heard. With it in the level of a noise that is hardly more than an offset, "0 dB" would
    be 40 dB. Only the mean counts as not heard: rumble is part of a noise, as in the definitions of the papers.

    Args:
        signal: `(samples,)`, full scale 1.0.

    Returns:
        `(samples,)`; zeros for a constant, so that it has no level.
    """
    if not len(signal) or float(signal.max()) == float(signal.min()):
        return np.zeros_like(signal)
    constant = offset(signal)
    return np.asarray(signal - np.float64(constant)) if constant else signal


def rms_level(signal: np.ndarray, sample_rate: int = 16000) -> float:
    """RMS in dBov; the sample rate plays no part.

    Args:
        signal: `(samples,)`, full scale 1.0.
    """
    return decibels(mean_power(signal))


def active_rms_level(
    signal: np.ndarray, sample_rate: int = 16000, window: float = 0.1, threshold_db: float = -50.0
) -> float:
    """RMS in dBov of the active windows, as the DNS-Challenge synthesiser sets levels.

    A window is active where its RMS exceeds `threshold_db` relative to the signal's peak: the synthesiser normalises
    signals to peak 1 before it compares with -50 dB. Reconstruction: each signal is judged by itself (there, the noise
    decides for both), and a last, shorter window counts with its own length.

    Args:
        signal: `(samples,)`, full scale 1.0.
        sample_rate: in Hz.
        window: in seconds.
        threshold_db: relative to the peak.
    """
    length = max(1, round(window * sample_rate))
    squares = np.square(signal, dtype=np.float64)
    if not len(squares):
        return -math.inf
    starts = np.arange(0, len(squares), length)
    energies = np.add.reduceat(squares, starts)
    lengths = np.diff(np.append(starts, len(squares)))
    active = energies / lengths > float(squares.max()) * 10.0 ** (threshold_db / 10.0)
    if not active.any():
        return decibels(float(squares.mean()))
    return decibels(float(energies[active].sum() / lengths[active].sum()))


def active_speech_level(signal: np.ndarray, sample_rate: int = 16000, anchor: float | None = None) -> float:
    """Active speech level of ITU-T P.56 (method B) in dBov.

    The rectified signal is smoothed twice with a time constant of 0.03 s. For each threshold of a series in factors of
    2 the signal is active where that envelope is at or above it, and 0.2 s longer. The level is the energy over the
    active time at the threshold that lies 15.9 dB below that level, interpolated in dB between two thresholds.

    Reconstruction: P.56 counts its 15 thresholds from half the overload point down. Here the series is anchored 15.9 dB
    below the RMS, so that the level of a scaled signal is the scaled level exactly, at any level; the two series differ
    by what the interpolation errs by (about 0.1 dB on speech). Only the thresholds up to the one sought are looked at:
    at the anchor the margin is at least 15.9 dB. Where it never falls to that (a lone click), the level at the
    highest threshold that is reached is returned.

    Args:
        signal: `(samples,)`, full scale 1.0.
        sample_rate: in Hz.
        anchor: a threshold of the series; 0.5 gives the series of the ITU's tool `sv56`.

    Returns:
        dBov; -inf for a signal without energy.
    """
    from scipy.signal import lfilter  # here: steps that only read rendered sets need no SciPy (0.6 s)

    energy = float(np.sum(np.square(signal, dtype=np.float64)))
    if energy <= 0.0:
        return -math.inf
    pole = math.exp(-1.0 / (sample_rate * TIME_CONSTANT))
    gain = 1.0 - pole
    envelope = lfilter([gain * gain], [1.0, -2.0 * pole, pole * pole], np.abs(signal, dtype=np.float64))
    hangover = round(HANGOVER * sample_rate)
    threshold_db = decibels(energy / len(signal)) - MARGIN_DB
    if anchor is not None:
        step_db = 20.0 * math.log10(2.0)
        anchor_db = 20.0 * math.log10(anchor)
        threshold_db = anchor_db + step_db * math.floor((threshold_db - anchor_db) / step_db)
    threshold = 10.0 ** (threshold_db / 20.0)
    below: tuple[float, float] | None = None  # (active level, margin) at the threshold before this one
    while True:
        active = _active_samples(envelope, threshold, hangover)
        if active == 0:
            return below[0] if below else decibels(energy / len(signal))
        level = decibels(energy / active)
        margin = level - 20.0 * math.log10(threshold)
        if margin <= MARGIN_DB:
            break
        below = (level, margin)
        threshold *= 2.0
    if below is None:
        return level
    weight = (below[1] - MARGIN_DB) / (below[1] - margin)
    return below[0] + weight * (level - below[0])


def _active_samples(envelope: np.ndarray, threshold: float, hangover: int) -> int:
    """Number of samples at or above the threshold or within the hangover after one that is."""
    loud = envelope >= threshold
    edges = np.flatnonzero(loud[1:] != loud[:-1]) + 1
    bounds = np.concatenate(([0], edges, [len(envelope)]))
    lengths = np.diff(bounds)
    quiet_from = 1 if loud[0] else 0
    quiet = lengths[quiet_from::2]
    total = len(envelope) - int(quiet.sum())
    after_speech = quiet if loud[0] else quiet[1:]
    return total + int(np.minimum(after_speech, hangover).sum())


#: The measures by the name that a mixing uses.
MEASURES: Mapping[str, Level] = {"p56": active_speech_level, "rms": rms_level, "active_rms": active_rms_level}

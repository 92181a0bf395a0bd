"""Whether a published noisy file belongs to its clean file: every pair of every corpus is asked before it is used.

Five things happen to published pairs: files are exchanged, one of the two is shifted or upside down, the clean file is
copied as the noisy one, or the log is of another file. The clean signal is searched in the noisy one by their whitened
cross-correlation (PHAT; Knapp and Carter 1976), whose peak stays sharp behind filters, codecs and in rooms; what the
two share at that lag gives the SNR.

The limits are measured, on real speech, noise and rooms (docs/architecture.md): right pairs from -15 dB up, dry,
reverberant against a dry clean file, of telephone bandwidth, coded, clipped or delayed by 5 ms have peaks of 19 and
more, at least 1.37 times the highest at an impossible lag; pairs of two utterances at most 15, and 1.08 times.

Where the noisy file is the clean one and noise, a delay is a filter's or a codec's, and polarity shows: the deepest
trough of a right pair is at most 1.43 times the highest peak, and that of an inverted one at least 2.4 times, unless
filters turn the phases of all that is left (a telephone's, or above 300 Hz): then an inverted pair may pass.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sebench.corpora.activity import Activity, frame_powers
from sebench.corpora.align import pair_fault
from sebench.corpora.audio import read
from sebench.corpora.pool import ordered
from sebench.corpora.recording import warn
from sebench.errors import DataError

if TYPE_CHECKING:
    from sebench.corpora.base import Corpus
    from sebench.corpora.manifest import Manifest

RATE = 16000  # Hz, at which pairs are compared
SECONDS = 10.0  # of the clean signal, where it is loudest
SHORTEST = 0.5  # s; in less no correlation tells two utterances apart
BAND = (80.0, 7600.0)  # Hz, that is whitened
DELAY = 0.01  # s; a filter's or a codec's
ROOM_DELAY = 0.05  # s; the way through a room, where the clean file is dry
PEAK = 12.0  # of the correlation within that delay, in robust standard deviations of all of it
AHEAD = 1.2  # times the highest peak at any other lag
INVERTED = 2.0  # times the highest peak is the deepest trough of the correlation within the delay
SHIFTED = 50.0  # a peak elsewhere that is no accident
SNR_TOLERANCE_DB = 10.0  # between the log and what is measured, whichever way levels were defined
BURIED_DB = -10.0  # below a logged SNR of so much the clean signal need not be found
SAME_DB = 55.0  # noise so far below the clean signal is a rounding: the two files hold the same
FRAME = 1024  # samples of the coherence's frames, half overlapping


def confirmed(corpus: Corpus, root: Path, manifest: Manifest, processes: int) -> Manifest:
    """The manifest without the noisy rows that do not belong to their clean files; those are listed as rejected.

    Raises:
        DataError: no pair of a split is left.
    """
    frame = manifest.frame
    paths = dict(zip(frame["id"], frame["path"], strict=True))
    pairs = frame[frame["pair"] != ""]
    columns = (pairs[name].tolist() for name in ("pair", "path", "snr_db", "part"))
    forms = {row["id"]: (row["samples"], row["sample_rate"]) for row in frame.to_dict("records")}
    unequal = [
        pair_fault(forms[pair], forms[noisy], corpus.align)
        for pair, noisy in zip(pairs["pair"], pairs["id"], strict=True)
    ]
    items = [
        _Pair(paths[pair], path, snr_db, corpus.is_additive(part), problem)
        for problem, pair, path, snr_db, part in zip(unequal, *columns, strict=True)
    ]
    faults = dict(zip(pairs.index, ordered(functools.partial(_examined, root), items, processes), strict=True))
    wrong = [index for index, reason in faults.items() if reason]
    rejected = [(str(frame.at[index, "path"]), faults[index]) for index in wrong]
    warn(root, rejected)
    left = set(pairs["split"].drop(wrong))
    for split in sorted(set(pairs["split"]) - left):
        what = f"no noisy file of split {split!r} belongs to its clean file; in all {len(wrong)} do not:"
        shown = [f"{path}: {reason}" for path, reason in rejected[:10]]
        raise DataError("\n  ".join([f"{root}: {what}", *shown]))
    listed = [*manifest.rejected, *({"path": path, "reason": reason} for path, reason in rejected)]
    kept = frame.drop(index=wrong).reset_index(drop=True)
    return dataclasses.replace(manifest, frame=kept, rejected=sorted(listed, key=lambda item: item["path"]))


@dataclasses.dataclass(frozen=True)
class _Pair:
    """Paths of the files, what their corpus says of them, and what is wrong with their lengths."""

    clean: str
    noisy: str
    logged_db: float
    additive: bool
    unequal: str


def _examined(root: Path, pair: _Pair) -> str:
    reason = pair.unequal
    if not reason:
        try:
            signals = read(root / pair.clean, RATE), read(root / pair.noisy, RATE)
        except DataError as error:
            return str(error)
        reason = fault(*signals, pair.logged_db, additive=pair.additive)
    return f"{reason} (clean file: {pair.clean})" if reason else ""


def fault(clean: np.ndarray, noisy: np.ndarray, logged_db: float = math.nan, *, additive: bool = True) -> str:
    """Why two signals are no pair, in words; empty if they are one.

    Args:
        clean: `(samples,)` at 16 kHz.
        noisy: the same; what is longer is cut.
        logged_db: the SNR that the publication states; NaN where it states none.
        additive: whether noisy is clean and noise (`Corpus.is_additive`). Otherwise a room is between them: it may take
            its time and invert the polarity, and no SNR can be measured.
    """
    clean, noisy = _loudest(clean, noisy)
    if not clean.any() or not noisy.any():
        return ""  # silence is judged elsewhere
    residual = _residual(clean, noisy)
    far_below = _db(float(np.sum(noisy**2)), float(np.sum(residual**2)))
    if far_below >= SAME_DB and not logged_db >= SAME_DB - SNR_TOLERANCE_DB:
        return "noisy and clean hold the same signal"
    if len(clean) < SHORTEST * RATE:
        return ""
    delay = DELAY if additive else ROOM_DELAY
    found = _search(clean, noisy, delay)
    hidden = logged_db < BURIED_DB
    if not hidden and (found.near < PEAK or found.near < AHEAD * found.far):
        if found.far >= SHIFTED:
            return f"the clean signal is in it {_lag(found.far_lag)}; accepted: up to {delay * 1000:g} ms"
        return (
            f"the clean signal is not in it: correlation peak {found.near:.1f}, {found.near / found.far:.2f} of the "
            f"highest elsewhere, {_lag(found.far_lag)}; accepted: from {PEAK:g} and {AHEAD:g}"
        )
    if additive and not hidden and found.inversion >= INVERTED:
        return (
            f"its polarity is inverted: the correlation with the clean signal has a trough {found.inversion:.1f} times "
            f"its highest peak; accepted: below {INVERTED:g}"
        )
    if additive and math.isfinite(logged_db):
        return _snr_fault(*_aligned(clean, noisy, found.lag), logged_db)
    return ""


@dataclasses.dataclass(frozen=True)
class _Peaks:
    """Highest correlations, of any sign, within the delay and beyond, and their lags in samples (positive: noisy is
    late); and the deepest trough within the delay over the highest peak there."""

    near: float
    lag: int
    far: float
    far_lag: int
    inversion: float


def _search(clean: np.ndarray, noisy: np.ndarray, delay: float) -> _Peaks:
    from scipy import fft

    size = fft.next_fast_len(2 * len(clean), real=True)
    spectrum = fft.rfft(noisy, size) * np.conj(fft.rfft(clean, size))
    hertz = np.arange(len(spectrum)) * RATE / size
    band = (hertz >= BAND[0]) & (hertz <= BAND[1])
    white = np.where(band, spectrum / np.maximum(np.abs(spectrum), np.finfo(float).tiny), 0.0)
    correlation = fft.irfft(white, size)
    height = np.abs(correlation)
    lags = np.arange(size)
    lags[size // 2 :] -= size
    near = np.abs(lags) <= delay * RATE
    best, other = (int(np.argmax(np.where(where, height, -1.0))) for where in (near, ~near))
    deviation = float(np.median(height)) * 1.4826 or 1.0
    inversion = -float(correlation[near].min()) / max(float(correlation[near].max()), float(np.finfo(float).tiny))
    return _Peaks(height[best] / deviation, int(lags[best]), height[other] / deviation, int(lags[other]), inversion)


def _snr_fault(clean: np.ndarray, noisy: np.ndarray, logged_db: float) -> str:
    """Compare with the log, whose publication may have measured active levels or plain ones, of speech and of noise."""
    measured_db = _shared_db(clean, noisy)
    low = measured_db + _active_db(_residual(clean, noisy))
    high = measured_db - _active_db(clean)
    if low - SNR_TOLERANCE_DB <= logged_db <= high + SNR_TOLERANCE_DB:
        return ""
    return (
        f"its SNR is {measured_db:.1f} dB, the log says {logged_db:g} dB; accepted: within {SNR_TOLERANCE_DB:g} dB of "
        f"{low:.1f} to {high:.1f} dB, as plain or active levels have it"
    )


def _shared_db(clean: np.ndarray, noisy: np.ndarray) -> float:
    """SNR in dB of what the clean signal explains of the noisy one, at each frequency through any gain and phase."""
    window = np.hanning(FRAME)
    a, b = (
        np.fft.rfft(np.lib.stride_tricks.sliding_window_view(signal, FRAME)[:: FRAME // 2] * window, axis=1)
        for signal in (clean, noisy)
    )
    power = np.sum(np.abs(b) ** 2, axis=0)
    both = np.sum(np.abs(a) ** 2, axis=0) * power
    coherence = np.abs(np.sum(b * a.conj(), axis=0)) ** 2 / np.maximum(both, np.finfo(float).tiny)
    accident = min(0.5, 2.0 / len(a))  # what unrelated signals share; half of the frames are independent
    explained = np.clip((coherence - accident) / (1.0 - accident), 0.0, 1.0)
    return _db(float(np.sum(explained * power)), float(np.sum((1.0 - explained) * power)))


def _active_db(signal: np.ndarray) -> float:
    """Plain level minus active level, in dB."""
    share = Activity(frame_powers(signal, RATE)).share
    return 10.0 * math.log10(share) if share > 0.0 else 0.0


def _loudest(clean: np.ndarray, noisy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both without their means, for `SECONDS` where the clean one has most energy: `(samples,)` float64."""
    count = min(len(clean), len(noisy))
    signals = [np.asarray(signal[:count], dtype=np.float64) for signal in (clean, noisy)]
    signals = [signal - signal.mean() for signal in signals] if count else signals
    length = round(SECONDS * RATE)
    if count > length:
        energy = np.concatenate(([0.0], np.cumsum(signals[0] ** 2)))
        start = int(np.argmax(energy[length:] - energy[:-length]))
        signals = [signal[start : start + length] for signal in signals]
    return signals[0], signals[1]


def _aligned(clean: np.ndarray, noisy: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    if lag >= 0:
        return clean[: len(clean) - lag], noisy[lag:]
    return clean[-lag:], noisy[:lag]


def _residual(clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """What is left of noisy when clean is taken off at its gain there."""
    return np.asarray(noisy - clean * (float(np.sum(clean * noisy)) / float(np.sum(clean * clean))))


def _lag(samples: int) -> str:
    return f"{abs(samples) / RATE * 1000:.1f} ms too {'late' if samples > 0 else 'early'}"


def _db(numerator: float, denominator: float) -> float:
    tiny = float(np.finfo(float).tiny)
    return 10.0 * math.log10(max(numerator, tiny) / max(denominator, tiny))

"""What a recording sounds like: a fingerprint that a copy keeps at another gain, rate or container, and an excerpt too.

Reconstruction, after Haitsma & Kalker (ISMIR 2002): a word of 32 bits says in which of 9 bands, and when, energy rises
against that of the next band. Theirs are taken on a grid; here they are taken where the short-time energy has a peak,
so that a copy that begins elsewhere has the same ones. Two recordings share a sound where several words are equal at
one distance in time.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sebench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RATE = 4000  # Hz, at which a fingerprint is taken
SMOOTHING = 0.04  # s of a window of short-time energy
APART = 0.15  # s; a peak is the largest within this at both sides
FRAME = 512  # samples
HOP = 160
BANDS = (100.0, 1900.0, 9)  # Hz, Hz, count: at equal ratios
STEPS = 4  # differences in time, each between two frames
TICK = 0.005  # s, in which a place is given

#: Words that two recordings must share at one distance in time (within `JITTER`), and the part of the shorter one's.
MATCHES = 3
SHARE = 0.02
JITTER = 0.03  # s


def fingerprint(samples: npt.NDArray[np.float32], sample_rate: int) -> str:
    """Words and places of samples `(samples,)` as text; empty for silence and for less than half a second."""
    import numpy as np
    import soxr

    if sample_rate != RATE:
        samples = soxr.resample(samples, sample_rate, RATE, quality="LQ")
    peak = float(np.max(np.abs(samples), initial=0.0))
    reach = (FRAME + STEPS * HOP) // 2
    if len(samples) < 2 * reach + 2 or not peak > 0 or not np.isfinite(peak):
        return ""
    signal = np.asarray(samples, np.float32) / np.float32(peak)
    places = _peaks(signal)
    places = places[(places >= reach) & (places < len(signal) - reach)]
    words, clear = _words(signal, places, reach)
    ticks = np.rint(places / (RATE * TICK)).astype("<u4")
    return base64.b64encode(np.stack([ticks, words], 1)[clear].astype("<u4").tobytes()).decode("ascii")


def _peaks(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Where the short-time energy is the largest within `APART`."""
    import numpy as np
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    energy = np.square(signal, dtype=np.float64)
    for _ in range(2):
        energy = uniform_filter1d(energy, round(SMOOTHING * RATE), mode="constant")
    largest = maximum_filter1d(energy, 2 * round(APART * RATE) + 1, mode="nearest")
    return np.flatnonzero((energy == largest) & (energy > 1e-12))


def _words(
    signal: npt.NDArray[np.float32], places: npt.NDArray[np.int64], reach: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """The word of each place, and whether enough of its bits stand for a change that is more than rounding."""
    import numpy as np

    low, high, count = BANDS
    edges = np.rint(np.geomspace(low, high, count + 1) * FRAME / RATE).astype(int)
    window = np.hanning(FRAME).astype(np.float32)
    offsets = np.arange(FRAME) - reach
    words = np.zeros(len(places), np.uint32)
    clear = np.zeros(len(places), bool)
    for first in range(0, len(places), 1024):  # in blocks, for memory
        at = places[first : first + 1024]
        levels = []
        for step in range(STEPS + 1):
            frames = signal[at[:, None] + offsets + step * HOP] * window
            power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
            summed = np.add.reduceat(power, edges, axis=1)[:, :-1]
            levels.append(np.log(summed + 1e-7 * power.sum(1, keepdims=True) + 1e-20))
        change = np.diff(np.diff(np.stack(levels, 1), axis=2), axis=1).reshape(len(at), -1)
        bits = (change > 0).astype(np.uint32)
        words[first : first + len(at)] = (bits << np.arange(bits.shape[1], dtype=np.uint32)).sum(1, dtype=np.uint32)
        clear[first : first + len(at)] = np.median(np.abs(change), axis=1) > 0.02
    return words, clear


def unpacked(text: str) -> npt.NDArray[np.uint32]:
    """Places in ticks and words `(count, 2)` of a fingerprint.

    Raises:
        DataError: it is none.
    """
    import numpy as np

    try:
        data = base64.b64decode(text, validate=True)
        return np.frombuffer(data, "<u4").reshape(-1, 2)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"not a fingerprint of a sound: {text[:20]!r}") from error


def shared(first: Sequence[str], second: Sequence[str]) -> Mapping[tuple[int, int], float]:
    """Pairs of recordings that share a sound: their places in two lists of fingerprints -> seconds that it spans.

    Raises:
        DataError: a text is no fingerprint.
    """
    import numpy as np
    import pandas as pd

    tables = []
    for texts in (first, second):
        parts = [unpacked(text) for text in texts]
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        joined = np.concatenate(parts) if parts else np.zeros((0, 2), np.uint32)
        frame = pd.DataFrame({"word": joined[:, 1], "place": joined[:, 0].astype(np.int64), "owner": owner})
        # A word that comes again and again within a recording tells nothing: a hum, a loop.
        tables.append(frame[frame.groupby(["owner", "word"])["place"].transform("size") <= 3])
    counts = tables[1]["word"].value_counts()
    common = counts.index[counts > max(50, len(second) // 20)]
    both = tables[0][~tables[0]["word"].isin(common)].merge(tables[1], on="word", suffixes=("_a", "_b"))
    if both.empty:
        return {}
    sizes = [np.array([len(text) * 3 // 32 for text in texts]) for texts in (first, second)]
    found: dict[tuple[int, int], float] = {}
    for pair, group in both.groupby(["owner_a", "owner_b"]):
        if len(group) < 2:
            continue
        matched, span = _aligned(group["place_a"].to_numpy(), group["place_b"].to_numpy())
        a, b = int(pair[0]), int(pair[1])  # type: ignore[call-overload]
        smaller = min(sizes[0][a], sizes[1][b])
        if matched >= max(min(MATCHES, max(2, smaller - 1)), SHARE * smaller):
            found[a, b] = span * TICK
    return found


def _aligned(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> tuple[int, float]:
    """The most matches at one distance in time, and the ticks from the first of them to the last."""
    import numpy as np

    order = np.argsort(a - b, kind="stable")
    distance, width = (a - b)[order], round(JITTER / TICK)
    ends = np.searchsorted(distance, distance + width, side="right")
    counts = ends - np.arange(len(distance))
    best = int(np.argmax(counts))
    places = np.unique(a[order][best : ends[best]])
    return len(places), float(places[-1] - places[0])

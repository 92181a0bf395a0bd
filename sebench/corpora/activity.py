"""Where a recording is active, so that what is cut out of it holds what the recording holds, not its pauses.

A recorder may run for ten seconds before anybody speaks. What it wrote until then is dither or room noise; brought to
the level of speech it would be a reference without speech. A segment is accepted where its share of active frames is
at least `ENOUGH` of the recording's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

FRAMES_PER_SECOND = 20
MARGIN_DB = 15.9  # below the active level, as in ITU-T P.56
ENOUGH = 0.5  # of the recording's own share of active frames


def frame_powers(signal: np.ndarray, sample_rate: int) -> np.ndarray:
    """Power about the mean in frames of 1/20 s, so that an offset is no activity: `(frames,)` float64.

    Args:
        signal: `(samples,)`; its last frame may be shorter.
        sample_rate: in Hz.
    """
    frames = -(-len(signal) * FRAMES_PER_SECOND // sample_rate)
    starts = np.arange(frames) * sample_rate // FRAMES_PER_SECOND
    starts = starts[starts < len(signal)]
    if not len(starts):
        return np.zeros(0)
    lengths = np.diff(np.append(starts, len(signal)))
    samples = np.asarray(signal, dtype=np.float64)
    means = np.add.reduceat(samples, starts) / lengths
    deviations = samples - np.repeat(means, lengths)
    return np.asarray(np.add.reduceat(deviations * deviations, starts) / lengths)


class Activity:
    """The active frames of a recording.

    A frame is active within 15.9 dB of the mean power of the active frames. Reconstruction: P.56 interpolates between
    thresholds and has a hangover; here frames are counted, beginning with all of them, until their number stays.

    Args:
        powers: of its frames, `(frames,)`.
    """

    def __init__(self, powers: np.ndarray) -> None:
        active = powers > 0.0
        while active.any():
            threshold = float(powers[active].mean()) * 10.0 ** (-MARGIN_DB / 10.0)
            still = active & (powers >= threshold)
            if int(still.sum()) == int(active.sum()):
                break
            active = still
        self._before = np.concatenate(([0], np.cumsum(active)))

    @classmethod
    def of(cls, signal: np.ndarray, sample_rate: int) -> Activity:
        """That of a decoded recording, `(samples,)`."""
        return cls(frame_powers(signal, sample_rate))

    @property
    def share(self) -> float:
        """Active frames of all; 0 for a recording without any."""
        return float(self._before[-1]) / max(1, len(self._before) - 1)

    def share_of(self, start: int, samples: int, sample_rate: int) -> float:
        """Active frames of those that a segment touches; start and samples at `sample_rate`."""
        frames = len(self._before) - 1
        first = min(start * FRAMES_PER_SECOND // sample_rate, max(0, frames - 1))
        last = max(first + 1, min(frames, -(-(start + samples) * FRAMES_PER_SECOND // sample_rate)))
        return float(self._before[min(last, frames)] - self._before[first]) / (last - first)

    def place(self, start: int, samples: int, available: int, sample_rate: int) -> int:
        """`start`, or the first place after it, round the end, from which `samples` are as active as the recording.

        Places are half a segment apart, so that every frame lies in one. Where none is active enough (a single click
        between two places of short segments), it is the most active one.

        Args:
            start: the place that was drawn; what does not fit before the end is moved to it.
            samples: of the segment.
            available: samples of the recording.
            sample_rate: in Hz, of all three.
        """
        last = max(0, available - samples)
        start = min(start, last)
        needed = ENOUGH * self.share
        best, best_share = start, -1.0
        for place in _places(start, samples, last):
            share = self.share_of(place, samples, sample_rate)
            if share >= needed and share > 0.0:
                return place
            if share > best_share:
                best, best_share = place, share
        return best


def _places(start: int, samples: int, last: int) -> Iterable[int]:
    step = max(1, samples // 2)
    after = range(start + step, last + 1, step)
    return itertools.chain([start], after, [last], range(0, start, step))

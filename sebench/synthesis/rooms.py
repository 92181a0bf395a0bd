"""Rooms: simulated (image-source method) and measured impulse responses, each with the direct path that belongs to it.

A `Response` is normalised and aligned: the direct path has gain 1 and no delay in whole samples, for the full response
and for its direct part alike, so that reverberant speech, dry speech and the speech that went in lie on each other.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SPEED_OF_SOUND = 343.0  # m/s, the value of pyroomacoustics
SABINE = 24.0 * math.log(10.0)  # RT60 = SABINE * V / (c * A)


@dataclass(frozen=True)
class Response:
    """An impulse response and its direct path, `(samples,)` float64 each; `delay`: samples before the direct path."""

    full: np.ndarray
    direct: np.ndarray
    delay: int

    def reverberant(self, speech: np.ndarray) -> np.ndarray:
        """Speech in the room, as long as the speech: `(samples,)`."""
        return self._through(self.full, speech)

    def dry(self, speech: np.ndarray) -> np.ndarray:
        """The direct path of the same, `(samples,)`."""
        return self._through(self.direct, speech)

    def _through(self, response: np.ndarray, speech: np.ndarray) -> np.ndarray:
        from scipy.signal import oaconvolve  # here: steps that only read rendered sets need no SciPy (0.6 s)

        wet = oaconvolve(np.asarray(speech, dtype=np.float64), response)[self.delay :]
        return np.pad(wet, (0, max(0, len(speech) - len(wet))))[: len(speech)]


def sabine_rt60(size: Sequence[float], absorption: float) -> float:
    """Reverberation time in s of a shoebox of `size` (m) whose surfaces all absorb alike, after Sabine."""
    x, y, z = size
    surface = 2.0 * (x * y + x * z + y * z)
    return SABINE * x * y * z / (SPEED_OF_SOUND * surface * absorption)


def image_order(absorption: float, decay_db: float = 60.0) -> int:
    """Mean number of reflections while sound decays by `decay_db` after Sabine.

    With the mean free path 4V/S, RT60 has c * RT60 * S / (4V) = 6 ln 10 / absorption reflections in a room of any size.
    """
    return math.ceil(decay_db / 60.0 * SABINE / 4.0 / absorption)


def simulate(
    size: Sequence[float],
    absorption: float,
    position: Sequence[float],
    sample_rate: int = 16000,
    decay_db: float = 40.0,
) -> Response:
    """Image-source response of a shoebox room with the microphone at its centre.

    pyroomacoustics delays all by half its fractional-delay filter (40 samples) and the travel time, with a gain of
    1/d; both are taken back, the delay in whole samples. The response ends RT60 (Sabine) after the direct path.
    The library's 10 Hz high-pass is off: it would tell the direct path from the same path in the full response.

    Args:
        size: of the room in m, `(3,)`.
        absorption: energy absorption coefficient of all surfaces.
        position: of the source relative to the microphone in m, `(3,)`.
        sample_rate: in Hz.
        decay_db: see `image_order`.
    """
    distance = math.dist(position, (0.0, 0.0, 0.0))
    full = _image_sources(tuple(size), absorption, tuple(position), sample_rate, image_order(absorption, decay_db))
    direct = _image_sources(tuple(size), absorption, tuple(position), sample_rate, 0)
    delay = _filter_delay() + round(distance / SPEED_OF_SOUND * sample_rate)
    end = delay + math.ceil(sabine_rt60(size, absorption) * sample_rate)
    return Response(full[: max(end, len(direct))] * distance, direct * distance, delay)


def _filter_delay() -> int:
    from pyroomacoustics.parameters import constants

    return int(constants.get("frac_delay_length")) // 2


def _image_sources(
    size: Sequence[float], absorption: float, position: Sequence[float], sample_rate: int, order: int
) -> np.ndarray:
    import pyroomacoustics
    from pyroomacoustics.parameters import constants

    # One thread: the library sums per thread, so that their number would change the last bits.
    kept = {name: constants.get(name) for name in ("num_threads", "rir_hpf_enable")}
    constants.set("num_threads", 1)
    constants.set("rir_hpf_enable", False)
    try:
        material = pyroomacoustics.Material(absorption)
        room = pyroomacoustics.ShoeBox(np.array(size), fs=sample_rate, materials=material, max_order=order)
        centre = np.array(size) / 2.0
        room.add_microphone(centre)
        room.add_source(centre + np.array(position))
        room.compute_rir()
    finally:
        for name, value in kept.items():
            constants.set(name, value)
    return np.asarray(room.rir[0][0], dtype=np.float64)


def measured(response: np.ndarray, sample_rate: int = 16000, direct_ms: float = 2.5) -> Response:
    """A recorded response: what comes up to `direct_ms` after its largest sample is the direct path.

    Args:
        response: `(samples,)`; scaled so that the largest sample is +1.
        sample_rate: in Hz.
        direct_ms: 2.5 ms hold a loudspeaker's own response and end before the first reflection from most rooms' walls.

    Raises:
        ValueError: the response is silent.
    """
    peak = int(np.argmax(np.abs(response)))
    if response[peak] == 0.0:
        raise ValueError("the impulse response is silent")
    full = np.asarray(response, dtype=np.float64) / float(response[peak])
    return Response(full, full[: peak + 1 + round(direct_ms * sample_rate / 1000.0)], peak)


@functools.lru_cache(maxsize=32)
def from_description(room: str, sample_rate: int) -> Response:
    """The response of a simulated room from the JSON in a mixture's column `room`; the last ones are kept."""
    item: dict[str, Any] = json.loads(room)
    return simulate(item["size"], item["absorption"], item["position"], sample_rate, item["image_decay_db"])

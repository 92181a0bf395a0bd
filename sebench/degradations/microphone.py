"""What a microphone's response does: a family of a few numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from sebench.degradations.base import Degradation

if TYPE_CHECKING:
    from sebench.degradations.base import Signal


class Microphone(Degradation):
    """A minimum-phase response: a low cut, a resonance, and a shelf of high frequencies

    Three second-order sections of R. Bristow-Johnson's Audio EQ Cookbook; the low cut is a Butterworth one, the shelf
    has the slope 1.

    Args:
        low_hz: -3 dB point of the low cut (12 dB per octave).
        peak_hz: frequency of the resonance.
        peak_db: its gain.
        peak_q: its quality: the larger, the narrower.
        shelf_hz: middle of the shelf's slope.
        shelf_db: gain far above it.
    """

    name = "microphone"
    version = 1
    frequencies = ("low_hz", "peak_hz", "shelf_hz")
    packages = ("scipy",)
    source = "R. Bristow-Johnson, Audio EQ Cookbook (W3C note, 2021)"

    def __init__(
        self,
        *,
        low_hz: Annotated[float, Ge(1)] = 80.0,
        peak_hz: Annotated[float, Ge(1)] = 3000.0,
        peak_db: Annotated[float, Ge(-30), Le(30)] = 6.0,
        peak_q: Annotated[float, Gt(0), Le(50)] = 1.0,
        shelf_hz: Annotated[float, Ge(1)] = 4000.0,
        shelf_db: Annotated[float, Ge(-40), Le(20)] = -6.0,
    ) -> None:
        self.low_hz = low_hz
        self.peak_hz, self.peak_db, self.peak_q = peak_hz, peak_db, peak_q
        self.shelf_hz, self.shelf_db = shelf_hz, shelf_db

    def sections(self, sample_rate: int) -> Signal:
        """The three filters, `(3, 6)`, as SciPy's second-order sections."""
        found = []
        cos, alpha = _angle(self.low_hz, math.sqrt(0.5), sample_rate)
        found.append([(1 + cos) / 2, -(1 + cos), (1 + cos) / 2, 1 + alpha, -2 * cos, 1 - alpha])
        cos, alpha = _angle(self.peak_hz, self.peak_q, sample_rate)
        a = 10.0 ** (self.peak_db / 40.0)
        found.append([1 + alpha * a, -2 * cos, 1 - alpha * a, 1 + alpha / a, -2 * cos, 1 - alpha / a])
        cos, alpha = _angle(self.shelf_hz, math.sqrt(0.5), sample_rate)
        a = 10.0 ** (self.shelf_db / 40.0)
        root, up, down = 2 * math.sqrt(a) * alpha, a + 1, a - 1
        found.append(
            [
                a * (up + down * cos + root),
                -2 * a * (down + up * cos),
                a * (up + down * cos - root),
                up - down * cos + root,
                2 * (down - up * cos),
                up - down * cos - root,
            ]
        )
        return np.array([np.array(section) / section[3] for section in found])

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """Filtered."""
        from scipy.signal import sosfilt

        return sosfilt(self.sections(sample_rate), signal)


def _angle(frequency: float, quality: float, sample_rate: int) -> tuple[float, float]:
    """The cosine of an angular frequency, and alpha of the cookbook."""
    angle = 2.0 * math.pi * frequency / sample_rate
    return math.cos(angle), math.sin(angle) / (2.0 * quality)

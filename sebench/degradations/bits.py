"""Fewer bits for each sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from sebench.degradations.base import Degradation

if TYPE_CHECKING:
    from sebench.degradations.base import Signal

MU = 255.0  # as in ITU-T G.711


class BitReduction(Degradation):
    """Samples rounded to so many bits, evenly or on a mu-law scale

    Full scale is 1.0, what is beyond is clipped; zero is a level, so that silence stays silent. For a full-scale sine
    the SNR of the even scale is 6.02 bits + 1.76 dB.

    Args:
        bits: of a sample.
        scale: linear; or mu_law, sign(x) ln(1 + 255 |x|) / ln 256 is rounded.
    """

    name = "bit_reduction"
    version = 1
    source = "ITU-T G.711 (mu-law)"

    def __init__(
        self, *, bits: Annotated[int, Ge(2), Le(24)] = 8, scale: Literal["linear", "mu_law"] = "linear"
    ) -> None:
        self.levels, self.scale = 2 ** (bits - 1), scale

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """Rounded."""
        if self.scale == "linear":
            return self._rounded(signal)
        limited = np.clip(signal, -1.0, 1.0)
        pressed = self._rounded(np.sign(limited) * np.log1p(MU * np.abs(limited)) / math.log1p(MU))
        released: Signal = np.sign(pressed) * np.expm1(np.abs(pressed) * math.log1p(MU)) / MU
        return released

    def _rounded(self, signal: Signal) -> Signal:
        rounded: Signal = np.clip(np.round(signal * self.levels), -self.levels, self.levels - 1) / self.levels
        return rounded

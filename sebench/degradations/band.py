"""Limits of the band: by a lower sample rate, and by filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le, MultipleOf

from sebench.degradations.base import Degradation, exactly

if TYPE_CHECKING:
    import numpy as np

    from sebench.degradations.base import Signal


class BandLimit(Degradation):
    """Nothing above a frequency: down to twice that rate and up again

    Resampled by soxr (HQ), whose band ends at 0.91 of `cutoff_hz`.

    Args:
        cutoff_hz: half of the lower sample rate.
    """

    name = "band_limit"
    version = 1
    frequencies = ("cutoff_hz",)
    packages = ("soxr",)
    source = "soxr (libsoxr, HQ)"

    def __init__(self, *, cutoff_hz: Annotated[int, Ge(500)] = 4000) -> None:
        self.rate = 2 * cutoff_hz

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """Resampled down and up."""
        import soxr

        lower = soxr.resample(signal, sample_rate, self.rate)
        return exactly(soxr.resample(lower, self.rate, sample_rate), len(signal))


class Butterworth(Degradation):
    """A Butterworth filter: low-pass, high-pass, or both as a band-pass

    Half of it forwards and half backwards, so that nothing is delayed: its magnitude at a cut-off is -6 dB, and falls
    by 6 dB per octave and order.

    Args:
        low_hz: what lies below is attenuated; null: nothing.
        high_hz: what lies above is attenuated; null: nothing.
        order: at each of the two.
    """

    name = "butterworth"
    version = 1
    frequencies = ("low_hz", "high_hz")
    packages = ("scipy",)
    source = "S. Butterworth, On the theory of filter amplifiers, 1930"
    requires = ("low_hz is not None or high_hz is not None", "low_hz < high_hz")

    def __init__(
        self,
        *,
        low_hz: Annotated[float, Ge(10)] | None = None,
        high_hz: Annotated[float, Gt(10)] | None = 4000.0,
        order: Annotated[int, Ge(2), Le(20), MultipleOf(2)] = 8,
    ) -> None:
        self.edges = [edge for edge in (low_hz, high_hz) if edge is not None]
        self.form: Literal["bandpass", "lowpass", "highpass"] = (
            "bandpass" if len(self.edges) == 2 else "lowpass" if low_hz is None else "highpass"
        )
        self.order = order

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """Filtered forwards and backwards."""
        from scipy.signal import butter, sosfiltfilt

        edges = self.edges if len(self.edges) == 2 else self.edges[0]
        sections = butter(self.order // 2, edges, self.form, fs=sample_rate, output="sos")
        return sosfiltfilt(sections, signal, padtype=None)

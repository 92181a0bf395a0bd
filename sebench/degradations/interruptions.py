"""What changes over time: gains that jump, packets that do not arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from sebench.degradations.base import Degradation

if TYPE_CHECKING:
    from sebench.degradations.base import Signal

RAMP_SECONDS = 0.005  # in which a gain changes


class GainSteps(Degradation):
    """A gain that jumps now and then, as of an automatic level control or a moved microphone

    Times between jumps are exponentially distributed; gains in dB are uniform, and change linearly within 5 ms.

    Args:
        seconds: mean time between jumps.
        low_db: lowest gain.
        high_db: highest gain.
    """

    name = "gain_steps"
    version = 1
    source = "piecewise constant gain"
    requires = ("low_db <= high_db",)

    def __init__(
        self,
        *,
        seconds: Annotated[float, Ge(0.05), Le(600)] = 1.0,
        low_db: Annotated[float, Ge(-60), Le(20)] = -12.0,
        high_db: Annotated[float, Ge(-60), Le(20)] = 0.0,
    ) -> None:
        self.seconds, self.low_db, self.high_db = seconds, low_db, high_db

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """Multiplied by the gain."""
        length = len(signal) / sample_rate
        times = [0.0]
        while times[-1] < length:
            times.append(times[-1] + RAMP_SECONDS + rng.exponential(self.seconds))
        gains = 10.0 ** (rng.uniform(self.low_db, self.high_db, len(times)) / 20.0)
        # each gain holds from the end of its ramp to the beginning of the next one
        ends = np.ravel([[time, time + RAMP_SECONDS] for time in times[1:]])
        values = np.repeat(gains, 2)[1:-1]
        return signal * np.interp(np.arange(len(signal)) / sample_rate, ends, values)


class PacketLoss(Degradation):
    """Packets that do not arrive: silence, or the last one that did once more

    Losses come in bursts (E. N. Gilbert, 1960): lengths of bursts are geometrically distributed. What is lost at the
    beginning is silence.

    Args:
        packet_ms: length of a packet.
        share: of the packets that are lost, on average.
        mean_burst: packets lost in a row, on average; 1: each by itself.
        fill: what is heard instead.
    """

    name = "packet_loss"
    version = 1
    source = "E. N. Gilbert, Capacity of a burst-noise channel, Bell Syst. Tech. J. 39, 1960"

    def __init__(
        self,
        *,
        packet_ms: Annotated[float, Ge(1), Le(500)] = 20.0,
        share: Annotated[float, Gt(0), Le(0.5)] = 0.1,
        mean_burst: Annotated[float, Ge(1), Le(1000)] = 1.0,
        fill: Literal["silence", "repeat"] = "silence",
    ) -> None:
        self.packet_ms, self.fill = packet_ms, fill
        self.share, self.recovers = share, 1.0 / mean_burst

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """With the lost packets replaced."""
        packet = max(1, round(self.packet_ms * sample_rate / 1000.0))
        draws = rng.random(-(-len(signal) // packet))
        fails = self.share * self.recovers / (1.0 - self.share)  # so that `share` is the chain's long-run mean
        last: Signal = np.zeros(packet)
        lost = False
        for number, drawn in enumerate(draws):
            place = slice(number * packet, min((number + 1) * packet, len(signal)))
            lost = drawn >= self.recovers if lost else drawn < (self.share if number == 0 else fails)
            if not lost:
                last = signal[place].copy()
            elif self.fill == "silence":
                signal[place] = 0.0
            else:
                signal[place] = last[: place.stop - place.start]
        return signal

"""STOI and ESTOI by the `pystoi` package."""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from sebench.metrics.base import Metric, Unscorable, is_constant

if TYPE_CHECKING:
    from sebench.metrics.base import Signal


class _Stoi(Metric):
    extended: ClassVar[bool] = False

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """STOI or ESTOI."""
        if is_constant(estimate):
            told = "constant" if estimate.any() else "silent"
            raise Unscorable(f"no envelope to correlate: the estimate is {told}")
        if clean.size < 384 * sample_rate // 1000:
            raise Unscorable(f"STOI needs segments of 384 ms, has {1000 * clean.size / sample_rate:.0f} ms")
        from pystoi import stoi

        with warnings.catch_warnings(), _seeded_by(clean, estimate):
            warnings.simplefilter("error", RuntimeWarning)
            try:
                return float(stoi(clean, estimate, sample_rate, extended=self.extended))
            except RuntimeWarning as warning:
                # The package answers 1e-5 with a warning, which would pass for a score.
                if "Not enough STFT frames" in str(warning):
                    raise Unscorable("fewer than 30 frames are left after silence removal") from None
                raise Unscorable(f"pystoi: {warning}") from None


@contextlib.contextmanager
def _seeded_by(*signals: Signal) -> Iterator[None]:
    # ESTOI adds noise of 1e-16 from NumPy's global state before it normalises; on silent bands that noise decides the
    # correlation (spread over calls 1e-2). Seeding by content makes the score a function of the signals.
    import numpy as np

    digest = hashlib.sha256(b"".join(signal.tobytes() for signal in signals)).digest()
    state = np.random.get_state()
    np.random.seed(int.from_bytes(digest[:4], "big"))
    try:
        yield
    finally:
        np.random.set_state(state)


class Stoi(_Stoi):
    """STOI, short-time objective intelligibility

    10 kHz, 15 third-octave bands from 150 Hz, segments of 384 ms, clipping at -15 dB; frames 40 dB below the
    loudest are removed.
    """

    name = "stoi"
    version = 1
    bounds = (-1.0, 1.0)
    package = "pystoi"
    source = "Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19(7), 2011"
    other_rates = "own"  # the package resamples to 10 kHz
    extended = False


class Estoi(_Stoi):
    """ESTOI, extended short-time objective intelligibility

    NumPy's global state is seeded by a hash of the signals for the call and restored after it.
    """

    name = "estoi"
    version = 1
    bounds = (-1.0, 1.0)
    package = "pystoi"
    source = "Jensen, Taal, IEEE/ACM TASLP 24(11), 2016"
    other_rates = "own"  # the package resamples to 10 kHz
    extended = True

"""Segmental SNR after Loizou: of the estimate, and its improvement over the noisy mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sebench.metrics.base import Metric, Unscorable

if TYPE_CHECKING:
    from sebench.metrics.base import Signal

LOW_DB, HIGH_DB = -10.0, 35.0
FRAME_SECONDS, FRAMES_PER_WINDOW = 0.03, 4  # hop: a quarter of the frame, 75 % overlap


def segmental_snr_db(clean: Signal, estimate: Signal, sample_rate: int) -> float:
    """Mean over frames of 10 log10(sum (w clean)^2 / sum (w (clean - estimate))^2), each limited to -10...35 dB.

    Hann window w without its zeros, frames of 30 ms every 7.5 ms. As in Loizou's `comp_snr.m`, the last whole frame is
    left out, and a frame in which the clean signal is digital silence counts -10 dB.

    Raises:
        Unscorable: there is no frame.
    """
    import numpy as np

    frame = round(FRAME_SECONDS * sample_rate)
    hop = frame // FRAMES_PER_WINDOW
    count = (clean.size - frame) // hop
    if count < 1:
        needed, given = (1000 * samples / sample_rate for samples in (frame + hop, clean.size))
        raise Unscorable(f"segmental SNR needs {needed:.1f} ms, has {given:.1f} ms")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, frame + 1) / (frame + 1))

    def energies(signal: Signal) -> Signal:
        frames = np.lib.stride_tricks.sliding_window_view(signal, frame)[: count * hop : hop]
        found: Signal = ((window * frames) ** 2).sum(axis=1)
        return found

    speech, residual = energies(clean), energies(clean - estimate)
    # Loizou adds 2.2e-16 to energy and ratio. Deciding where they are 0 gives the same, at any level.
    ratios = np.where(speech > 0.0, np.inf, 0.0)
    np.divide(speech, residual, out=ratios, where=residual > 0.0)
    limits = [10.0 ** (limit / 10.0) for limit in (LOW_DB, HIGH_DB)]
    return float(10.0 * np.log10(ratios.clip(*limits)).mean())


class SegSnr(Metric):
    """Segmental SNR, in dB

    Mean over frames of the SNR of each, limited to -10...35 dB. Not scale-invariant.
    """

    name = "seg_snr"
    version = 1
    bounds = (-10.0, 35.0)
    unit = "dB"
    source = "Loizou, Speech Enhancement: Theory and Practice, 2nd ed., 2013, ch. 11.1"
    other_rates = "own"

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """Segmental SNR in dB."""
        return segmental_snr_db(clean, estimate, sample_rate)


class DeltaSegSnr(Metric):
    """Segmental SNR improvement over the noisy mixture, in dB

    Segmental SNR of the estimate less that of the noisy mixture, both to the same clean reference.
    """

    name = "delta_seg_snr"
    version = 1
    bounds = (-45.0, 45.0)
    needs_noisy = True
    unit = "dB"
    source = "Loizou, Speech Enhancement: Theory and Practice, 2nd ed., 2013, ch. 11.1"
    other_rates = "own"

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """Segmental SNR improvement in dB."""
        return segmental_snr_db(clean, estimate, sample_rate) - segmental_snr_db(clean, noisy, sample_rate)

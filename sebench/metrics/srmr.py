"""SRMR, the speech-to-reverberation modulation energy ratio, on the filters of package `gammatone`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from sebench.errors import SebenchError
from sebench.metrics.base import Metric, Unscorable, is_constant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sebench.metrics.base import Signal

BANDS, SPEECH_BANDS, QUALITY = 8, 4, 2.0  # modulation filters, those counted as speech, their Q
WINDOW_SECONDS, HOP_SECONDS = 0.256, 0.064
SHORTEST_SECONDS = 0.3  # one window of the gammatonegram too, whose own frames are 32 ms
RANGE_DB = 30.0  # that `norm` leaves to modulation energies
FAST_RATE = 400.0  # frames per second of the gammatonegram


class Srmr(Metric):
    """SRMR, speech-to-reverberation modulation energy ratio

    Energy of the slow modulations of cochlear envelopes, which are speech's, over that of the fast ones, which
    reverberation adds: modulation bands 1...4 over bands 5...K of eight, where K follows from the bandwidth that holds
    90 % of the energy. Defaults are those of the authors' SRMRToolbox, without its voice activity detection and level
    (the score does not depend on level).

    Args:
        fast: envelopes from a short-time spectrum (400 per second) in place of gammatone filters; other values.
        norm: limit modulation energies to the 30 dB below their peak, which makes speakers and texts more alike.
        n_cochlear_filters: cochlear channels.
        low_freq: centre of the lowest, in Hz.
        min_cf: centre of the first modulation band, in Hz.
        max_cf: centre of the eighth; None is 128 Hz, and 30 Hz with `norm`.
        whole_windows: only windows that fit into the signal, as SRMRpy has it since 2015; the toolbox fills the first
            and the last with zeros.
    """

    name = "srmr"
    version = 1
    bounds = (0.0, None)
    needs_reference = False
    package = "gammatone"
    requires = ("min_cf < max_cf",)
    source = "Falk, Zheng, Chan, IEEE TASLP 18(7), 2010; norm: Santos, Senoussaoui, Falk, IWAENC 2014"
    other_rates = "down"

    def __init__(
        self,
        *,
        fast: bool = False,
        norm: bool = False,
        n_cochlear_filters: Annotated[int, Ge(2)] = 23,
        low_freq: Annotated[float, Gt(0), Lt(8000)] = 125.0,
        min_cf: Annotated[float, Gt(0)] = 4.0,
        max_cf: Annotated[float, Gt(0)] | None = None,
        whole_windows: bool = False,
    ) -> None:
        self.fast = fast
        self.norm = norm
        self.channels = n_cochlear_filters
        self.low_freq = low_freq
        self.min_cf = min_cf
        self.max_cf = max_cf if max_cf is not None else (30.0 if norm else 128.0)
        self.whole_windows = whole_windows
        if self.max_cf <= self.min_cf:
            raise SebenchError(f"srmr: min_cf {self.min_cf:g} Hz is not below max_cf {self.max_cf:g} Hz")

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """SRMR of the estimate alone."""
        import numpy as np
        from gammatone.filters import centre_freqs

        if is_constant(estimate):
            raise Unscorable(f"SRMR is 0/0: the estimate is {'constant' if estimate.any() else 'silent'}")
        if estimate.size < SHORTEST_SECONDS * sample_rate:
            raise Unscorable(f"SRMR needs {SHORTEST_SECONDS} s, has {estimate.size / sample_rate:.3f} s")
        envelopes = self._fast_envelopes if self.fast else self._envelopes
        rate = FAST_RATE if self.fast else float(sample_rate)
        centres = self.min_cf * (self.max_cf / self.min_cf) ** (np.arange(BANDS) / (BANDS - 1))
        energy = np.array([self._energy(envelope, centres, rate) for envelope in envelopes(estimate, sample_rate)])
        if self.norm:
            peak = energy.mean(axis=0).max()
            energy = energy.clip(peak * 10.0 ** (-RANGE_DB / 10.0), peak)
        mean = energy.mean(axis=-1)
        bandwidths = _erb(centre_freqs(sample_rate, self.channels, self.low_freq))
        last = _last_band(mean.sum(axis=1), bandwidths, centres, sample_rate)
        return float(mean[:, :SPEECH_BANDS].sum() / mean[:, SPEECH_BANDS:last].sum())

    def _envelopes(self, signal: Signal, sample_rate: int) -> Iterator[Signal]:
        """Hilbert envelopes `(samples,)` of the gammatone channels, from high to low centre."""
        import numpy as np
        from gammatone.filters import centre_freqs, make_erb_filters
        from scipy.signal import sosfilt

        for row in make_erb_filters(sample_rate, centre_freqs(sample_rate, self.channels, self.low_freq)):
            poles = row[6:9]
            sections = np.array([[row[0], zero, row[5], *poles] for zero in row[1:5]])
            yield _envelope(sosfilt(sections, signal) / row[9])

    def _fast_envelopes(self, signal: Signal, sample_rate: int) -> Iterator[Signal]:
        """Gammatone-weighted magnitudes `(frames,)` of 10 ms Hann spectra every 2.5 ms, from high to low centre."""
        import numpy as np
        from gammatone.fftweight import fft_weights, specgram
        from gammatone.gtgram import gtgram_strides

        window, hop, _ = gtgram_strides(sample_rate, 0.01, 1.0 / FAST_RATE, 0)
        size = 2 ** math.ceil(math.log2(2 * window))
        weights, _ = fft_weights(size, sample_rate, self.channels, 1, self.low_freq, sample_rate / 2, size / 2 + 1)
        # SRMRpy leaves them from low to high and so takes K from the wrong channel; seldom is K another for it.
        magnitudes = np.abs(specgram(signal, size, sample_rate, window, hop))
        yield from np.einsum("cb,bt->ct", weights[::-1], magnitudes) / size  # not by BLAS, see `inner`

    def _energy(self, envelope: Signal, centres: Signal, rate: float) -> Signal:
        """Energies `(modulation bands, windows)` of one envelope in Hamming windows."""
        import numpy as np
        from scipy.signal import lfilter

        size, hop = math.ceil(WINDOW_SECONDS * rate), math.ceil(HOP_SECONDS * rate)
        window = np.hamming(size + 1)[:-1] if self.whole_windows else np.hamming(size)
        before, after = (0, 0) if self.whole_windows else (size - hop, -envelope.size % hop)
        powers = np.zeros((len(centres), before + envelope.size + after))
        for power, centre in zip(powers, centres, strict=True):
            np.square(lfilter(*_band_pass(centre, rate), envelope), out=power[before : before + envelope.size])
        windows = np.lib.stride_tricks.sliding_window_view(powers, size, axis=-1)[:, ::hop]
        energies: Signal = np.einsum("btw,w->bt", windows, window**2)  # not by BLAS, see `inner`
        return energies


def _envelope(signal: Signal) -> Signal:
    """Magnitude of the analytic signal, by real transforms (half the work of complex ones)."""
    import numpy as np
    from scipy.fft import irfft, rfft

    spectrum = -1j * rfft(signal)
    spectrum[0] = 0.0
    if signal.size % 2 == 0:
        spectrum[-1] = 0.0
    return np.sqrt(signal**2 + irfft(spectrum, signal.size) ** 2)


def _band_pass(centre: float, rate: float) -> tuple[list[float], list[float]]:
    """Second-order band-pass at `centre` Hz as (numerator, denominator), by the bilinear transform."""
    warped = math.tan(math.pi * centre / rate)
    width = warped / QUALITY
    return [width, 0.0, -width], [1.0 + width + warped**2, 2.0 * warped**2 - 2.0, 1.0 - width + warped**2]


def _erb(centre: Signal) -> Signal:
    """Equivalent rectangular bandwidth at `centre` Hz (Glasberg and Moore), in Hz."""
    return centre / 9.26449 + 24.7


def _last_band(energy: Signal, bandwidths: Signal, centres: Signal, sample_rate: int) -> int:
    """K, 5...8: the modulation bands that a cochlear channel of the 90 % bandwidth can carry.

    Args:
        energy: of the cochlear channels, from high to low centre.
        bandwidths: of these, in Hz.
        centres: of the modulation bands, in Hz.
        sample_rate: of the signal, in Hz.

    Raises:
        Unscorable: the bandwidth is below the fifth band.
    """
    import numpy as np

    share = np.cumsum(energy[::-1]) / energy.sum()
    bandwidth = bandwidths[::-1][np.argmax(share > 0.9)]
    # Lower 3 dB cutoffs. At the signal's rate also where envelopes have another, as published.
    cutoffs = centres - np.tan(np.pi * centres / sample_rate) / QUALITY * sample_rate / (2 * np.pi)
    count = int((cutoffs <= bandwidth).sum())
    if count <= SPEECH_BANDS:
        raise Unscorable(f"SRMR: 90 % of the energy lies in a bandwidth of {bandwidth:.0f} Hz, below modulation band 5")
    return count

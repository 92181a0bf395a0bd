"""Changes of a training batch, by name, after the public DEMUCS recipe (arXiv 2006.12847, facebookresearch/denoiser).

Each draws from a generator of its own, made from (name, seed of the run, step), and works in place on the CPU. What
held before holds after it: noisy = speech + noise, `clean` is treated as `speech` is, and behind the end of an
utterance there are zeros.

`remix` is ours: it exchanges noises as `remix_levels` does, and keeps SNRs instead of levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Longest shift. Segments are read this much longer where they are shifted.
SHIFT_SECONDS = 0.5

#: The scale of `band_mask`: so many frequencies, evenly on the mel scale, from the lowest to half the sample rate.
BANDS = 120
LOWEST_HZ = 40.0
#: Largest part of the scale that is removed.
BAND_WIDTH = 0.2
#: Length of the band-stop filter's response; with a Hamming window its edges are 3.3 / 0.25 = 13 Hz wide.
FILTER_SECONDS = 0.25


@dataclass
class Segments:
    """A batch while it is changed.

    Args:
        signals: noisy, speech, noise and perhaps clean.
        lengths: samples of each utterance; zeros follow.
        levels_db: active level of each utterance's speech, in dBov.
        sample_rate: in Hz.

    Shape:
        signals `(batch, samples)`, float32; lengths and levels_db `(batch,)`.
    """

    signals: dict[str, NDArray[np.float32]]
    lengths: NDArray[np.int64]
    levels_db: NDArray[np.float64]
    sample_rate: int

    def mend(self) -> None:
        """Silence what lies behind the ends, and make noisy the sum again."""
        for signal in self.signals.values():
            for place, length in enumerate(self.lengths):
                signal[place, length:] = 0.0
        np.add(self.signals["speech"], self.signals["noise"], out=self.signals["noisy"])


@dataclass(frozen=True)
class Augmentation:
    """A change, and how much longer segments are read for it."""

    apply: Callable[[Segments, np.random.Generator], None]
    extra_seconds: float = 0.0


def remix(segments: Segments, rng: np.random.Generator) -> None:
    """Give each segment the noise of another one of the batch, at the SNR that the noise had."""
    order = rng.permutation(len(segments.lengths))
    levels = segments.levels_db
    gains = np.nan_to_num(10.0 ** ((levels - levels[order]) / 20.0), nan=1.0).astype(np.float32)
    noise = segments.signals["noise"]
    noise[:] = noise[order] * gains[:, None]
    segments.mend()


def remix_levels(segments: Segments, rng: np.random.Generator) -> None:
    """Give each segment the noise of another one of the batch, at the level that the noise had."""
    noise = segments.signals["noise"]
    noise[:] = noise[rng.permutation(len(noise))]
    segments.mend()


def band_mask(segments: Segments, rng: np.random.Generator) -> None:
    """Remove one band from the whole batch, of at most 20% of the mel scale from 40 Hz to half the sample rate; now and
    then an empty one.
    """
    scale = mel_frequencies(segments.sample_rate)
    low = int(rng.integers(BANDS))
    high = int(rng.integers(low, min(BANDS, low + round(BAND_WIDTH * BANDS))))
    if high == low:
        return
    response = band_stop(scale[low], scale[high], segments.sample_rate)
    for name, signal in segments.signals.items():
        if name != "noisy":
            signal[:] = filtered(signal, response)
    segments.mend()


def shift(segments: Segments, rng: np.random.Generator) -> None:
    """Cut each segment, which is read 0.5 s longer, all its signals alike, from an offset of its own, of at most 0.5 s.
    Segments start anywhere in an utterance without it too, so that it changes little here.

    The offset of an utterance that would end within the segment is smaller: no shift makes a segment emptier.
    """
    read = segments.signals["noisy"].shape[1]
    extra = round(SHIFT_SECONDS * segments.sample_rate)
    kept = read - extra
    offsets = rng.integers(0, np.clip(segments.lengths - kept, 0, extra), endpoint=True)
    for name, signal in segments.signals.items():
        for place, offset in enumerate(offsets):
            signal[place, :kept] = signal[place, offset : offset + kept]
        segments.signals[name] = signal[:, :kept]
    segments.lengths = np.minimum(segments.lengths, kept)


AUGMENTATIONS: Mapping[str, Augmentation] = {
    "remix": Augmentation(remix),
    "remix_levels": Augmentation(remix_levels),
    "band_mask": Augmentation(band_mask),
    "shift": Augmentation(shift, extra_seconds=SHIFT_SECONDS),
}


def extra_samples(names: Iterable[str], sample_rate: int) -> int:
    """How much longer than it will be each segment is read."""
    return sum(round(AUGMENTATIONS[name].extra_seconds * sample_rate) for name in names)


def mel_frequencies(sample_rate: int) -> NDArray[np.float64]:
    """The scale of `band_mask` in Hz, with mel = 2595 log10(1 + Hz / 700).

    Shape:
        returns `(BANDS,)`.
    """
    low, high = (2595.0 * math.log10(1.0 + hz / 700.0) for hz in (LOWEST_HZ, sample_rate / 2.0))
    return np.asarray(700.0 * (10.0 ** (np.linspace(low, high, BANDS) / 2595.0) - 1.0))


def band_stop(low_hz: float, high_hz: float, sample_rate: int) -> NDArray[np.float32]:
    """Response of a symmetric filter that removes a band, by the window method; a low-pass where it is the highest.

    Shape:
        returns `(taps,)`, an odd number of them.
    """
    from scipy.signal import firwin

    taps = 2 * round(FILTER_SECONDS * sample_rate / 2.0) + 1
    highest = high_hz >= 0.999 * sample_rate / 2.0
    edges = [low_hz] if highest else [low_hz, high_hz]
    return np.asarray(firwin(taps, edges, pass_zero=True, fs=sample_rate), dtype=np.float32)


def filtered(signals: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Signals through a symmetric filter, without its delay; zeros before and after.

    Shape:
        signals `(batch, samples)`, response `(taps,)`; returns `(batch, samples)`.
    """
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(signals, response[None], mode="same", axes=-1), dtype=np.float32)

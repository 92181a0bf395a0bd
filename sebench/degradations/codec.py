"""Lossy codecs, by the encoders of libsndfile."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le

from sebench.degradations.base import Degradation, exactly
from sebench.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from sebench.degradations.base import Signal

#: Container and coding of libsndfile, and the sample rates in Hz that a codec takes (none: any).
FORMATS: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "mp3": ("MP3", "MPEG_LAYER_III", (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)),
    "vorbis": ("OGG", "VORBIS", ()),
    "opus": ("OGG", "OPUS", (8000, 12000, 16000, 24000, 48000)),
}


class Codec(Degradation):
    """Coded and decoded again: MP3 (LAME), Ogg Vorbis or Opus

    In memory, mono, at the bit rate that the encoder chooses. The decoder takes off the codec's delay. A rate that the
    codec does not take is resampled (soxr, HQ) to the next that it does, and back.

    Args:
        format: of the codec.
        compression: 0 is the highest quality, 0.99 the lowest bit rate (libsndfile's `compression_level`).
    """

    name = "codec"
    version = 1
    packages = ("soundfile", "soxr")
    source = "libsndfile: LAME, libvorbis, libopus"

    def __init__(
        self,
        *,
        format: Literal["mp3", "vorbis", "opus"] = "mp3",
        compression: Annotated[float, Ge(0), Le(0.99)] = 0.5,
    ) -> None:
        import soundfile

        self.container, self.coding, self.rates = FORMATS[format]
        self.compression = compression
        if self.coding not in soundfile.available_subtypes(self.container):
            writable = [name for name, (_, coding, _) in FORMATS.items() if coding in soundfile.available_subtypes()]
            raise DataError(
                f"degradation 'codec': the libsndfile here ({soundfile.__libsndfile_version__}) has no encoder for "
                f"{format}; it has {', '.join(writable) or 'none of the codecs'}; `pip install soundfile` brings one "
                "that has all"
            )

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """Coded and decoded."""
        import soxr

        rate = sample_rate
        if self.rates and rate not in self.rates:
            rate = next((each for each in self.rates if each > rate), self.rates[-1])
        given = signal if rate == sample_rate else soxr.resample(signal, sample_rate, rate)
        found = self._coded(given, rate)
        return exactly(found if rate == sample_rate else soxr.resample(found, rate, sample_rate), len(signal))

    def _coded(self, signal: Signal, sample_rate: int) -> Signal:
        import soundfile

        memory = io.BytesIO()
        form = {"format": self.container, "subtype": self.coding, "compression_level": self.compression}
        try:
            with soundfile.SoundFile(memory, "w", sample_rate, 1, **form) as file:
                file.write(signal)
            memory.seek(0)
            with soundfile.SoundFile(memory) as file:
                found: Signal = file.read(dtype="float64")
        except soundfile.LibsndfileError as error:
            raise DataError(f"degradation 'codec' ({self.coding}, {sample_rate} Hz): {error}") from error
        return found

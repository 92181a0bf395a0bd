"""Decoding: the one place where an audio file becomes samples."""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sebench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})

#: Relative to the rest of a signal; an offset below changes no level by 0.001 dB.
OFFSET_DB = -40.0

#: What a manifest path may name behind a `#`, in the order in which a file holds them.
CHANNELS = ("left", "right")


@dataclass(frozen=True)
class Probe:
    """What a file's header says."""

    sample_rate: int
    channels: int
    samples: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.samples / self.sample_rate


@dataclass(frozen=True)
class Decoded:
    """A file that was read once: its hash, its header, and its samples down-mixed at its own rate."""

    sha256: str
    probe: Probe
    samples: npt.NDArray[np.float32]


def of_channel(path: str, channel: str) -> str:
    """The path of one channel of a file: `x.wav#left`, which every function here reads as a recording of its own."""
    return f"{path}#{channel}"


def file_of(path: Path) -> Path:
    """The file that a manifest path names.

    >>> file_of(Path("a/x.wav#left")).as_posix()
    'a/x.wav'
    """
    return _located(path)[0]


def _located(path: Path) -> tuple[Path, int | None]:
    """File and number of the channel; None: all of them, averaged."""
    name, _, channel = path.name.rpartition("#")
    if channel in CHANNELS and Path(name).suffix.lower() in SUFFIXES:
        return path.with_name(name), CHANNELS.index(channel)
    return path, None


def audio_files(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """All audio files below `folder` by their names, sorted; hidden ones do not count, links are followed."""
    return sorted(_walk(folder, (), suffixes)) if folder.is_dir() else []


def _walk(folder: Path, above: tuple[Path, ...], suffixes: Collection[str]) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:  # a link that leads back to where it came from
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(folder / entry.name, (*above, here), suffixes)
            elif Path(entry.name).suffix.lower() in suffixes:
                yield folder / entry.name


def probe(path: Path) -> Probe:
    """Read the header only.

    Raises:
        DataError: missing, or not audio.
    """
    import soundfile

    path = file_of(path)
    try:
        info = soundfile.info(str(path))
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path}: {_reason(path, error)}") from error
    return Probe(info.samplerate, info.channels, info.frames)


def decode(path: Path) -> Decoded:
    """Read a file once, for its hash and its samples.

    Raises:
        DataError: missing, not audio, or without samples or the channel.
    """
    import soundfile

    path, channel = _located(path)
    try:
        data = path.read_bytes()
        samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path}: {_reason(path, error)}") from error
    if not len(samples):
        raise DataError(f"{path}: holds no samples")
    header = Probe(int(sample_rate), samples.shape[1], samples.shape[0])
    return Decoded(hashlib.sha256(data).hexdigest(), header, _mono(samples, channel, path))


def read(path: Path, sample_rate: int = 16000) -> npt.NDArray[np.float32]:
    """Samples `(samples,)` at `sample_rate`: the named channel or the average, resampled by soxr's very high quality.

    Raises:
        DataError: missing, not audio, without samples or the channel, or with samples that are not finite.
    """
    import numpy as np
    import soundfile

    path, channel = _located(path)
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path}: {_reason(path, error)}") from error
    if not len(samples):
        raise DataError(f"{path}: holds no samples")
    mono = _mono(samples, channel, path)
    if not np.isfinite(mono).all():
        raise DataError(f"{path}: holds samples that are not finite")
    return resample(mono, rate, sample_rate)


def read_piece(path: Path, start: int, samples: int, sample_rate: int = 16000) -> npt.NDArray[np.float32]:
    """`(samples,)` from `start`, both counted at `sample_rate`: a part of what `read` gives, up to rounding.

    Only that part and a tenth of a second at both sides, for the resampler, is decoded.

    Raises:
        DataError: as `read`, or the file ends before.
    """
    import numpy as np
    import soundfile

    path, channel = _located(path)
    margin = sample_rate // 10
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = int(file.samplerate)
            # Blocks that are a whole number of samples at both rates: what is resampled stays in phase.
            shared = math.gcd(rate, sample_rate)
            block, file_block = sample_rate // shared, rate // shared
            first, last = max(0, start - margin) // block, -(-(start + samples + margin) // block)
            file.seek(min(first * file_block, file.frames))
            data = file.read((last - first) * file_block, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path}: {_reason(path, error)}") from error
    piece = resample(_mono(data, channel, path), rate, sample_rate)[start - first * block :][:samples]
    if len(piece) != samples:
        raise DataError(f"{path}: ends before {(start + samples) / sample_rate:g} s")
    if not np.isfinite(piece).all():
        raise DataError(f"{path}: holds samples that are not finite")
    return piece


def resample(samples: npt.NDArray[np.float32], source: float, target: float) -> npt.NDArray[np.float32]:
    """Samples `(samples,)` from rate `source` to rate `target`."""
    import numpy as np
    import soxr

    if source == target:
        return samples
    # The filter sees zeros before and after: an offset would begin and end with a click, of a third of its height.
    constant = np.float32(offset(samples))
    rest = samples - constant if constant else samples
    resampled = np.asarray(soxr.resample(rest, source, target, quality="VHQ"), dtype=np.float32)
    return resampled + constant if constant else resampled


def offset(samples: npt.NDArray[np.floating[Any]]) -> float:
    """The mean of samples `(samples,)` where it matters; 0.0 where it is below `OFFSET_DB` relative to the rest.

    Zero for most recordings, so that what is done about offsets leaves their samples as they are.
    """
    import numpy as np

    if not len(samples):
        return 0.0
    mean = float(np.mean(samples, dtype=np.float64))
    power = float(np.einsum("i,i->", samples, samples, dtype=np.float64)) / len(samples)  # in blocks, without BLAS
    return mean if mean * mean > max(0.0, power - mean * mean) * 10.0 ** (OFFSET_DB / 10.0) else 0.0


def _mono(samples: npt.NDArray[np.float32], channel: int | None, path: Path) -> npt.NDArray[np.float32]:
    import numpy as np

    if channel is not None and channel >= samples.shape[1]:
        raise DataError(f"{path}: has no {CHANNELS[channel]} channel, only {samples.shape[1]} in all")
    if channel is not None or samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, channel or 0])
    return samples.mean(axis=1, dtype=np.float64).astype(np.float32)


def _reason(path: Path, error: Exception) -> str:
    if not path.exists():
        return "there is no such file"
    if path.is_dir():
        return "is a folder, not an audio file"
    if path.stat().st_size == 0:
        return "is empty (0 bytes)"
    detail = str(error).rsplit(": ", 1)[-1]
    return f"cannot be read as audio ({detail}); accepted: {', '.join(sorted(s[1:] for s in SUFFIXES))}"

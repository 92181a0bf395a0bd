"""Decoding: the one place where an audio file becomes samples."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import math
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sebench.corpora import container, names
from sebench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})

#: Suffixes, without the dot, of audio, or of video with audio, that are not read: such files are listed as left out.
_UNREAD = (
    "3gp/aac/ac3/aif/aiff/alac/amr/ape/au/caf/dsf/m4a/m4b/mka/mkv/mov/mp2/mp4/mpc/oga/opus/ra/raw/shn/sph/spx/tta/voc"
    "/w64/webm/wma/wv/wv1"
)
UNREAD = frozenset(_UNREAD.split("/"))

#: Relative to the rest of a signal; an offset below changes no level by 0.001 dB.
OFFSET_DB = -40.0

#: What a manifest path may name behind a `#`, in the order in which a file holds them.
CHANNELS = ("left", "right")


#: A header with this many samples or more does not know how many there are.
UNKNOWN = 1 << 62

#: Hz, lowest and highest rate of a recording; headers beyond are damaged.
RATES = (1000, 1_000_000)

#: s of a file that are decoded at once, whatever its header promises.
BLOCK_SECONDS = 600


@dataclass(frozen=True)
class Probe:
    """What a file's header says, or of a decoded file what came."""

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

    def identity(self) -> dict[str, str]:
        """Columns of the manifest that tell what the file is: its bytes, its samples, its sound."""
        from sebench.corpora.sound import fingerprint

        rate = self.probe.sample_rate
        decoded = hashlib.sha256(f"{rate} ".encode() + self.samples.astype("<f4").tobytes()).hexdigest()
        return {"sha256": self.sha256, "decoded": decoded, "sound": fingerprint(self.samples, rate)}


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
    """All audio files below `folder` by their names, sorted; hidden ones do not count, links are followed.

    What cannot be used by its name alone is not among them: see `unusable_files`.
    """
    return sorted(path for path, reason in _walk(folder, ()) if not reason and path.suffix.lower() in suffixes)


def unusable_files(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[tuple[Path, str]]:
    """What a person may take for audio below `folder` and `audio_files` leaves out, with the reason, sorted."""
    found = []
    for path, reason in _walk(folder, ()):
        suffix = path.suffix.lower()
        if reason and (suffix in suffixes or suffix[1:] in UNREAD or not suffix):
            found.append((path, reason))
        elif suffix[1:] in UNREAD and suffix not in suffixes:
            accepted = ", ".join(sorted(known[1:] for known in SUFFIXES))
            found.append((path, f"{suffix} files are not read; accepted: {accepted}: convert it"))
    return sorted(found)


def _walk(folder: Path, above: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Each file below a folder, and why its name alone makes it unusable; empty if it does not."""
    if not folder.is_dir():
        return
    here = folder.resolve()
    if here in above:  # a link that leads back to where it came from
        return
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = folder / entry.name
                if entry.name.startswith("."):
                    continue
                try:
                    folder_there, file_there = entry.is_dir(), entry.is_file()
                except OSError:  # a link that leads to itself, or to where nobody may look
                    yield path, "a link that cannot be followed"
                    continue
                if folder_there:
                    yield from _walk(path, (*above, here))
                elif not file_there:
                    yield path, "a link to what is not there" if not path.exists() else "not a file"
                elif not names.encodable(str(path)):
                    yield path, "its name is not UTF-8: rename it"
                else:
                    yield path, ""
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error


def probe(path: Path) -> Probe:
    """Read the header only. It may promise what is not there: only `decode`, `read` and `opened` count.

    Raises:
        DataError: missing, or not audio.
    """
    with _sound_file(file_of(path)) as file:
        return Probe(file.samplerate, file.channels, file.frames)


def decode(path: Path) -> Decoded:
    """Read a file once, for its hash and its samples, whether these are finite or not.

    Raises:
        DataError: missing, not audio, without samples or the channel, or with fewer or more than its header says.
    """
    path, channel = _located(path)
    try:
        with _raw(path) as file:
            data = file.read()
    except OSError as error:
        raise DataError(f"{path}: {_reason(path, error)}") from error
    with opened(path, data) as reader:
        samples = reader.whole()
    header = Probe(reader.sample_rate, reader.channels, len(samples))
    return Decoded(hashlib.sha256(data).hexdigest(), header, _mono(samples, channel, path))


def read(path: Path, sample_rate: int = 16000) -> npt.NDArray[np.float32]:
    """Samples `(samples,)` at `sample_rate`: the named channel or the average, resampled by soxr's very high quality.

    Raises:
        DataError: as `decode`, or with samples that are not finite.
    """
    import numpy as np

    path, channel = _located(path)
    with opened(path) as reader:
        mono = _mono(reader.whole(), channel, path)
    if not np.isfinite(mono).all():
        raise DataError(f"{path}: holds samples that are not finite")
    return resample(mono, reader.sample_rate, sample_rate)


class SoundFileReader:
    """A sound file that is read from its beginning to its end, and counted: what comes is compared with its header.

    Args:
        path: for messages.
        file: opened by soundfile.
        raw: the same bytes, for the container's own account.

    Attributes:
        announced: samples of each channel that the header promises; None of a FLAC that was written into a pipe.
    """

    def __init__(self, path: Path, file: Any, raw: BinaryIO) -> None:
        self.path, self._file, self._raw = path, file, raw
        # soundfile seeks after every read and stops where the header ends. After a seek, a frame of an MP3 lacks what
        # it borrows from those before it; and what comes beyond the header's end must be seen to be counted.
        file.seekable = lambda: False
        self.sample_rate, self.channels = int(file.samplerate), int(file.channels)
        self.announced: int | None = None if file.frames >= UNKNOWN else int(file.frames)

    def blocks(self, samples: int) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks `(samples, channels)`, the last one shorter; ends well only if all that is announced came.

        Raises:
            DataError: the file holds no samples, cannot be decoded to its end, or holds fewer or more samples than
                its header or its container says.
        """
        count = 0
        while True:
            try:
                block = self._file.read(samples, dtype="float32", always_2d=True)
            except (OSError, RuntimeError) as error:
                detail = f" ({_detail(error)})" if _detail(error) else ""
                raise DataError(f"{self.path}: cannot be read to its end{detail}: it is damaged") from error
            if not len(block):
                break
            count += len(block)
            yield block
        if self.announced is not None and count != self.announced:
            raise DataError(
                f"{self.path}: is damaged or not whole: its header announces {self._told(self.announced)}, and "
                f"{self._told(count)} can be decoded"
            )
        wrong = container.fault(self._raw, count)
        if wrong:
            raise DataError(f"{self.path}: {wrong}")
        if not count:
            raise DataError(f"{self.path}: holds no samples")

    def whole(self) -> npt.NDArray[np.float32]:
        """All samples `(samples, channels)`.

        Raises:
            DataError: as `blocks`.
        """
        import numpy as np

        most = BLOCK_SECONDS * self.sample_rate
        found = list(self.blocks(most if self.announced is None else min(self.announced + 1, most)))
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _told(self, samples: int) -> str:
        return f"{samples / self.sample_rate:.2f} s ({samples} samples)"


@contextlib.contextmanager
def opened(path: Path, data: bytes | None = None) -> Iterator[SoundFileReader]:
    """A sound file to read block by block, by the one function that everything reads audio through.

    Args:
        path: a file, without a channel.
        data: its bytes, where they are read already.

    Raises:
        DataError: missing, or not audio; from the reader's functions, what these say.
    """
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(_raw(path) if data is None else io.BytesIO(data))
        source = path if data is None else io.BytesIO(data)
        yield SoundFileReader(path, stack.enter_context(_sound_file(path, source)), raw)


@contextlib.contextmanager
def _sound_file(path: Path, source: Path | BinaryIO | None = None) -> Iterator[Any]:
    import soundfile

    if source is None:
        _refuse_endless(path)
        source = path
    try:
        file = soundfile.SoundFile(os.fsencode(source) if isinstance(source, Path) else source)
    except (OSError, RuntimeError, TypeError) as error:
        raise DataError(f"{path}: {_reason(path, error)}") from error
    with file:
        if not RATES[0] <= file.samplerate <= RATES[1]:
            raise DataError(f"{path}: its header says {file.samplerate} Hz; accepted: {RATES[0]} to {RATES[1]} Hz")
        yield file


@contextlib.contextmanager
def _raw(path: Path) -> Iterator[BinaryIO]:
    _refuse_endless(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: {_reason(path, error)}") from error
    with file:
        yield file


def _refuse_endless(path: Path) -> None:
    """A pipe may never answer, a device never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError(f"{path}: is a pipe or a device, not a file")


def read_piece(path: Path, start: int, samples: int, sample_rate: int = 16000) -> npt.NDArray[np.float32]:
    """`(samples,)` from `start`, both counted at `sample_rate`: a part of what `read` gives, up to rounding.

    Next to the file's own ends it may differ by 1e-3 of its level: there the resampler knows another offset.

    Only that part and a tenth of a second at both sides, for the resampler, is decoded.

    Raises:
        DataError: as `read`, or the file ends before.
    """
    import numpy as np

    path, channel = _located(path)
    margin = sample_rate // 10
    with _sound_file(path) as file:
        rate = int(file.samplerate)
        # Blocks that are a whole number of samples at both rates: what is resampled stays in phase.
        shared = math.gcd(rate, sample_rate)
        block, file_block = sample_rate // shared, rate // shared
        first, last = max(0, start - margin) // block, -(-(start + samples + margin) // block)
        try:
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
    mean: npt.NDArray[np.float32] = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if not path.exists():
        return "there is no such file"
    if path.is_dir():
        return "is a folder, not an audio file"
    if path.stat().st_size == 0:
        return "is empty (0 bytes)"
    detail = f" ({_detail(error)})" if _detail(error) else ""
    return f"cannot be read as audio{detail}; accepted: {', '.join(sorted(s[1:] for s in SUFFIXES))}"


def _detail(error: Exception) -> str:
    return str(error).rsplit(": ", 1)[-1].strip(" .")

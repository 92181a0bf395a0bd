"""The files of a corpus while mixtures are rendered from them: checked against the manifest, decoded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from sebench.corpora.activity import Activity, frame_powers
from sebench.errors import DataError
from sebench.files import sha256_of

#: s; of a longer noise file only the segment that is mixed is decoded.
LONG = 60.0

#: Files that decoders enter exactly where they are told to.
_SEEKABLE = frozenset({".wav", ".flac"})

#: s; of a long file so much is decoded at once to see where it is active.
_CHUNK = 30

#: Files whose activity is kept: 20 numbers for each second of them.
_ACTIVITIES = 2048


class Sources:
    """Decoded files of a corpus, the most recently used ones kept; each file's hash is compared before it is used.

    Args:
        capacity: bytes that are kept.
    """

    def __init__(self, capacity: int = 256 << 20) -> None:
        self.capacity = capacity
        self._kept: OrderedDict[tuple[Any, ...], np.ndarray] = OrderedDict()
        self._checked: set[tuple[Any, ...]] = set()
        self._active: OrderedDict[tuple[Any, ...], Activity] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, path: Path, sha256: str, sample_rate: int) -> np.ndarray:
        """The file as `(samples,)` float32.

        Raises:
            DataError: the file is not there, cannot be decoded, or is not the one that the manifest describes.
        """
        from sebench.corpora.audio import read

        key = (*self._check(path, sha256), sample_rate)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        signal = read(path, sample_rate)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = signal
                self._bytes += signal.nbytes
            while self._bytes > self.capacity and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return signal

    def piece(self, path: Path, sha256: str, sample_rate: int, start: int, samples: int) -> np.ndarray | None:
        """`(samples,)` float32 from `start` of a file longer than `LONG`, without decoding all of it.

        Where the file has another rate, the outcome is that of `read` up to the rounding of the resampler. It depends
        on the file, the place and the rate alone.

        Returns:
            None where the file is not that long, cannot be entered anywhere, or ends before the piece does.

        Raises:
            DataError: as `read`.
        """
        from sebench.corpora.audio import read_piece

        self._check(path, sha256)
        available = _enterable(path, sample_rate)
        return None if start + samples > available else read_piece(path, start, samples, sample_rate)

    def place(self, path: Path, sha256: str, sample_rate: int, start: int, samples: int) -> int:
        """`start`, or where else `samples` of the file are as active as the file: see `Activity.place`.

        It depends on the file, the arguments and nothing else. A file of more than `LONG` is decoded once per process
        for this, in pieces that are not kept, at its own rate.

        Raises:
            DataError: as `read`.
        """
        key = (*self._check(path, sha256), sample_rate)
        available = _enterable(path, sample_rate) or len(self.read(path, sha256, sample_rate))
        if samples >= available:
            return start
        with self._lock:
            activity = self._active.get(key)
        if activity is None:
            activity = self._activity(path, sha256, sample_rate)
        with self._lock:
            self._active[key] = activity
            self._active.move_to_end(key)
            if len(self._active) > _ACTIVITIES:
                self._active.popitem(last=False)
        return activity.place(start, samples, available, sample_rate)

    def _activity(self, path: Path, sha256: str, sample_rate: int) -> Activity:
        from sebench.corpora.audio import probe, read_piece

        if not _enterable(path, sample_rate):
            return Activity(frame_powers(self.read(path, sha256, sample_rate), sample_rate))
        header = probe(path)
        chunk = _CHUNK * header.sample_rate
        starts = range(0, header.samples, chunk)
        pieces = (read_piece(path, first, min(chunk, header.samples - first), header.sample_rate) for first in starts)
        return Activity(np.concatenate([frame_powers(piece, header.sample_rate) for piece in pieces]))

    def _check(self, path: Path, sha256: str) -> tuple[Any, ...]:
        """Compare the file with its hash once in its present state; what identifies that state."""
        from sebench.corpora.audio import file_of

        file = file_of(path)
        try:
            state = file.stat()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}; the manifest names it") from error
        key = (str(path), sha256, state.st_size, state.st_mtime_ns)
        if key not in self._checked:
            found = sha256_of(file)
            if found != sha256:
                raise DataError(
                    f"{path}: has SHA-256 {found[:12]}..., the manifest says {sha256[:12]}...: "
                    "the file changed since the corpus was scanned"
                )
            self._checked.add(key)
        return key


def _enterable(path: Path, sample_rate: int) -> int:
    """Samples at `sample_rate` of a file of more than `LONG` that can be entered anywhere; 0 for any other."""
    from sebench.corpora.audio import UNKNOWN, file_of, probe

    if file_of(path).suffix.lower() not in _SEEKABLE:
        return 0
    header = probe(path)
    return (
        header.samples * sample_rate // header.sample_rate if header.seconds > LONG and header.samples < UNKNOWN else 0
    )


SOURCES = Sources()

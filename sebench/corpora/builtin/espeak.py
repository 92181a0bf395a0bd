"""Speech by espeak-ng (1.52, from the `espeakng-loader` wheel): the same request always gives the same samples."""

from __future__ import annotations

import atexit
import json
import os
import struct
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sebench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Request:
    """One utterance.

    Args:
        text: SSML.
        voice: language and variant, e.g. "gmw/en-GB-scotland+f3".
        rate: words per minute, 80 to 450.
        pitch: 0 to 100; 50 is the voice's own.
        range: of the intonation, 0 to 100; 50 is the voice's own.
        word_gap: extra pause between words, in units of 10 ms at the default rate.
        volume: 100 is espeak-ng's default, at which some voices clip inside the synthesiser.
    """

    text: str
    voice: str
    rate: int = 165
    pitch: int = 50
    range: int = 50
    word_gap: int = 0
    volume: int = 60


class Speaker:
    """A speaking process (`sebench.corpora.builtin.espeak_server`), started at the first request."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def __call__(self, request: Request) -> tuple[npt.NDArray[np.float64], int]:
        """Samples in [-1, 1] and their sample rate (22,050 Hz).

        Raises:
            DataError: espeak-ng is missing or refused the request.
        """
        import numpy as np

        stdin, stdout = self._pipes()
        try:
            stdin.write(json.dumps(asdict(request)).encode() + b"\n")
            stdin.flush()
            size, sample_rate = struct.unpack("<II", _exactly(stdout, 8))
            data = _exactly(stdout, size)
        except (BrokenPipeError, EOFError) as error:
            self.close()
            raise DataError(f"the espeak-ng process ended while it spoke {request}") from error
        if not size:
            raise DataError(f"espeak-ng gave no speech for {request}; its message stands on standard error")
        return np.frombuffer(data, dtype="<i2").astype(np.float64) / 32768.0, sample_rate

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._server is None or self._owner != os.getpid():  # a forked copy must not share its parent's pipes
            library, data = _paths()
            server = Path(__file__).with_name("espeak_server.py")
            command = [sys.executable, "-I", "-S", str(server), library, data]
            self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._owner = os.getpid()
            atexit.register(self.close)
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        return self._server.stdin, self._server.stdout

    def close(self) -> None:
        """End the process; the next request starts another."""
        if self._server is not None and self._owner == os.getpid():
            for pipe in (self._server.stdin, self._server.stdout):
                if pipe is not None:
                    pipe.close()
            self._server.wait()
        self._server = None


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _paths() -> tuple[str, str]:
    try:
        import espeakng_loader
    except ImportError as error:
        raise DataError("the builtin corpus speaks by espeak-ng: pip install espeakng-loader") from error
    return str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path())


#: One per process is enough: it forks for every request.
speak = Speaker()

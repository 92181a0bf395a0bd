"""A process that speaks: it reads one JSON request a line and answers each from a fresh fork of itself.

Run by `sebench.corpora.builtin.espeak` with `python -I -S`, so it imports the standard library only. espeak-ng keeps
state from one call to the next, so only the first call of a process has an outcome that depends on the request alone,
and even that one depends on the clock where a voice breathes: initialisation seeds the noise by the time. Every answer
therefore comes from a child that has never spoken before, with the noise seeded anew. The fork happens here, in a
process without threads, and not in the caller, which may have many.

Answer: 4 bytes with the size of the samples in bytes (0: the child failed), 4 bytes with the sample rate, then the
int16 samples.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
from typing import Any

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8_AND_SSML = 0x01 | 0x10
_CHARACTER = 1
#: Numbers of espeak_PARAMETER in speak_lib.h.
_PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "range": 4, "word_gap": 7}

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(library: str, data: str, request: dict[str, Any]) -> tuple[int, bytes]:
    """Sample rate and int16 samples of one request: `text` (SSML), `voice`, and the keys of `_PARAMETERS`."""
    espeak = ctypes.CDLL(library)
    sample_rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DO_NOT_EXIT)
    if sample_rate <= 0:
        raise OSError(f"espeak_Initialize failed with {sample_rate} for {data}")
    if espeak.espeak_ng_SetRandSeed(ctypes.c_long(1)) != 0:
        raise OSError("espeak_ng_SetRandSeed failed")
    parts: list[bytes] = []

    def receive(wave: Any, samples: int, _events: Any) -> int:
        if wave and samples > 0:
            parts.append(ctypes.string_at(wave, 2 * samples))
        return 0

    callback = _CALLBACK(receive)
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(request["voice"].encode()) != 0:
        raise ValueError(f"espeak-ng has no voice {request['voice']!r}")
    for name, number in _PARAMETERS.items():
        if name in request:
            espeak.espeak_SetParameter(number, int(request[name]), 0)
    text = request["text"].encode() + b"\0"
    espeak.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, _CHARACTER, 0, _UTF8_AND_SSML, None, None)
    espeak.espeak_Synchronize()
    return sample_rate, b"".join(parts)


def _answer(library: str, data: str, line: bytes) -> int:
    try:
        sample_rate, samples = speak(library, data, json.loads(line))
        message = struct.pack("<II", len(samples), sample_rate) + samples
        while message:
            message = message[os.write(1, message) :]
    except Exception as error:
        print(f"espeak_server: {error}", file=sys.stderr, flush=True)
        return 1
    return 0 if samples else 2


def serve(library: str, data: str) -> None:
    """Answer until standard input ends, which it does when the caller ends, however it ends."""
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            os._exit(_answer(library, data, line))
        _, status = os.waitpid(child, 0)
        if status != 0 and os.waitstatus_to_exitcode(status) != 2:
            os.write(1, struct.pack("<II", 0, 0))


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])

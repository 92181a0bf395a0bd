"""What PESQ's C code (packages `pesq` and `pesqc2`, both ITU-T's program of 2005) cannot score rightly.

Its arrays have fixed sizes that it does not check, and what is written past them ends the process, never ends, or is
a wrong score:

- 50 utterances (`MAXNUTTERANCES`): stretches of speech of at least 0.2 s between pauses of at least 0.2 s. Each one
  that begins after the fiftieth, however short, is written past the arrays.
- 1000 bad intervals (`MAX_NUMBER_OF_BAD_INTERVALS`): at least five disturbed frames of 16 ms, which smearing keeps
  three frames apart. So 128 s hold no more, the 0.32 s that the program appends among them.

Utterances are counted on the program's own activity detection, by its own functions, before it is asked for a score.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sebench.metrics.base import Unscorable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sebench.metrics.base import Signal

SHORTEST_SECONDS, LONGEST_SECONDS = 0.25, 127.0
UTTERANCES = 50  # MAXNUTTERANCES
WINDOW_SECONDS, UTTERANCE_WINDOWS = 0.004, 50  # of the activity detection, MINUTTLENGTH
#: Speech of 46 windows, which the detection widens by two on each side, and a pause of 51, which are not joined: what
#: is shorter than 50 of these holds no more than 50 utterances.
SAFE_SECONDS = UTTERANCES * (46 + 51) * WINDOW_SECONDS
MARGIN_WINDOWS, PADDING_SECONDS = 75, 0.32  # SEARCHBUFFER, DATAPADDING_MSECS


def check(package: str, clean: Signal, sample_rate: int, *, wide: bool) -> None:
    """Refuse what the program would write past its arrays.

    Args:
        package: `pesq` or `pesqc2`.
        clean: reference, `(samples,)`; not silent.
        sample_rate: 8000 or 16000 Hz.
        wide: in wide-band mode, whose filters come before the detection.

    Raises:
        Unscorable: too short, too long, or more utterances than the program has room for.
    """
    seconds = clean.size / sample_rate
    if seconds < SHORTEST_SECONDS:
        raise Unscorable(f"PESQ needs {SHORTEST_SECONDS} s, has {seconds:.3f} s")
    if seconds > LONGEST_SECONDS:
        raise Unscorable(
            f"PESQ's code is safe for up to {LONGEST_SECONDS:.0f} s (it has room for 1000 disturbed intervals), and "
            f"this has {seconds:.1f} s"
        )
    if seconds < SAFE_SECONDS:
        return
    long = 0
    for count, (start, end) in enumerate(stretches(active_windows(package, clean, sample_rate, wide=wide)), 1):
        if long >= UTTERANCES:
            raise Unscorable(
                f"PESQ's code has room for {UTTERANCES} utterances, and the reference has more: number "
                f"{count} begins at {(start - MARGIN_WINDOWS) * WINDOW_SECONDS:.1f} s"
            )
        long += end - start >= UTTERANCE_WINDOWS


def stretches(active: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Start and end of each run of active windows."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2):
        yield int(start), int(end)


class _Info(ctypes.Structure):
    """SIGNAL_INFO of pesq.h."""

    _fields_ = (
        ("path_name", ctypes.c_char * 512),
        ("file_name", ctypes.c_char * 128),
        ("samples", ctypes.c_long),
        ("apply_swap", ctypes.c_long),
        ("input_filter", ctypes.c_long),
        ("data", ctypes.c_void_p),
        ("vad", ctypes.c_void_p),
        ("log_vad", ctypes.c_void_p),
    )


def active_windows(package: str, clean: Signal, sample_rate: int, *, wide: bool) -> NDArray[np.bool_]:
    """Windows of 4 ms in which the program hears speech in the reference, 75 of them before it and 75 after it."""
    import numpy as np

    library = _library(package)
    flag, kind = ctypes.c_long(0), ctypes.c_char_p()
    library.select_rate(ctypes.c_long(sample_rate), ctypes.byref(flag), ctypes.byref(kind))
    window = ctypes.c_long.in_dll(library, "Downsample").value
    margin = MARGIN_WINDOWS * window
    total = clean.size + 2 * margin
    data = np.zeros(total + round(PADDING_SECONDS * sample_rate), np.float32)
    data[margin : margin + clean.size] = clean / np.abs(clean).max()
    vad, log_vad = (np.zeros(total // window, np.float32) for _ in range(2))
    info = _Info(samples=total, data=data.ctypes.data, vad=vad.ctypes.data, log_vad=log_vad.ctypes.data)
    samples = ctypes.c_long(total)
    library.fix_power_level(ctypes.byref(info), b"reference", samples)
    if wide:
        fade = np.arange(16, dtype=np.float32) / np.float32(16)
        data[margin - 1 : margin + 15] *= fade
        data[total - margin - 15 : total - margin + 1] *= fade[::-1]
        sections = ctypes.c_void_p(ctypes.addressof(ctypes.c_float.in_dll(library, "WB_InIIR_Hsos_16k")))
        inside = ctypes.c_void_p(data.ctypes.data + margin * data.itemsize)
        library.IIRFilt(sections, ctypes.c_ulong(1), None, inside, ctypes.c_ulong(clean.size), None)
    else:
        curve = (ctypes.c_double * 52).in_dll(library, "standard_IRS_filter_dB")
        library.apply_filter(ctypes.c_void_p(data.ctypes.data), samples, ctypes.c_int(26), curve)
    for step in (library.DC_block, library.apply_filters):
        step(ctypes.c_void_p(data.ctypes.data), samples)
    library.calc_VAD(ctypes.byref(info))
    return vad > 0.0


@functools.cache
def _library(package: str) -> Any:
    return ctypes.CDLL(importlib.import_module(f"{package}.cypesq").__file__)

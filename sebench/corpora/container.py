"""What a sound file's container announces beside what is there: libsndfile takes the end of a file as it comes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

#: Sizes that a program writes which cannot go back to the header (a pipe): the end of the file is the end.
STREAMED = 0x7FFF0000

#: Codings of a WAV whose samples have one size: whole numbers and floats.
UNCODED = (1, 3)

#: Bytes of a header of NIST SPHERE, of which the second line says how many there are; no LDC corpus has more.
SPHERE_HEADER = 1024


def fault(file: BinaryIO, samples: int) -> str:
    """How a file contradicts itself, in words; empty where it does not or its container is not known here.

    Known are WAV, Ogg, AIFF and NIST SPHERE. MP3 and FLAC are compared by what was decoded (`sebench.corpora.audio`).

    Args:
        file: open at any place; left at any other.
        samples: that were decoded, of each channel.
    """
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    check = _CHECKS.get(file.read(4))
    return "" if check is None else check(file, size, samples)


def _riff(file: BinaryIO, size: int, samples: int) -> str:
    return _chunks(file, size, "<", b"data", samples)


def _aiff(file: BinaryIO, size: int, samples: int) -> str:
    return _chunks(file, size, ">", b"SSND", samples)


def _chunks(file: BinaryIO, size: int, order: str, wanted: bytes, samples: int) -> str:
    """The chunk of samples must end within the file and hold as many as were decoded; what follows must be chunks."""
    place, long_size, seen, odd, one = 12, 0, False, False, 0
    while place + 8 <= size:
        file.seek(place)
        head = file.read(8)
        name, length = head[:4], struct.unpack(order + "I", head[4:])[0]
        if not all(32 <= byte < 127 for byte in name):
            if odd:  # not everybody pads
                place, odd = place - 1, False
                continue
            rest = size - place
            # Zeros, or a few bytes, are padding of whoever wrote the file.
            if seen and rest > 64 and any(file.read(4096)):
                return f"its header ends the samples {rest} bytes before the file does"
            return ""
        if name == b"ds64":
            file.seek(place + 16)
            long_size = struct.unpack("<Q", file.read(8))[0]
        if name == b"fmt ":
            coding, _, _, _, align = struct.unpack("<HHIIH", file.read(14).ljust(14, b"\0"))
            one = align if coding in UNCODED else 0
        if name == wanted:
            if length >= STREAMED:
                if length != 0xFFFFFFFF or long_size in (0, 0xFFFFFFFFFFFFFFFF):
                    return ""
                length = long_size
            there = size - place - 8
            if length > there:
                return f"its header announces {length} bytes of samples, {there} are there: it was cut off"
            if one and length // one != samples:
                return f"its header announces {length // one} samples of {one} bytes, and {samples} were decoded"
            seen = True
        odd = bool(length % 2)
        place += 8 + length + odd
    return ""


def _ogg(file: BinaryIO, size: int, samples: int) -> str:
    """Pages must follow one another without a gap, up to one that says that it is the last."""
    pages: dict[int, int] = {}  # serial number of a stream -> its last page
    place, last_flags, last_granule, vorbis = 0, 0, -1, False
    while place + 27 <= size:
        file.seek(place)
        head = file.read(27)
        if head[:4] != b"OggS":
            return f"its pages are interrupted at byte {place}: a part is missing or damaged"
        last_flags, last_granule, serial, number = head[5], *struct.unpack("<qII", head[6:22])
        lengths = file.read(head[26])
        if not pages:
            vorbis = file.read(7)[1:] == b"vorbis"
        if serial in pages and number != pages[serial] + 1:
            return f"has a gap: page {pages[serial]} is followed by page {number}"
        pages[serial] = number
        place += 27 + len(lengths) + sum(lengths)
    if place > size or not last_flags & 4:
        return "ends before its last page: it was cut off"
    if vorbis and len(pages) == 1 and last_granule > samples:
        return f"announces {last_granule} samples and {samples} can be decoded: a part is damaged"
    return ""


def _sphere(file: BinaryIO, size: int, samples: int) -> str:
    file.seek(0)
    fields = {}
    for line in file.read(SPHERE_HEADER).partition(b"end_head")[0].decode("ascii", "replace").splitlines():
        name, _, value = line.partition(" ")
        fields[name] = value.partition(" ")[2].strip()
    announced = fields.get("sample_count", "")
    if announced.isdigit() and int(announced) > samples:
        return f"its header announces {announced} samples and {samples} can be decoded"
    return ""


_CHECKS: dict[bytes, Callable[[BinaryIO, int, int], str]] = {
    b"RIFF": _riff,
    b"RF64": _riff,
    b"BW64": _riff,
    b"FORM": _aiff,
    b"OggS": _ogg,
    b"NIST": _sphere,
}

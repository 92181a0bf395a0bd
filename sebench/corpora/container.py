"""What a sound file's container announces beside what is there: libsndfile takes the end of a file as it comes."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import BinaryIO

#: Sizes that a program writes which cannot go back to the header (a pipe): the end of the file is the end.
STREAMED = 0x7FFF0000

#: Codings of a WAV whose samples have one size: whole numbers and floats.
UNCODED = (1, 3)

#: A first frame of an MP3 that holds no sound but says how much follows; before it, a sum of two bytes and zeros.
MP3_HEADER = re.compile(rb".{0,2}\0{7,32}(?:Xing|Info|VBRI)", re.DOTALL)

#: Where a frame or a tag may begin.
MP3_BEGIN = re.compile(rb"\xff|ID3")

#: kbit/s of MPEG 1, layer III, and of MPEG 2 and 2.5; 0: free, which is not followed here.
MP3_BITRATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
)

#: Samples of an MP3 that may be left out of what is decoded: delay and padding, 12 bits each, and two frames.
MP3_UNHEARD = 2 * 4095 + 2 * 1152

#: Bytes of a header of NIST SPHERE, of which the second line says how many there are; no LDC corpus has more.
SPHERE_HEADER = 1024


def fault(file: BinaryIO, samples: int) -> str:
    """How a file contradicts itself, in words; empty where it does not or its container is not known here.

    Known are WAV, Ogg, MP3, AIFF and NIST SPHERE. FLAC is compared by what was decoded (`sebench.corpora.audio`).

    Args:
        file: open at any place; left at any other.
        samples: that were decoded, of each channel.
    """
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    begin = file.read(4)
    check = _mp3 if begin[:3] == b"ID3" or _frame(begin)[0] else _CHECKS.get(begin)
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
    """Pages must follow one another without a gap, up to one that says that it is the last; streams begin together."""
    pages: dict[int, int] = {}  # serial number of a stream -> its last page
    place, last_flags, last_granule, vorbis = 0, 2, -1, False
    while place + 27 <= size:
        file.seek(place)
        head = file.read(27)
        if head[:4] != b"OggS":
            return f"its pages are interrupted at byte {place}: a part is missing or damaged"
        if head[5] & 2 and not last_flags & 2:
            return _second_stream(place)
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


def _mp3(file: BinaryIO, size: int, samples: int) -> str:
    """Frames must be of one stream and be decoded: a decoder ends where the first header says, or where it guesses."""
    file.seek(0)
    data = file.read()
    place, frames, each, tagged, lost = 0, 0, 0, False, True
    while place < size - 3:
        if data[place : place + 3] == b"ID3":  # its size is in four bytes of seven bits
            a, b, c, d = data[place + 6 : place + 10].ljust(4, b"\0")
            place, tagged, lost = place + 10 + (a << 21 | b << 14 | c << 7 | d), frames > 0, True
            continue
        length, count = _frame(data[place : place + 4])
        if not length or (lost and not _frame(data[place + length : place + length + 4])[0]):
            found = MP3_BEGIN.search(data, place + 1)
            place, lost = found.start() if found else size, True
            continue
        if frames and (tagged or MP3_HEADER.match(data, place + 4, place + 44)):
            return _second_stream(place)
        place, frames, each, lost = place + length, frames + 1, count, False
    if frames * each > samples + MP3_UNHEARD:
        return f"holds {frames} frames of {each} samples, and {samples} samples can be decoded"
    return ""


def _frame(head: bytes) -> tuple[int, int]:
    """Bytes and samples of the MP3 frame that begins so; zeros where none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0, 0
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or rate == 3:
        return 0, 0
    count = 1152 if version == 3 else 576
    hertz = (44100, 48000, 32000)[rate] // {3: 1, 2: 2, 0: 4}[version]
    length = count // 8 * 1000 * MP3_BITRATES[version != 3][bitrate] // hertz
    return (length + (head[2] >> 1 & 1), count) if length else (0, 0)


def _second_stream(place: int) -> str:
    return f"holds a second stream, from byte {place} on: it is files put together, of which only the first is read"


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

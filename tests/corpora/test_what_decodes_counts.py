"""A header is not believed over what decodes: damaged files of every container, and one place that reads audio."""

from __future__ import annotations

import ast
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sebench
from sebench.corpora.audio import audio_files, decode, opened, probe, read, unusable_files
from sebench.corpora.folder import Folder
from sebench.errors import DataError

RATE, SAMPLES = 16000, 32000


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    samples = 0.1 * np.random.default_rng(0).standard_normal(SAMPLES)
    soundfile.write(out, samples.clip(-0.9, 0.9), RATE, format=kind)
    return out.getvalue()


def wav_with_size(value: int) -> bytes:
    data = bytearray(encoded("WAV"))
    place = data.find(b"data") + 4
    data[place : place + 4] = struct.pack("<I", value)
    return bytes(data)


def half(kind: str) -> bytes:
    data = encoded(kind)
    return data[: len(data) // 2]


def with_gap(kind: str) -> bytes:
    data = encoded(kind)
    return data[: len(data) // 2] + data[len(data) // 2 + 2000 :]


def blanked(kind: str) -> bytes:
    data = bytearray(encoded(kind))
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    return bytes(data)


def mp3_with_frames(factor: int) -> bytes:
    data = bytearray(encoded("MP3"))
    place = max(data.find(b"Xing"), data.find(b"Info")) + 8
    frames = struct.unpack(">I", data[place : place + 4])[0]
    data[place : place + 4] = struct.pack(">I", factor * frames)
    return bytes(data)


def flac_with_total(samples: int) -> bytes:
    data = bytearray(encoded("FLAC"))
    data[22:26] = struct.pack(">I", samples)
    return bytes(data)


ID3 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)  # a tag of 10 bytes


def mp3_without_header() -> bytes:
    """Its first frame, which says how many follow, is cut off: 72 bytes of each kbit/s, at 16 kHz."""
    data = encoded("MP3")
    return data[72 * (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96)[data[2] >> 4] // 16 :]


TWO_STREAMS: dict[str, Callable[[], bytes]] = {
    "two.ogg": lambda: encoded("OGG") + encoded("OGG"),
    "twice.ogg": lambda: 2 * encoded("OGG"),
    "two.mp3": lambda: 2 * encoded("MP3"),
    "two_tagged.mp3": lambda: 2 * (ID3 + encoded("MP3") + b"TAG" + bytes(125)),
    "tag_between.mp3": lambda: encoded("MP3") + ID3 + mp3_without_header(),
}

DAMAGED: dict[str, Callable[[], bytes]] = {
    "half.wav": lambda: half("WAV"),
    "more.wav": lambda: wav_with_size(4 * SAMPLES),
    "less.wav": lambda: wav_with_size(SAMPLES),
    "none.wav": lambda: wav_with_size(0),
    "half.flac": lambda: half("FLAC"),
    "gap.flac": lambda: with_gap("FLAC"),
    "blanked.flac": lambda: blanked("FLAC"),
    "more.flac": lambda: flac_with_total(3 * SAMPLES),
    "half.ogg": lambda: half("OGG"),
    "gap.ogg": lambda: with_gap("OGG"),
    "blanked.ogg": lambda: blanked("OGG"),
    "half.mp3": lambda: half("MP3"),
    "gap.mp3": lambda: with_gap("MP3"),
    "threefold.mp3": lambda: mp3_with_frames(3),
    "more_frames.mp3": lambda: encoded("MP3") + mp3_without_header(),
    **TWO_STREAMS,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_not_all_there_is_refused_by_name(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(DAMAGED[name]())
    for reading in (decode, read):
        with pytest.raises(DataError, match=name):
            reading(path)

    def block_by_block() -> None:
        with opened(path) as reader:
            for block in reader.blocks(1000):
                assert len(block)

    with pytest.raises(DataError, match=name):
        block_by_block()


@pytest.mark.parametrize("name", TWO_STREAMS)
def test_a_second_stream_is_refused_by_name(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(TWO_STREAMS[name]())
    with pytest.raises(DataError, match=rf"{name}: holds a second stream, from byte \d+ on"):
        decode(tmp_path / name)


def test_frames_of_an_mp3_that_are_not_decoded_are_told(tmp_path: Path):
    (tmp_path / "x.mp3").write_bytes(encoded("MP3") + mp3_without_header())
    with pytest.raises(DataError, match=rf"x\.mp3: holds \d+ frames of 576 samples, and {SAMPLES} samples can be"):
        decode(tmp_path / "x.mp3")


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_one_mp3_with_tags_around_it_is_whole(tmp_path: Path, rate: int, mode: str):
    out = io.BytesIO()
    samples = 0.1 * np.random.default_rng(0).standard_normal((SAMPLES, 2))
    soundfile.write(out, samples, rate, format="MP3", bitrate_mode=mode)
    cover = b"APETAGEX" + np.random.default_rng(1).bytes(100_000)
    (tmp_path / "x.mp3").write_bytes(ID3 + out.getvalue() + cover + b"TAG" + bytes(125))
    assert len(decode(tmp_path / "x.mp3").samples) == SAMPLES


def test_no_pipe_or_device_is_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "device.wav").symlink_to("/dev/zero")
    for name in ("pipe.wav", "device.wav"):
        for reads in (decode, read, probe):
            with pytest.raises(DataError, match=rf"{name}: is a pipe or a device, not a file"):
                reads(tmp_path / name)
    assert audio_files(tmp_path) == []


def test_a_link_to_itself_is_left_out(tmp_path: Path):
    (tmp_path / "self.wav").symlink_to("self.wav")
    (tmp_path / "x.wav").write_bytes(encoded("WAV"))
    assert audio_files(tmp_path) == [tmp_path / "x.wav"]
    assert unusable_files(tmp_path) == [(tmp_path / "self.wav", "a link that cannot be followed")]
    with pytest.raises(DataError, match=r"self\.wav: is a link that leads back to itself"):
        decode(tmp_path / "self.wav")


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (24, struct.pack("<I", 1), "says 1 Hz; accepted: 1000 to 1000000 Hz"),
        (24, struct.pack("<I", 2_000_000_000), "says 2000000000 Hz"),
        (34, struct.pack("<H", 3), "samples of 2 bytes, and"),
    ],
)
def test_a_forged_header_of_a_wav_is_not_believed(tmp_path: Path, place: int, value: bytes, told: str):
    data = encoded("WAV")
    (tmp_path / "x.wav").write_bytes(data[:place] + value + data[place + len(value) :])
    for reads in (decode, read):
        with pytest.raises(DataError, match=rf"x\.wav: its header .*{told}"):
            reads(tmp_path / "x.wav")


def test_a_corpus_leaves_them_out_by_name(folder_root: Path):
    for name, make in DAMAGED.items():
        (folder_root / "speech/train/a" / name).write_bytes(make())
    found = {entry["path"] for entry in Folder().build(folder_root, folder_root, 1).rejected}
    assert found == {f"speech/train/a/{name}" for name in DAMAGED}


@pytest.mark.parametrize("kind", ["WAV", "RF64", "FLAC", "OGG", "MP3", "AIFF", "NIST"])
def test_whole_files_of_all_kinds_are_read(tmp_path: Path, kind: str):
    (tmp_path / "x").write_bytes(encoded(kind))
    assert len(decode(tmp_path / "x").samples) == SAMPLES
    with opened(tmp_path / "x") as reader:
        assert sum(map(len, reader.blocks(999))) == SAMPLES == reader.announced


def test_a_flac_written_into_a_pipe_is_counted(tmp_path: Path):
    (tmp_path / "x.flac").write_bytes(flac_with_total(0))
    assert len(decode(tmp_path / "x.flac").samples) == len(read(tmp_path / "x.flac")) == SAMPLES


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_written_into_a_pipe_is_whole(tmp_path: Path, size: int):
    """Its writer could not go back to fill in the size."""
    (tmp_path / "x.wav").write_bytes(wav_with_size(size))
    assert len(read(tmp_path / "x.wav")) == SAMPLES


@pytest.mark.parametrize("tail", [bytes(1000), b"\x01", b"LIST" + struct.pack("<I", 4) + b"INFO"])
def test_what_follows_the_samples_of_a_wav_may_be_padding_or_chunks(tmp_path: Path, tail: bytes):
    (tmp_path / "x.wav").write_bytes(encoded("WAV") + tail)
    assert len(read(tmp_path / "x.wav")) == SAMPLES


def test_a_chunk_behind_an_odd_number_of_bytes_may_lack_its_padding(tmp_path: Path):
    out = io.BytesIO()
    soundfile.write(out, np.full(1001, 0.25), RATE, format="WAV", subtype="PCM_U8")
    data = out.getvalue()[: 44 + 1001] + b"LIST" + struct.pack("<I", 100) + bytes(range(1, 101))
    (tmp_path / "x.wav").write_bytes(data)
    assert len(decode(tmp_path / "x.wav").samples) == 1001


def test_only_one_module_opens_audio_for_reading():
    """Others may use `soundfile.write`, and `SoundFile` in a mode for writing; a codec reads what it wrote."""
    package = Path(sebench.__file__).parent
    found = []
    for path in package.rglob("*.py"):
        if path in (package / "corpora/audio.py", package / "degradations/codec.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "soundfile":
                found.append(f"{path}:{node.lineno}")
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value
            if not isinstance(owner, ast.Name) or owner.id not in ("soundfile", "sf"):
                continue
            writes = node.func.attr == "write" or (
                node.func.attr == "SoundFile"
                and len(node.args) > 1
                and isinstance(node.args[1], ast.Constant)
                and node.args[1].value == "w"
            )
            if not writes:
                found.append(f"{path}:{node.lineno}: soundfile.{node.func.attr}")
    assert found == []

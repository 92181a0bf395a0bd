"""`sebench enhance` on files as people have them: damaged, the target an input, or a target that cannot be."""

from __future__ import annotations

import errno
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_runs import make_run

from sebench.artefacts import Store
from sebench.enhancement import files
from sebench.enhancement.files import enhance_file
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.models.base import Model
from sebench.training import step as training

RATE = 16000


class Half(Model):
    """Half the input."""

    views = ("waveform",)
    causal = False

    def forward(self, batch: Batch) -> Estimate:
        return Estimate(batch, waveform=0.5 * batch.noisy)


class Broken(Half):
    """Not a number in its 100th sample."""

    def forward(self, batch: Batch) -> Estimate:
        wave = 0.5 * batch.noisy
        wave[:, 100] = torch.nan
        return Estimate(batch, waveform=wave)


def names(folder: Path) -> list[str]:
    """Of all that lies in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def talk(seconds: float, rate: int) -> np.ndarray:
    """Syllables of a harmonic tone that become louder: every second is another."""
    t = np.arange(int(seconds * rate)) / rate
    on = np.clip(np.sin(2 * np.pi * 1.7 * t), 0, None) * (0.2 + 0.8 * t / seconds)
    return (0.1 * on * sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 15))).astype("f4")


def encoded(kind: str, seconds: float, rate: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, talk(seconds, rate), rate, format=kind)
    return out.getvalue()


def damaged(name: str) -> bytes:
    """A file that ends before its header says."""
    if name == "stopped.mp3":
        data = encoded("MP3", 35, 44100)
        return data[: len(data) * 6 // 10]
    if name == "stopped_short.mp3":
        data = encoded("MP3", 6, 44100)
        return data[: len(data) // 2]
    if name == "gap.ogg":
        data = encoded("OGG", 35, 16000)
        return data[: len(data) // 2] + data[len(data) // 2 + 5000 :]
    if name == "stopped.flac":
        data = encoded("FLAC", 25, 16000)
        return data[: len(data) // 2]
    wrong = bytearray(encoded("MP3", 6, 44100))
    place = wrong.find(b"Xing") + 8
    wrong[place : place + 4] = struct.pack(">I", 3 * struct.unpack(">I", wrong[place : place + 4])[0])
    return bytes(wrong)


@pytest.mark.parametrize(
    "name",
    [
        "stopped.mp3",
        "stopped_short.mp3",
        "gap.ogg",
        "stopped.flac",
        "frame_count_times_three.mp3",
    ],
)
def test_a_file_that_ends_before_its_header_says_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(damaged(name))
    with pytest.raises(DataError, match=name) as refused:
        enhance_file(Half(), tmp_path / name, tmp_path / "out.wav")
    assert "can be decoded" in str(refused.value) or "cannot be read" in str(refused.value)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "W64"])
def test_a_whole_file_comes_out_whole_in_any_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"in.{kind.lower()}"
    path.write_bytes(encoded(kind, 21, RATE))
    expected, _ = soundfile.read(path, dtype="float32")
    enhance_file(Half(), path, tmp_path / "out.wav")
    found, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert found.shape == (21 * RATE,)
    np.testing.assert_allclose(found, 0.5 * expected, atol=1e-5)


def test_a_flac_file_from_a_pipe_says_no_length_and_is_enhanced(tmp_path: Path) -> None:
    data = bytearray(encoded("FLAC", 2, RATE))
    data[21] &= 0xF0  # 36 bits of STREAMINFO: the number of samples; 0 means unknown
    data[22:26] = bytes(4)
    (tmp_path / "in.flac").write_bytes(data)
    enhance_file(Half(), tmp_path / "in.flac", tmp_path / "out.wav")
    np.testing.assert_allclose(soundfile.read(tmp_path / "out.wav")[0], 0.5 * talk(2, RATE), atol=1e-4)


def test_a_truncated_wav_is_refused(tmp_path: Path) -> None:
    data = encoded("WAV", 25, RATE)
    (tmp_path / "in.wav").write_bytes(data[: 44 + 2 * 100_000])
    with pytest.raises(DataError, match=r"in\.wav: its header announces 800000 bytes of samples, 200000 are there"):
        enhance_file(Half(), tmp_path / "in.wav", tmp_path / "out.wav")
    assert names(tmp_path) == ["in.wav"]


def test_output_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", talk(1, RATE), RATE)
    with pytest.raises(DataError, match=r"in\.wav: what the model makes of it is not finite"):
        enhance_file(Broken(), tmp_path / "in.wav", tmp_path / "out.wav")
    assert names(tmp_path) == ["in.wav"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("kind", ["itself", "spelling", "link", "hard link", "linked folder", "behind a link"])
def test_the_recording_is_never_written_onto(kind: str, force: bool, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    source = target = folder / "in.wav"
    soundfile.write(source, talk(1, RATE), RATE)
    before = source.read_bytes()
    if kind == "spelling":
        target = folder / ".." / "a" / "in.wav"
    elif kind == "link":
        target = folder / "out.wav"
        target.symlink_to("in.wav")
    elif kind == "hard link":
        target = folder / "out.wav"
        target.hardlink_to(source)
    elif kind == "linked folder":
        (tmp_path / "b").symlink_to(folder)
        target = tmp_path / "b" / "in.wav"
    elif kind == "behind a link":
        source = tmp_path / "link.wav"
        source.symlink_to(target)
    with pytest.raises(DataError, match="cannot be written onto"):
        enhance_file(Half(), source, target, force=force)
    assert source.read_bytes() == before
    assert target.samefile(source)


def test_the_checkpoint_is_never_written_onto(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    run = make_run(store)
    training.run(run, store)
    soundfile.write(tmp_path / "in.wav", talk(1, RATE), RATE)
    checkpoint = store.outputs(run)["checkpoint.safetensors"]
    (tmp_path / "out.wav").symlink_to(checkpoint)
    for given in (checkpoint, store.folder(run)):
        with pytest.raises(DataError, match=r"is read, as .*checkpoint\.safetensors"):
            enhance_file(given, tmp_path / "in.wav", tmp_path / "out.wav", force=True)


def test_what_is_there_is_replaced_only_when_asked_and_only_by_a_whole_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", talk(1, RATE), RATE)
    (tmp_path / "out.wav").write_text("mine")
    (tmp_path / "dangling.wav").symlink_to("nowhere")
    for name in ("out.wav", "dangling.wav"):
        with pytest.raises(DataError, match="is there already; --force replaces it"):
            enhance_file(Half(), tmp_path / "in.wav", tmp_path / name)
    with pytest.raises(DataError, match="not finite"):
        enhance_file(Broken(), tmp_path / "in.wav", tmp_path / "out.wav", force=True)
    assert (tmp_path / "out.wav").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    enhance_file(Half(), tmp_path / "in.wav", tmp_path / "out.wav", force=True)
    assert soundfile.info(tmp_path / "out.wav").frames == RATE
    assert names(tmp_path) == ["dangling.wav", "in.wav", "out.wav"]


def test_targets_that_cannot_be_are_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in.wav"
    soundfile.write(source, talk(1, RATE), RATE)
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    monkeypatch.setattr(files, "enhance_blocks", lambda *_: pytest.fail("work was begun"))
    cases = {
        tmp_path / "folder.wav": "is a folder",
        tmp_path / "pipe.wav": "is no regular file",
        source / "out.wav": "File exists",
        source / "deeper" / "out.wav": "Not a directory",
        tmp_path / f"{'n' * 300}.wav": "File name too long",
        tmp_path / ("n" * 300) / "out.wav": "File name too long",
    }
    for target, reason in cases.items():
        with pytest.raises(DataError, match=reason):
            enhance_file(Half(), source, target, force=True)

    def closed(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("tempfile.TemporaryFile", closed)
    with pytest.raises(DataError, match=r"new\.wav: cannot be written: Read-only file system"):
        enhance_file(Half(), source, tmp_path / "new.wav")


def test_formats_that_cannot_hold_the_recording_are_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", np.zeros((RATE, 9), np.float32), RATE)
    with pytest.raises(DataError, match=r"out\.flac: cannot be written as FLAC with 9 channels at 16000 Hz"):
        enhance_file(Half(), tmp_path / "in.wav", tmp_path / "out.flac")
    (tmp_path / "x.raw").write_bytes(bytes(100))
    for source in ("x.raw", "."):
        with pytest.raises(DataError, match=r"cannot be read as audio|is a folder"):
            enhance_file(Half(), tmp_path / source, tmp_path / "out.wav")
    assert not list(tmp_path.glob("out*"))


def test_the_device_that_is_named_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    run = make_run(store)
    training.run(run, store)
    soundfile.write(tmp_path / "in.wav", talk(1, RATE), RATE)
    moved: list[object] = []
    to = Model.to
    monkeypatch.setattr(Model, "to", lambda self, device: (moved.append(device), to(self, device))[1])
    monkeypatch.setenv("SEBENCH_DEVICE", "cpu:0")
    enhance_file(store.folder(run), tmp_path / "in.wav", tmp_path / "out.wav")
    assert moved == [torch.device("cpu:0")]
    for wrong in ("gpu", "meta", "cuda:99"):
        monkeypatch.setenv("SEBENCH_DEVICE", wrong)
        with pytest.raises(DataError, match=f"SEBENCH_DEVICE={wrong}: .*accepted here: cpu"):
            enhance_file(store.folder(run), tmp_path / "in.wav", tmp_path / "new.wav")
    assert not (tmp_path / "new.wav").exists()

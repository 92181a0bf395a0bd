"""Source files while rendering: checked once in each state, and long noise files not decoded as a whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sebench.corpora import audio
from sebench.corpora.audio import of_channel, read, read_piece
from sebench.errors import DataError
from sebench.seeding import generator
from sebench.synthesis import mixture, sources
from sebench.synthesis.sources import Sources

RATE = 16000


def recording(path: Path, seconds: float, rate: int = RATE, channels: int = 1) -> tuple[Path, str]:
    samples = 0.1 * generator(path.name, rate).standard_normal((round(seconds * rate), channels))
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("start", [0, 1, 700, 12345, 40000])
def test_a_piece_is_that_part_of_the_whole(tmp_path: Path, rate: int, start: int) -> None:
    path, _ = recording(tmp_path / "long.flac", 4.0, rate, 2)
    for named in (path, path.with_name(of_channel(path.name, "left"))):
        whole, piece = read(named), read_piece(named, start, 8000)
        assert piece.dtype == np.float32
        # Where the file itself begins, the filter sees zeros: what is done about an offset depends on all that is read.
        begins = max(0, 100 - start) if rate != RATE else 0
        np.testing.assert_allclose(piece[:begins], whole[start:][:begins], atol=1e-3)
        np.testing.assert_allclose(
            piece[begins:], whole[start + begins : start + 8000], atol=2e-6 if rate != RATE else 0
        )


def test_a_piece_past_the_end_is_refused(tmp_path: Path) -> None:
    path, _ = recording(tmp_path / "x.wav", 1.0)
    with pytest.raises(DataError, match=r"x\.wav: ends before 1\.5 s"):
        read_piece(path, 16000, 8000)
    with pytest.raises(DataError, match="no such file"):
        read_piece(tmp_path / "lost.wav", 0, 10)


def test_only_long_files_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LONG", 2.0)
    long, short = recording(tmp_path / "long.wav", 3.0), recording(tmp_path / "short.wav", 2.0)
    found = Sources().piece(*long, RATE, 20000, 5000)
    np.testing.assert_array_equal(found, read(long[0])[20000:25000])
    assert Sources().piece(*short, RATE, 0, 5000) is None
    assert Sources().piece(*long, RATE, 44000, 5000) is None  # it would go past the end: looped
    path = tmp_path / "long.ogg"
    soundfile.write(path, np.zeros(48000), RATE)
    assert Sources().piece(path, hashlib.sha256(path.read_bytes()).hexdigest(), RATE, 0, 5000) is None


def test_noise_from_a_long_file_is_that_of_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = recording(tmp_path / "long.wav", 5.0)
    samples, _ = soundfile.read(path)
    samples[: 2 * RATE] = 0.0
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for start in (0, 1000, 3 * RATE, 4 * RATE + 9000):  # silence, silence, inside, past the end
        row = {"noise_path": "long.wav", "noise_sha256": sha256, "noise_start": start}
        monkeypatch.setattr(sources, "LONG", 60.0)
        whole = mixture._noise(row, tmp_path, RATE, RATE)
        monkeypatch.setattr(sources, "LONG", 1.0)
        np.testing.assert_array_equal(mixture._noise(row, tmp_path, RATE, RATE), whole)
        assert whole.any()


def test_a_file_is_hashed_once_in_each_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sha256 = recording(tmp_path / "x.wav", 1.0)
    hashed = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: hashed.append(1) or digest(*args))
    kept = Sources()
    for _ in range(3):
        kept.read(path, sha256, RATE)
    assert len(hashed) == 1
    recording(path, 1.1)
    with pytest.raises(DataError, match="the file changed since the corpus was scanned"):
        kept.read(path, sha256, RATE)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        kept.piece(path, sha256, RATE, 0, 10)


def test_what_was_used_least_is_forgotten_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [recording(tmp_path / f"{k}.wav", 1.0) for k in range(3)]
    kept = Sources(capacity=2 * 4 * RATE)
    decoded = []
    original = audio.read
    monkeypatch.setattr(audio, "read", lambda path, rate: decoded.append(path.stem) or original(path, rate))
    for k in (0, 1, 0, 2, 0, 1):
        kept.read(*files[k], RATE)
    assert decoded == ["0", "1", "2", "1"]
    os.utime(files[1][0], (1, 1))
    kept.read(*files[1], RATE)
    assert decoded[-1] == "1"

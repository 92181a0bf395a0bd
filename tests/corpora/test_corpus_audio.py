"""Decoding: what comes out, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from sebench.corpora.audio import decode, file_of, of_channel, offset, probe, read, resample
from sebench.errors import DataError
from sebench.seeding import generator


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
def test_a_tone_keeps_its_frequency_and_level(tmp_path: Path, sample_rate: int):
    seconds = np.arange(sample_rate) / sample_rate
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 1000 * seconds), sample_rate, subtype="FLOAT")
    samples = read(tmp_path / "tone.wav")
    assert samples.dtype == np.float32
    assert len(samples) == 16000
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    assert np.abs(samples - expected)[800:-800].max() < 1e-4


def test_a_tone_above_the_new_nyquist_frequency_vanishes(tmp_path: Path):
    soundfile.write(tmp_path / "high.wav", 0.5 * np.sin(2 * np.pi * 12000 * np.arange(48000) / 48000), 48000)
    assert np.abs(read(tmp_path / "high.wav"))[800:-800].max() < 1e-4


def test_channels_are_averaged(tmp_path: Path):
    channels = np.stack([np.full(1600, 0.5), np.full(1600, 0.1)], 1)
    soundfile.write(tmp_path / "two.wav", channels, 16000, subtype="FLOAT")
    assert np.allclose(read(tmp_path / "two.wav"), 0.3)
    assert probe(tmp_path / "two.wav").channels == 2
    assert decode(tmp_path / "two.wav").samples.shape == (1600,)


def test_a_path_may_name_a_channel(tmp_path: Path):
    channels = np.stack([np.full(1600, 0.5), np.full(1600, 0.1)], 1)
    soundfile.write(tmp_path / "two.wav", channels, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "one.wav", channels[:, 0], 16000, subtype="FLOAT")
    for channel, value in (("left", 0.5), ("right", 0.1)):
        path = tmp_path / of_channel("two.wav", channel)
        assert file_of(path) == tmp_path / "two.wav"
        assert (read(path) == np.float32(value)).all()
        assert (decode(path).samples == np.float32(value)).all()
        assert probe(path).channels == 2
    assert (read(tmp_path / "one.wav#left") == np.float32(0.5)).all()
    with pytest.raises(DataError, match=r"one\.wav: has no right channel, only 1"):
        read(tmp_path / "one.wav#right")
    assert file_of(Path("take#left.wav")) == Path("take#left.wav")
    assert file_of(Path("notes#left")) == Path("notes#left")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_accepted_formats(tmp_path: Path, suffix: str):
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, 0.3 * np.sin(np.arange(16000) / 10), 16000)
    assert read(path).std() == pytest.approx(0.3 / np.sqrt(2), rel=0.05)
    assert probe(path).seconds == pytest.approx(1.0, abs=0.1)


def test_what_cannot_be_read_is_named(tmp_path: Path):
    (tmp_path / "text.wav").write_text("words")
    soundfile.write(tmp_path / "nan.wav", np.array([0.1, np.nan]), 16000, subtype="FLOAT")
    for name, reason in (
        ("gone.wav", "no such file"),
        ("text.wav", "cannot be read as audio"),
        ("nan.wav", "not finite"),
    ):
        with pytest.raises(DataError, match=rf"{name}: .*{reason}"):
            read(tmp_path / name)
    with pytest.raises(DataError, match="is a folder"):
        probe(tmp_path)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_an_offset_has_no_click_at_its_ends_at_another_rate(rate: int):
    rest = (5e-4 * generator("offset", rate).standard_normal(rate)).astype(np.float32)
    assert offset(rest) == 0.0
    lifted = rest + np.float32(0.3)
    assert offset(lifted) == pytest.approx(0.3, abs=1e-4)
    assert resample(lifted, rate, 16000) == pytest.approx(resample(rest, rate, 16000) + 0.3, abs=2e-6)
    assert offset(np.zeros(0)) == offset(np.zeros(10)) == 0.0
    assert offset(np.full(10, 0.25)) == 0.25

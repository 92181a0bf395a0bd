"""One sound in two splits is found whatever holds it: other containers, gains, rates, excerpts; twice is named."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from sebench.corpora.folder import Folder
from sebench.corpora.separation import crossing_problems, repetitions, separation_problems
from sebench.corpora.sound import fingerprint, shared
from sebench.seeding import generator

RATE = 16000


def sound(*name: object, seconds: float = 8.0) -> np.ndarray:
    """Noise with a slow random envelope and colour of its own."""
    rng = generator("sound", *name)
    count = int(seconds * RATE)
    slow = np.interp(np.arange(count), np.arange(0, count + 4000, 4000), rng.uniform(0.1, 1, count // 4000 + 1))
    white = rng.standard_normal(count)
    return (0.1 * slow * np.convolve(white, rng.standard_normal(8), "same") / 3).astype(np.float32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split in ("train", "valid", "test"):
        for number in range(2):
            for role in ("speech", "noise"):
                put(tmp_path / role / split / f"{split}{number}/0.wav", sound(role, split, number))
    return tmp_path


def put(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)


def problems(root: Path) -> list[str]:
    return separation_problems(Folder().build(root, root, 1).frame)


COPIES: dict[str, Callable[[np.ndarray], tuple[str, np.ndarray, int]]] = {
    "container": lambda x: ("copy.flac", x, RATE),
    "gain": lambda x: ("copy.wav", 0.2 * x, RATE),
    "polarity": lambda x: ("copy.wav", -x, RATE),
    "rate": lambda x: ("copy.flac", soxr.resample(x, RATE, 44100, quality="VHQ"), 44100),
    "excerpt": lambda x: ("copy.wav", 0.5 * x[20011:84000], RATE),
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("role", ["speech", "noise"])
def test_a_copy_of_a_test_file_in_training_is_named(root: Path, role: str, kind: str):
    assert problems(root) == []
    samples, _ = soundfile.read(root / role / "test/test0/0.wav", dtype="float32")
    name, copied, rate = COPIES[kind](samples)
    put(root / role / "train/train0" / name, copied, rate)
    found = problems(root)
    assert len(found) == 1
    assert found[0].startswith(f"{role} file")
    assert f"({role}/train/train0/{name}, {role}/test/test0/0.wav)" in found[0]


def test_a_room_in_another_container_is_named(root: Path):
    response = generator("room").standard_normal(3000).astype(np.float32) * np.exp(-np.arange(3000) / 400) * 0.2
    put(root / "rir/train/hall/0.wav", response.round(4))
    put(root / "rir/test/church/0.flac", soundfile.read(root / "rir/train/hall/0.wav")[0])
    assert any("impulse response" in line and "train and test" in line for line in problems(root))


def test_speech_is_compared_between_training_and_validation_and_noise_is_not(root: Path):
    put(root / "speech/valid/valid0/again.flac", soundfile.read(root / "speech/train/train0/0.wav")[0])
    put(root / "noise/valid/valid0/again.flac", soundfile.read(root / "noise/train/train0/0.wav")[0])
    found = problems(root)
    assert len(found) == 1
    assert found[0].startswith("speech file")
    assert "train and valid" in found[0]


def test_what_is_twice_within_a_split_is_named(root: Path):
    put(root / "speech/train/another/0.flac", soundfile.read(root / "speech/train/train0/0.wav")[0])
    put(root / "noise/test/test1/again.flac", soundfile.read(root / "noise/test/test0/0.wav")[0])
    frame = Folder().build(root, root, 1).frame
    assert separation_problems(frame) == []
    assert repetitions(frame) == [
        "the same speech is 2 times in train under the speakers another, train0: "
        "speech/train/another/0.flac, speech/train/train0/0.wav",
        "the same noise is 2 times in test: noise/test/test0/0.wav, noise/test/test1/again.flac",
    ]


def test_corpora_of_one_study_are_compared(root: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other")
    for split in ("train", "valid", "test"):
        for role in ("speech", "noise"):
            put(other / role / split / f"{split}9/0.wav", sound("other", role, split))
    a, b = ({name: Folder().build(place, place, 1).frame} for name, place in (("a", root), ("b", other)))
    assert crossing_problems({**a, **b}, {**a, **b}) == []
    put(other / "noise/test/test9/1.wav", 0.3 * soundfile.read(root / "noise/train/train1/0.wav")[0])
    b["b"] = Folder().build(other, other, 1).frame
    (found,) = crossing_problems({**a, **b}, {**a, **b})
    assert "are in a: train and b: test (noise/train/train1/0.wav, noise/test/test9/1.wav)" in found
    assert crossing_problems(b, a) == crossing_problems(a, a) == [], "of b nothing is tested"


def test_different_sounds_share_nothing():
    prints = [fingerprint(sound("many", n, seconds=6.0), RATE) for n in range(40)]
    assert set(shared(prints, prints)) == {(n, n) for n in range(40)}


def test_silence_and_very_short_sounds_have_no_fingerprint():
    assert fingerprint(np.zeros(RATE, np.float32), RATE) == ""
    assert fingerprint(sound("short")[:3200], RATE) == ""
    assert fingerprint(np.zeros(0, np.float32), RATE) == ""


def test_a_lossy_copy_of_a_whole_file_is_found():
    samples = sound("lossy", seconds=20.0)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="OGG")
    file.seek(0)
    decoded, rate = soundfile.read(file, dtype="float32")
    assert (0, 0) in shared([fingerprint(decoded, rate)], [fingerprint(samples, RATE)])

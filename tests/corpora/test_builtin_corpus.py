"""The builtin corpus: the same bytes however it is made, and sound that is what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sebench.corpora.builtin import Builtin
from sebench.corpora.builtin.espeak import Request, Speaker
from sebench.corpora.builtin.noise import KINDS, MAKERS, NoiseFile, noise
from sebench.corpora.builtin.sentences import SENTENCES
from sebench.corpora.builtin.speech import VOICES, Utterance, active_level_db, utterance
from sebench.errors import DataError

PARAMS = "train_utterances=3, valid_utterances=1, test_utterances=2, noise_files=1, noise_seconds=1.0"


def small() -> Builtin:
    return Builtin(train_utterances=3, valid_utterances=1, test_utterances=2, noise_files=1, noise_seconds=1.0)


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.flac") if not p.name.startswith(".")}


@pytest.mark.slow
def test_a_killed_build_is_resumed_to_the_same_bytes(tmp_path: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    frame = small().build(whole, whole, 1).frame
    code = f"from pathlib import Path; from sebench.corpora.builtin import Builtin as B; p = Path({str(killed)!r}); "
    child = subprocess.Popen([sys.executable, "-c", code + f"B({PARAMS}).build(p, p, 1)"])
    while len(contents(killed)) < 5:
        assert child.poll() is None, "finished before it could be killed"
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = {path: (killed / path).stat().st_mtime_ns for path in contents(killed)}
    assert 5 <= len(before) < len(frame)
    resumed = small().build(killed, killed, 1).frame
    assert contents(killed) == contents(whole)
    assert resumed.equals(frame)
    kept = {path: (killed / path).stat().st_mtime_ns for path in before}
    assert kept == before, "whole files were made again"


@pytest.mark.parametrize("variant", ["m1", "f3"])  # f3 breathes: espeak-ng seeds that noise by the clock
def test_speech_is_the_same_in_every_process_and_at_every_time(variant: str):
    request = Request("One reading, and then another.", f"gmw/en+{variant}")
    first, second = Speaker(), Speaker()
    a, rate = first(request)
    time.sleep(1.1)
    b, _ = second(request)
    again, _ = second(request)
    first.close()
    second.close()
    assert rate == 22050
    assert np.array_equal(a, b)
    assert np.array_equal(b, again)
    assert a.std() > 0.01


def test_an_unknown_voice_is_refused():
    speaker = Speaker()
    with pytest.raises(DataError, match="gmw/nowhere"):
        speaker(Request("Hello.", "gmw/nowhere"))
    assert len(speaker(Request("Hello.", "gmw/en"))[0])
    speaker.close()


def test_speakers_variants_and_sentences_are_disjoint_over_splits():
    voices = [voice for group in VOICES.values() for voice in group]
    assert len({voice.id for voice in voices}) == len(voices)
    assert len({voice.voice.partition("+")[2] for voice in voices}) == len(voices)
    assert sum(len(VOICES[split]) for split in ("train", "valid", "test")) >= 24
    said = [sentence for group in SENTENCES.values() for sentence in group]
    assert len(set(said)) == len(said)


def test_test_noise_has_kinds_that_nothing_was_trained_on():
    unseen = set(KINDS["test"]) - set(KINDS["train"]) - set(KINDS["valid"])
    assert "factory" in unseen
    assert len(unseen) >= 3
    assert set(KINDS["valid"]) - set(KINDS["train"])
    assert set().union(*KINDS.values()) == set(MAKERS)
    assert len(KINDS["train"]) >= 10


@pytest.mark.parametrize("index", [0, 5])
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_speech_has_its_duration_and_level(split: str, index: int):
    samples = utterance(Utterance(split, index, seed=0))
    assert 2.0 <= len(samples) / 16000 <= 6.0
    assert -33 <= active_level_db(samples) <= -17
    assert np.abs(samples).max() <= 0.95
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320).std(axis=1)
    assert frames.min() < 0.02 * frames.max(), "speech pauses"


@pytest.mark.parametrize("kind", sorted(set(MAKERS) - {"crowd"}))
def test_noise_is_audible_unclipped_and_seeded_by_what_it_is(kind: str):
    split = next(split for split, kinds in KINDS.items() if kind in kinds)
    samples = noise(NoiseFile(split, kind, 0, 2.0, seed=0))
    assert samples.shape == (32000,)
    assert np.abs(samples).max() <= 0.95 + 1e-9
    assert -36 < 20 * np.log10(samples.std()) < -21
    assert not np.allclose(samples, noise(NoiseFile(split, kind, 1, 2.0, seed=0)))
    assert np.abs(samples.reshape(20, -1)).max(axis=1).min() > 0, "no part is digital silence"


def octave_slope(kind: str) -> float:
    """Decibels per octave between 250 Hz and 4 kHz of the power per hertz."""
    power = np.abs(np.fft.rfft(noise(NoiseFile("train", kind, 0, 8.0, seed=0)))) ** 2
    hertz = np.fft.rfftfreq(8 * 16000, 1 / 16000)
    edges = 250 * 2.0 ** np.arange(5)
    bands = [10 * np.log10(power[(hertz >= low) & (hertz < 2 * low)].mean()) for low in edges[:-1]]
    return float(np.polyfit(range(4), bands, 1)[0])


def test_coloured_noises_have_their_slopes():
    assert octave_slope("white") == pytest.approx(0.0, abs=0.3)
    assert octave_slope("pink") == pytest.approx(-3.0, abs=0.3)
    assert octave_slope("brown") == pytest.approx(-6.0, abs=0.5)


def test_factory_has_impacts_and_white_noise_has_none():
    def crest(split: str, kind: str) -> float:
        frames = noise(NoiseFile(split, kind, 0, 6.0, seed=0)).reshape(-1, 320).std(axis=1)
        return float(np.percentile(frames, 99) / np.median(frames))

    assert crest("test", "factory") > 1.6
    assert crest("train", "white") < 1.2

"""Published pairs that are none are named; right ones pass, however they were recorded."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, fftconvolve, sosfilt

from sebench.artefacts import Node, Store
from sebench.corpora.dns_challenge import DnsChallenge
from sebench.corpora.fingerprint import fingerprint
from sebench.corpora.pairs import RATE, confirmed, fault
from sebench.corpora.step import run
from sebench.corpora.voicebank_demand import VoiceBankDemand
from sebench.errors import DataError
from sebench.files import read_parquet
from sebench.seeding import generator

PUBLISHED = Path(os.environ.get("SEBENCH_RECORDINGS", Path(__file__).parents[2] / ".." / "shared" / "data")) / "pairs"


def talk(seed: int, seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """Harmonics of a wandering pitch in syllables, with breath."""
    rng = generator("talk", seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = np.interp(time, np.arange(0, seconds + 1, 0.2), rng.uniform(90, 220, len(np.arange(0, seconds + 1, 0.2))))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    on = np.interp(time, np.arange(0, seconds + 1, 0.1), rng.random(len(np.arange(0, seconds + 1, 0.1))) > 0.4)
    return 0.1 * on * (sum(np.cos(k * phase) / k for k in range(1, 20)) + 0.3 * rng.standard_normal(len(time)))


def mixed(clean: np.ndarray, snr_db: float, seed: int = 0) -> np.ndarray:
    noise = generator("noise", seed).standard_normal(len(clean))
    return clean + noise * math.sqrt(float(np.mean(clean**2) / np.mean(noise**2))) * 10 ** (-snr_db / 20)


def room(signal: np.ndarray, delay_ms: float) -> np.ndarray:
    rng = generator("room")
    tail = 0.1 * rng.standard_normal(8000) * np.exp(-np.arange(8000) / 1500)
    tail[0] = 1.0
    return fftconvolve(np.pad(signal, (round(delay_ms * RATE / 1000), 0)), tail)[: len(signal)]


def band(signal: np.ndarray, *edges: float) -> np.ndarray:
    return np.asarray(sosfilt(butter(4, edges, "bandpass", fs=RATE, output="sos"), signal))


ROOM = "in a room, dry clean file"
RIGHT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "very noisy": lambda clean: mixed(clean, -10.0),
    "hardly noisy": lambda clean: mixed(clean, 40.0),
    ROOM: lambda clean: mixed(room(clean, 12.0), 10.0),
    "telephone band": lambda clean: band(mixed(clean, 5.0), 300.0, 3400.0),
    "clipped": lambda clean: np.clip(mixed(clean, 5.0), -0.1, 0.1),
    "a codec's delay": lambda clean: np.roll(mixed(clean, 5.0), 96),
    "on an offset, quieter": lambda clean: 0.2 + 0.1 * mixed(clean, 5.0),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_pairs_pass(name: str) -> None:
    for seed in range(3):
        assert fault(talk(seed), RIGHT[name](talk(seed)), additive=name != ROOM) == ""


@pytest.mark.parametrize("name", RIGHT)
def test_exchanged_files_are_found_behind_all_that(name: str) -> None:
    for seed in range(3):
        found = fault(talk(seed + 1), RIGHT[name](talk(seed)), additive=name != ROOM)
        assert "the clean signal is not in it" in found


@pytest.mark.parametrize("name", [name for name in RIGHT if name != "telephone band"])
def test_inverted_polarity_is_found_behind_all_that_but_a_room(name: str) -> None:
    for seed in range(3):
        found = fault(talk(seed), -RIGHT[name](talk(seed)), additive=name != ROOM)
        assert found.startswith("its polarity is inverted") == (name != ROOM)


def test_a_delay_is_a_filters_or_the_way_through_a_room() -> None:
    clean = talk(1)
    for milliseconds, additive, passes in ((9, True, True), (12, True, False), (12, False, True), (60, False, False)):
        found = fault(clean, np.roll(mixed(clean, 10.0), milliseconds * RATE // 1000), additive=additive)
        told = f"the clean signal is in it {milliseconds:.1f} ms too late; accepted: up to {10 if additive else 50} ms"
        assert found == ("" if passes else told)


def test_shifts_copies_and_logs_of_other_files() -> None:
    clean = talk(1)
    assert fault(clean, np.roll(mixed(clean, 10.0), 1600)).startswith("the clean signal is in it 100.0 ms too late")
    assert fault(clean, np.roll(mixed(clean, 10.0), -1600)).startswith("the clean signal is in it 100.0 ms too early")
    same = "noisy and clean hold the same signal"
    assert fault(clean, clean) == fault(clean, 0.5 * clean + 0.01) == fault(clean, clean, 17.5) == same
    assert fault(clean, mixed(clean, 60.0)) == same
    assert fault(clean, mixed(clean, 60.0), 60.0) == "", "the log says so"
    assert fault(clean, mixed(clean, 2.5), 2.5) == ""
    assert fault(clean, mixed(clean, 2.5), 17.5).startswith("its SNR is 2.")
    assert fault(clean, mixed(clean, 17.5), -2.5).startswith("its SNR is 17.")
    assert fault(clean, mixed(room(clean, 5.0), 30.0), 30.0), "reverberation is no part of a clean file"
    assert fault(clean, mixed(room(clean, 5.0), 30.0), 30.0, additive=False) == ""
    assert fault(clean, np.zeros_like(clean)) == fault(clean[:100], clean[:100] + 0.1 * talk(2)[:100]) == ""


def test_of_a_long_pair_the_loudest_part_is_compared() -> None:
    clean = np.concatenate([np.zeros(20 * RATE), talk(1, 4.0), np.zeros(20 * RATE)])
    assert fault(clean, clean + 0.01 * generator("long").standard_normal(len(clean))) == ""
    assert "not in it" in fault(clean, mixed(np.roll(talk(2, 44.0), 5), 10.0))


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published pairs are not here")
def test_published_pairs_pass_and_exchanged_ones_do_not() -> None:
    folder = PUBLISHED / "vbdemand_p257"
    pairs = [
        tuple(soundfile.read(folder / side / path.name)[0] for side in ("clean", "noisy"))
        for path in sorted((folder / "clean").glob("*.flac"))
    ]
    assert len(pairs) > 10
    snrs = [10 * math.log10(np.sum(clean**2) / np.sum((noisy - clean) ** 2)) for clean, noisy in pairs]
    logs = [min((2.5, 7.5, 12.5, 17.5), key=lambda logged: abs(logged - 2.0 - snr)) for snr in snrs]
    assert not [found for pair, logged in zip(pairs, logs, strict=True) if (found := fault(*pair, logged))]
    assert not [found for pair in pairs if (found := fault(*pair))]
    assert all(fault(clean, -noisy).startswith("its polarity is inverted") for clean, noisy in pairs)
    for index, (clean, _) in enumerate(pairs):
        other, logged = pairs[index - 1][1], logs[index - 1]
        assert fault(clean, other, logged)


@pytest.fixture
def wrong_pairs(tmp_path: Path) -> Path:
    """VoiceBank-DEMAND with two noisy test files exchanged, one shifted, one copied, and one right."""
    root = tmp_path / "voicebank"
    parts = {"trainset_28spk": ("p226_001", "p227_001", "p228_001"), "testset": [f"p232_00{k}" for k in range(1, 6)]}
    for number, (part, stems) in enumerate(parts.items()):
        for side in ("clean", "noisy"):
            (root / f"{side}_{part}_wav").mkdir(parents=True)
        for k, stem in enumerate(stems):
            clean = talk(10 * number + k, rate=48000)
            for side, signal in (("clean", clean), ("noisy", mixed(clean, 17.5, k))):
                soundfile.write(root / f"{side}_{part}_wav/{stem}.wav", signal, 48000)
        (root / f"log_{part}.txt").write_text("".join(f"{stem} bus 17.5\n" for stem in stems))
    noisy, clean = root / "noisy_testset_wav", root / "clean_testset_wav"
    first, second = ((noisy / f"p232_00{k}.wav").read_bytes() for k in (1, 2))
    (noisy / "p232_001.wav").write_bytes(second)
    (noisy / "p232_002.wav").write_bytes(first)
    signal, rate = soundfile.read(noisy / "p232_003.wav")
    soundfile.write(noisy / "p232_003.wav", np.roll(signal, rate // 10), rate)
    (noisy / "p232_004.wav").write_bytes((clean / "p232_004.wav").read_bytes())
    return root


def corpus_step(root: Path, store: Store, **extra: bool) -> Node:
    spec = {
        "item": {"type": "voicebank_demand", "version": VoiceBankDemand.version, "params": {}},
        "fingerprint": fingerprint(root, VoiceBankDemand().files(root)),
        "packages": {},
        **extra,
    }
    node = Node("corpus", "voicebank_demand", spec)
    store.set_location(node.id, root)
    run(node, store, 1)
    return node


def test_wrong_pairs_are_left_out_and_listed_or_refused_by_strict(wrong_pairs: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    node = corpus_step(wrong_pairs, store)
    outputs = store.outputs(node)
    frame = read_parquet(outputs["manifest.parquet"])
    assert list(frame["path"][(frame["role"] == "noisy") & (frame["split"] == "test")]) == [
        "noisy_testset_wav/p232_005.wav"
    ]
    listed = json.loads(outputs["rejected.json"].read_text())
    assert [item["path"] for item in listed] == [f"noisy_testset_wav/p232_00{k}.wav" for k in range(1, 5)]
    assert "clean_testset_wav/p232_001.wav" in listed[0]["reason"]
    with pytest.raises(DataError, match=r"`strict` is set, and 4 files cannot be used:(\n.*){4}$"):
        corpus_step(wrong_pairs, Store(tmp_path / "strict"), strict=True)


def test_a_split_without_a_right_pair_stops_the_step_and_names_them(wrong_pairs: Path, tmp_path: Path) -> None:
    for side in ("clean", "noisy"):
        (wrong_pairs / f"{side}_testset_wav/p232_005.wav").unlink()
    with pytest.raises(DataError, match=r"no noisy file of split 'test' belongs(.*\n.*p232_00[1-4].wav: ){4}"):
        corpus_step(wrong_pairs, Store(tmp_path / "results"))


def test_the_outcome_does_not_depend_on_processes(wrong_pairs: Path) -> None:
    corpus = VoiceBankDemand()
    manifest = corpus.build(wrong_pairs, wrong_pairs, 1)
    alone, shared = (confirmed(corpus, wrong_pairs, manifest, processes) for processes in (1, 2))
    assert alone.rejected == shared.rejected
    assert alone.frame.equals(shared.frame)


def test_only_reverberant_speech_with_a_dry_clean_file_is_not_additive() -> None:
    assert DnsChallenge(reverb_reference="dry").is_additive("no_reverb")
    assert not DnsChallenge(reverb_reference="dry").is_additive("with_reverb")
    assert DnsChallenge(reverb_reference="reverberant").is_additive("with_reverb")

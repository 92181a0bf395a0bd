"""A small corpus of synthetic signals, and the nodes of a rendered set on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from sebench.artefacts import Node, Store
from sebench.config.mixing import Mixing
from sebench.corpora import manifest
from sebench.files import write_parquet
from sebench.seeding import generator
from sebench.synthesis import plan

RATE = 16000


def speech_like(seed: int, seconds: float) -> np.ndarray:
    """Harmonics in syllables with pauses between them."""
    rng = generator("speech", seed)
    time = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 120 * k * time * (1 + 0.02 * seed)) / k for k in range(1, 12))
    syllables = np.repeat(rng.random(round(seconds * 5) + 1) > 0.35, RATE // 5)[: len(time)]
    return 0.1 * tone * np.convolve(syllables, np.hanning(400) / 200, "same") + 1e-4 * rng.standard_normal(len(time))


def write(root: Path, path: str, signal: np.ndarray, rate: int = RATE, subtype: str = "FLOAT", **columns: Any) -> dict:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(target, signal, rate, subtype=subtype)
    return {
        "id": path.removesuffix(".wav"),
        "path": path,
        "split": path.split("/")[1],
        "role": path.split("/")[0],
        "seconds": len(signal) / rate,
        "sample_rate": rate,
        "channels": 1,
        "samples": len(signal),
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        **columns,
    }


def decaying(seed: int, peak: int = 80) -> np.ndarray:
    """A recorded-like impulse response with its main peak at `peak`."""
    rng = generator("rir", seed)
    tail = rng.standard_normal(3000) * np.exp(-np.arange(3000) / 600) * 0.05
    tail[: peak + 60] *= 0.001
    tail[peak] = -0.5
    return tail


@pytest.fixture(scope="session")
def corpus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="session")
def corpus(corpus_root: Path) -> pd.DataFrame:
    rows = []
    for number, split in enumerate(("train", "valid", "test")):
        for speaker in range(3):
            for k in range(4):
                seed = 100 * number + 10 * speaker + k
                signal = speech_like(seed, 1.0 + 0.3 * k)
                name = f"{split}{speaker}"
                rows.append(write(corpus_root, f"speech/{split}/{name}/{k}.wav", signal, speaker=name))
        for kind, seconds in (("hum", 0.7), ("hiss", 4.0), ("wind", 9.0)):
            noise = 0.05 * generator("noise", split, kind).standard_normal(round(seconds * RATE))
            rows.append(write(corpus_root, f"noise/{split}/{kind}.wav", noise, kind=kind))
        rows.append(write(corpus_root, f"rir/{split}/room{number}.wav", decaying(number), kind=f"room{number}"))
    return manifest.make(rows).frame


@pytest.fixture(scope="session")
def paired(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A published corpus: 48 kHz files, two test speakers, logged SNRs."""
    root = tmp_path_factory.mktemp("paired")
    rows = []
    for k in range(6):
        speaker = f"p{k % 2}"
        clean = np.repeat(speech_like(k, 1.0 + 0.1 * k), 3)
        noisy = clean + 0.01 * generator("paired", k).standard_normal(len(clean))
        clean_row = write(root, f"speech/test/{speaker}_{k}.wav", clean, 48000, speaker=speaker)
        noisy_row = write(root, f"noisy/test/{speaker}_{k}.wav", noisy, 48000, speaker=speaker, kind="cafe")
        rows += [clean_row, {**noisy_row, "snr_db": (2.5, 7.5, 12.5)[k % 3], "pair": clean_row["id"]}]
    return root, manifest.make(rows).frame


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """Speech and noise to train on, two published test sets with the same clean files, and real recordings."""
    root = tmp_path_factory.mktemp("published")
    rows = [write(root, f"speech/train/{k}.wav", speech_like(k, 1.0), speaker=f"train{k}") for k in range(2)]
    rows.append(write(root, "noise/train/hum.wav", 0.05 * generator("hum").standard_normal(2 * RATE), kind="hum"))
    for k in range(4):
        clean = speech_like(10 + k, 1.0 + 0.1 * k)
        clean_row = write(root, f"speech/test/{k}.wav", clean, speaker=f"test{k}")
        rows.append(clean_row)
        for part, snr_db in (("dry", 5.0 * k), ("wet", float("nan"))):
            noisy = clean + 0.01 * generator(part, k).standard_normal(len(clean))
            facts = {"speaker": f"test{k}", "pair": clean_row["id"], "part": part, "snr_db": snr_db}
            rows.append(write(root, f"noisy/test/{part}/{k}.wav", noisy, **facts))
    for k in range(3):
        real = 0.1 * generator("real", k).standard_normal(48000 + 4800 * k)
        rows.append(write(root, f"noisy/test/real/{k}.wav", real, 48000, speaker=f"someone{k}", part="real"))
    return root, manifest.make(rows).frame


@pytest.fixture(scope="session", name="speech_like")
def speech_like_fixture() -> Callable[[int, float], np.ndarray]:
    return speech_like


@pytest.fixture(scope="session", name="decaying")
def decaying_fixture() -> Callable[..., np.ndarray]:
    return decaying


@pytest.fixture(scope="session", name="write")
def write_fixture() -> Callable[..., dict]:
    return write


SetMaker = Callable[..., tuple[Store, Node]]


@pytest.fixture
def make_set(tmp_path: Path, corpus: pd.DataFrame, corpus_root: Path) -> SetMaker:
    """A store with a published plan, and the node of the set to render from it."""

    def make(
        count: int = 12,
        name: str = "results",
        frame: pd.DataFrame | None = None,
        root: Path | None = None,
        snr_db: float | None = 5.0,
        part: str | None = None,
        degradations: Sequence[dict[str, Any]] = (),
        **mixing: Any,
    ) -> tuple[Store, Node]:
        store = Store(tmp_path / name)
        corpus_node = Node("corpus", "small", {"item": {"type": "folder"}, "fingerprint": name, "packages": {}})
        entry = Mixing.model_validate(mixing).model_dump()
        spec = {
            "split": "test",
            "count": count,
            "seed": 1,
            "seconds": None,
            "snr_db": snr_db,
            "part": part,
            "mixing": entry,
            "version": 1,
            **({"degradations": list(degradations)} if degradations else {}),
        }
        mixtures = Node("mixtures", "small-test", spec, {"corpus": corpus_node.key})
        node = Node(
            "set",
            "small-test",
            {"version": 1, "sample_rate": RATE},
            {"mixtures": mixtures.key, "corpus": corpus_node.key},
        )
        for item in (corpus_node, mixtures, node):
            store.freeze(item)
        store.set_location(corpus_node.id, root or corpus_root)
        write_parquet(store.outputs(corpus_node)["manifest.parquet"], corpus if frame is None else frame)
        plan.run(mixtures, store)
        return store, node

    return make

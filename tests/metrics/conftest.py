"""Signals and a small rendered set, written in the documented format."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sebench.artefacts import Node, Store
from sebench.config.items import registry
from sebench.corpora.builtin.speech import Utterance, utterance
from sebench.files import write_parquet
from sebench.metrics.base import implementation

RATE = 16000


def speech_like(seed: int, seconds: float = 2.0) -> np.ndarray:
    """Voiced harmonics with a moving pitch and pauses, and a little breath."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(130 + 40 * np.sin(2 * np.pi * 0.7 * time + seed)) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time + seed), 0, None)
    return (0.05 * voice * syllables + 1e-4 * rng.standard_normal(len(time))).astype(np.float32)


def noise_like(seed: int, samples: int, rms: float) -> np.ndarray:
    return (rms * np.random.default_rng(1000 + seed).standard_normal(samples)).astype(np.float32)


@pytest.fixture(scope="session")
def make_signals() -> Callable[[float], dict[str, np.ndarray]]:
    def make(seconds: float) -> dict[str, np.ndarray]:
        clean = speech_like(0, seconds)
        return {"clean": clean, "noisy": clean + noise_like(0, len(clean), 0.003)}

    return make


@pytest.fixture(scope="session")
def signals(make_signals) -> dict[str, np.ndarray]:
    return make_signals(2.0)


@pytest.fixture(scope="session")
def spoken() -> dict[str, np.ndarray]:
    """4.6 s of espeak-ng, which networks take for speech, in white noise of 5 dB: DNSMOS doubles shorter
    signals until it has 9.01 s, and makes one window of this."""
    clean = np.resize(utterance(Utterance("test", 1, seed=0)), int(4.6 * RATE)).astype(np.float32)
    return {"clean": clean, "noisy": clean + noise_like(0, len(clean), 10 ** (-5 / 20) * float(clean.std()))}


def item(type_name: str, **params: object) -> dict:
    facts = registry("metric")[type_name].facts
    return {
        "type": type_name,
        "version": facts.version,
        "params": params,
        "implementation": implementation(facts.package, type_name, tuple(facts.model_files)),
    }


class World:
    """A store with a set of `count` mixtures and an enhanced version of it, the second row of which failed."""

    def __init__(self, root, count: int = 6) -> None:
        self.store = Store(root)
        self.set = Node("set", "toy", {"version": 1, "sample_rate": RATE})
        self.enhanced = Node("enhanced", "toy", {"version": 1}, {"set": self.set.key})
        rows, audio, estimates, entries, offset, place = [], [], [], [], 0, 0
        for i in range(count):
            clean = speech_like(i, 1.0 + 0.1 * i)
            noise = noise_like(i, len(clean), 0.02)
            audio += [clean, noise]
            rows.append(
                {
                    "mixture": f"m{i}",
                    "index": i,
                    "samples": len(clean),
                    "shard": 0,
                    "speech_offset": offset,
                    "noise_offset": offset + len(clean),
                    "dry_offset": -1,
                    "snr_db": 5.0,
                    "noise_kind": "babble",
                    "speaker": f"s{i}",
                }
            )
            offset += 2 * len(clean)
            failed = i == 1
            if not failed:
                estimates.append(clean + 0.3 * noise)
            entries.append(
                {
                    "mixture": f"m{i}",
                    "offset": place,
                    "samples": 0 if failed else len(clean),
                    "status": "failed" if failed else "ok",
                    "reason": "the run failed: loss is nan" if failed else "",
                }
            )
            place += 0 if failed else len(clean)
        for node, frame, name, parts in (
            (self.set, rows, "shard-00000.f32", audio),
            (self.enhanced, entries, "audio.f32", estimates),
        ):
            self.store.freeze(node)
            write_parquet(self.store.outputs(node)["index.parquet"], pd.DataFrame(frame))
            self.store.state(node).mkdir(parents=True)
            np.concatenate(parts).astype("<f4").tofile(self.store.state(node) / name)

    def scores(self, metrics: list[dict], enhanced: bool = True) -> Node:
        parents = {"set": self.set.key} | ({"enhanced": self.enhanced.key} if enhanced else {})
        node = Node("scores", "toy", {"version": 1, "metrics": metrics}, parents)
        self.store.freeze(node)
        return node


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path / "results")


@pytest.fixture
def make_world():
    return World


@pytest.fixture
def make_item():
    return item

"""Sets whose mixtures are degraded: what is drawn, what is stored, same bytes however it is rendered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sebench.artefacts import Node, Store
from sebench.config.items import build
from sebench.config.mixing import Mixing
from sebench.errors import DataError
from sebench.files import read_parquet
from sebench.seeding import generator
from sebench.synthesis import render
from sebench.synthesis.mixture import PEAK_LIMIT, render_components, render_mixture
from sebench.synthesis.plan import plan_mixtures
from sebench.synthesis.store import AudioStore
from sebench.synthesis.verify import verify_set

RATE = 16000


def spec(name: str, probability: float = 1.0, **params: Any) -> dict[str, Any]:
    return {"item": {"type": name, "params": params}, "probability": probability, "packages": {}}


LIST = [
    spec("packet_loss", 0.5, share={"uniform": [0.1, 0.4]}, fill={"choice": ["silence", "repeat"]}),
    spec("codec", format={"choice": ["mp3", "vorbis", "opus"]}, compression={"uniform": [0.2, 0.8]}),
    spec("bit_reduction", bits={"uniform": [6, 10]}),
]


def rows_of(frame: pd.DataFrame, count: int = 12, degradations: Any = LIST, **mixing: Any) -> list[dict[str, Any]]:
    entry = Mixing.model_validate(mixing)
    plan = plan_mixtures(frame, split="test", count=count, seed=1, mixing=entry, snr_db=5.0, degradations=degradations)
    return [{str(name): value for name, value in row.items()} for row in plan.to_dict("records")]


def test_what_is_drawn_is_recorded_and_follows_the_distributions(corpus: pd.DataFrame) -> None:
    drawn = [json.loads(row["degradations"]) for row in rows_of(corpus, 200)]
    losses = [each for happens in drawn for each in happens if each["type"] == "packet_loss"]
    codecs = [each["params"] for happens in drawn for each in happens if each["type"] == "codec"]
    bits = [each["params"]["bits"] for happens in drawn for each in happens if each["type"] == "bit_reduction"]
    assert 70 < len(losses) < 130
    assert len(codecs) == len(bits) == 200
    assert set(bits) == {6, 7, 8, 9, 10}
    assert {each["format"] for each in codecs} == {"mp3", "vorbis", "opus"}
    assert 0.2 <= min(each["compression"] for each in codecs) < 0.25
    assert 0.75 < max(each["compression"] for each in codecs) <= 0.8
    assert [each["type"] for each in drawn[0] if each["type"] != "packet_loss"] == ["codec", "bit_reduction"]


def test_scenes_and_earlier_draws_stay_what_they_are(corpus: pd.DataFrame) -> None:
    plain, some, all_of_them = (rows_of(corpus, degradations=LIST[:count]) for count in (0, 2, 3))
    assert all("degradations" not in row for row in plain)
    for without, first, second in zip(plain, some, all_of_them, strict=True):
        same = {"mixture": "", "degradations": "", "mixture_level_dbov": 0.0}
        assert first | same == without | same
        assert json.loads(second["degradations"])[:-1] == json.loads(first["degradations"])
        assert len({without["mixture"], first["mixture"], second["mixture"]}) == 3


def test_the_noisy_signal_is_the_sum_degraded_in_order(corpus: pd.DataFrame, corpus_root: Path) -> None:
    for row, plain in zip(rows_of(corpus, 4), rows_of(corpus, 4, ()), strict=True):
        expected = render_mixture(plain, corpus_root)
        noisy = expected["noisy"]
        for each in json.loads(row["degradations"]):
            made = build({"type": each["type"], "params": each["params"]}, "degradation")
            noisy = made.apply(noisy, RATE, generator("degradation", row["seed"], each["place"]))
        found = render_mixture(row, corpus_root)
        assert set(found) == {"noisy", "clean", "speech"}
        assert np.array_equal(found["noisy"], noisy)
        assert np.array_equal(found["clean"], expected["clean"])
        assert not np.array_equal(noisy, expected["noisy"])


def test_what_becomes_too_loud_is_scaled_with_its_target(corpus: pd.DataFrame, corpus_root: Path) -> None:
    louder = [spec("gain_steps", low_db=20.0, high_db=20.0)]
    row, plain = (rows_of(corpus, 1, each, speech_level_dbov=-10)[0] for each in (louder, ()))
    found, before = render_components(row, corpus_root), render_components(plain, corpus_root)
    assert np.abs(found.signals["noisy"]).max() == pytest.approx(PEAK_LIMIT, abs=1e-6)
    ratio = found.scaled_by / before.scaled_by
    assert found.signals["speech"] == pytest.approx(before.signals["speech"] * ratio, abs=1e-6)
    assert found.signals["noisy"] == pytest.approx(10 * ratio * render_mixture(plain, corpus_root)["noisy"], abs=1e-5)


@pytest.mark.parametrize("rooms", [None, {"probability": 1, "source": "measured"}], ids=["dry", "rooms"])
def test_same_bytes_alone_in_any_order_and_by_any_number_of_workers(
    make_set: Callable[..., tuple[Store, Node]],
    corpus_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    rooms: dict[str, Any] | None,
) -> None:
    monkeypatch.setattr(render, "SHARD_ROWS", 4)
    shards = []
    for workers in (1, 2):
        store, node = make_set(8, name=f"results{workers}", degradations=LIST, reverberation=rooms)
        render.run(node, store, threads=workers)
        shards.append([path.read_bytes() for path in sorted(store.state(node).glob("*.f32"))])
    assert shards[0] == shards[1]
    index = read_parquet(store.outputs(node)["index.parquet"])
    audio = AudioStore.open(store, node)
    for position in reversed(range(8)):
        alone, stored = render_mixture(index.iloc[position].to_dict(), corpus_root), audio.row(position)
        assert set(stored) == {"noisy", "clean", "speech"}
        assert all(stored[name].tobytes() == alone[name].tobytes() for name in stored)


def test_the_snr_is_that_before_and_a_tampered_shard_is_found(
    make_set: Callable[..., tuple[Store, Node]], tmp_path: Path
) -> None:
    store, node = make_set(6, degradations=LIST)
    render.run(node, store)
    index = read_parquet(store.outputs(node)["index.parquet"])
    assert index["measured_snr_db"].to_numpy() == pytest.approx(5.0, abs=0.001)
    assert (index["noise_offset"] == -1).all()
    verify_set(index, store.state(node))
    written = AudioStore.open(store, node).export_wav(0, tmp_path / "wav")
    assert [path.name.rpartition("-")[2] for path in written] == ["noisy.wav", "clean.wav"]
    samples = np.memmap(store.state(node) / "shard-00000.f32", dtype="<f4", mode="r+")
    samples[int(np.argmax(np.abs(samples)))] *= 1.2
    samples.flush()
    with pytest.raises(DataError, match="was changed"):
        verify_set(index, store.state(node))


def test_a_wrong_snr_is_found_although_the_noise_is_not_stored(
    make_set: Callable[..., tuple[Store, Node]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, node = make_set(2, degradations=LIST)
    monkeypatch.setattr("sebench.synthesis.mixture.MEASURES", {"p56": lambda *_: -30.0, "rms": lambda *_: -30.0})
    with pytest.raises(DataError, match=r"SNR is .* planned is 5"):
        render.run(node, store)

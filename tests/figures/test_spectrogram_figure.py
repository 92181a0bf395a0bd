"""The spectrogram figure: which mixture, what is drawn, holes, bytes."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest

from sebench.artefacts import Node, Store
from sebench.errors import DataError
from sebench.figures.spectrograms import PanelLayout, Select, SpectrogramsSpec, choose, spectrogram_db
from sebench.figures.step import run
from sebench.files import read_parquet, write_parquet

RATE = 16000
PANELS = {
    "Clean": "clean",
    "Noisy": "noisy",
    "MSE": "enhanced:good",
    "L_C 0.4": "enhanced:bad",
    "L_N 0.4": "enhanced:absent",
}
SPEC = SpectrogramsSpec(
    title="Proposed loss",
    panels=[PanelLayout(label=label, source=source) for label, source in PANELS.items()],
    select=Select(noise_kind="factory", fallbacks=["construction_machine"], seconds=1.0),
).model_dump(mode="json")


@pytest.fixture
def scene(tmp_path):
    """A store with two mixtures, one system that worked, one that failed, and one that is not there."""
    store = Store(tmp_path / "results")
    rendered = Node("set", "toy", {"version": 1, "sample_rate": RATE})
    good = Node("enhanced", "good", {"n": 1}, {"set": rendered.key})
    bad = Node("enhanced", "bad", {"n": 2}, {"set": rendered.key})
    absent = Node("enhanced", "absent", {"n": 3}, {"set": rendered.key})
    time = np.arange(RATE) / RATE
    clean = (0.1 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    noise = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    rows = [
        {
            "mixture": f"m{i}",
            "index": i,
            "samples": RATE,
            "shard": 0,
            "speech_offset": 2 * RATE * i,
            "noise_offset": 2 * RATE * i + RATE,
            "dry_offset": -1,
            "snr_db": -5.0,
            "noise_kind": kind,
            "speaker": "s",
        }
        for i, kind in enumerate(["babble", "construction_machine"])
    ]
    for node in (rendered, good, bad, absent):
        store.freeze(node)
        store.state(node).mkdir(parents=True)
    write_parquet(store.outputs(rendered)["index.parquet"], pd.DataFrame(rows))
    np.concatenate([clean, noise, clean, noise]).tofile(store.state(rendered) / "shard-00000.f32")
    for node, status, reason in ((good, "ok", ""), (bad, "failed", "the run failed: loss is nan")):
        entries = [
            {"mixture": f"m{i}", "offset": RATE * i, "samples": RATE, "status": status, "reason": reason}
            for i in (0, 1)
        ]
        write_parquet(store.outputs(node)["index.parquet"], pd.DataFrame(entries))
    np.concatenate([clean, 0.5 * clean]).astype("<f4").tofile(store.state(good) / "audio.f32")
    parents = {"set": rendered.key, "enhanced:good": good.key, "enhanced:bad": bad.key, "enhanced:absent": absent.key}
    node = Node("figure", "spectrograms", {"figure": "spectrograms", **SPEC}, parents)
    store.freeze(node)
    return store, node


def numbers(store: Store, node: Node) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(store.outputs(node)["figure.csv"].read_text())))


def test_numbers_behind_the_panels(scene):
    store, node = scene
    run(node, store)
    rows = numbers(store, node)
    assert [row["panel"] for row in rows] == ["Clean", "Noisy", "MSE", "L_C 0.4", "L_N 0.4"]
    assert {row["mixture"] for row in rows} == {"m1"}
    assert {row["noise_kind"] for row in rows} == {"construction_machine"}
    assert float(rows[0]["rms_dbfs"]) == pytest.approx(20 * np.log10(0.1 / np.sqrt(2)), abs=0.01)
    assert float(rows[2]["rms_dbfs"]) == pytest.approx(float(rows[0]["rms_dbfs"]) - 6.02, abs=0.01)
    assert float(rows[1]["error_rms_dbfs"]) == pytest.approx(-20, abs=0.2)
    assert rows[0]["error_rms_dbfs"] == "-inf"
    assert rows[3]["reason"] == "the run failed: loss is nan"
    assert rows[4]["reason"] == "not computed yet"
    assert rows[4]["rms_dbfs"] == ""


def test_a_recording_without_an_snr(scene):
    store, node = scene
    path = store.outputs(store.parent(node, "set"))["index.parquet"]
    index = read_parquet(path)
    index["snr_db"] = float("nan")
    write_parquet(path, index)
    run(node, store)
    assert {row["snr_db"] for row in numbers(store, node)} == {""}


def test_same_bytes_again_and_no_date(scene):
    store, node = scene
    written = []
    for _ in range(2):
        run(node, store)
        written.append({name: path.read_bytes() for name, path in store.outputs(node).items()})
    assert written[0] == written[1]
    assert written[0]["figure.png"].startswith(b"\x89PNG")
    assert b"tIME" not in written[0]["figure.png"]
    assert b"<dc:date>" not in written[0]["figure.svg"]


@pytest.mark.parametrize(
    ("select", "mixture", "remark"),
    [
        ({"noise_kind": "babble"}, 0, ""),
        ({"noise_kind": "factory", "fallbacks": ["x", "hum"]}, 2, " (the set has no factory noise)"),
        ({"noise_kind": "factory"}, 1, " (the set has no factory noise)"),
        ({}, 1, ""),
        ({"seconds": 9.0}, 3, ""),
    ],
)
def test_choice(select, mixture, remark):
    index = pd.DataFrame(
        {
            "mixture": ["a", "b", "c", "d"],
            "index": [0, 1, 2, 3],
            "noise_kind": ["babble", "rain", "hum", "rain"],
            "samples": [RATE, 3 * RATE, 2 * RATE, 8 * RATE],
        }
    )
    assert choose(index, Select(**select)) == (mixture, remark)
    with pytest.raises(DataError):
        choose(index[:0], Select(**select))


@pytest.mark.parametrize("hertz", [500.0, 3000.0])
def test_a_full_scale_tone_is_at_zero_decibels_and_in_its_bin(hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    image = spectrogram_db(tone)
    frame = image[:, image.shape[1] // 2]
    assert frame.max() == pytest.approx(0.0, abs=0.01)
    assert np.argmax(frame) == round(hertz * 512 / RATE)
    assert image.shape == (257, 1 + RATE // 128)

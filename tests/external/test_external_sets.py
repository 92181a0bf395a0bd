"""A rendered set through an external model: its file by hash, failures by name."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import write_gain
from tiny_runs import make_set

from sebench.artefacts import Node, Store
from sebench.enhancement import step
from sebench.errors import DataError
from sebench.external.onnx_gain import OnnxGain
from sebench.external.place import set_file
from sebench.files import read_parquet, write_parquet
from sebench.plan.nodes import external_node
from sebench.synthesis.store import AudioStore


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def planned(store: Store, file: Path, bad: int | None = None, rate: int = 16000) -> tuple[Node, Node]:
    """Rendered set and enhanced set, as the driver leaves them to a job."""
    at_16k = make_set(store, "tiny-test", 3, 3, bad=bad)
    rendered = Node("set", at_16k.name, {**at_16k.spec, "sample_rate": rate}, at_16k.parents, {"count": 3})
    if rate != 16000:
        store.freeze(rendered)
        write_parquet(store.outputs(rendered)["index.parquet"], read_parquet(store.outputs(at_16k)["index.parquet"]))
        shutil.copytree(store.state(at_16k), store.state(rendered))
    item = {"type": "onnx_gain", "version": 1, "params": {}, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    node = external_node(item, file, rendered)
    store.freeze(node)
    set_file(store, item["sha256"], file)
    return rendered, node


def test_a_set(store: Store, tmp_path: Path) -> None:
    file = write_gain(tmp_path / "net.onnx", slope=0.5, offset=1.0)
    rendered, node = planned(store, file)
    step.run(node, store)
    index = read_parquet(store.outputs(node)["index.parquet"])
    assert list(index.columns) == list(step.COLUMNS)
    assert set(index["status"]) == {"ok"}
    audio = np.fromfile(store.state(node) / "audio.f32", "<f4")
    model, rows = OnnxGain(), AudioStore.open(store, rendered)
    model.open(file)
    for i, entry in enumerate(index.itertuples()):
        noisy = rows.row(i)["noisy"]
        assert entry.samples == len(noisy)
        np.testing.assert_array_equal(audio[entry.offset : entry.offset + entry.samples], model.enhance(noisy))
    before = audio.tobytes()
    (store.state(node) / "index.parquet").unlink()
    step.run(node, store)
    assert (store.state(node) / "audio.f32").read_bytes() == before


def test_what_is_not_finite_is_a_failed_row(store: Store, tmp_path: Path) -> None:
    _, node = planned(store, write_gain(tmp_path / "net.onnx"), bad=1)
    step.run(node, store)
    index = read_parquet(store.outputs(node)["index.parquet"])
    assert list(index["status"]) == ["ok", "failed", "ok"]
    assert index["reason"][1] == "the model's output is not finite"


def test_another_file_in_its_place_is_refused(store: Store, tmp_path: Path) -> None:
    file = write_gain(tmp_path / "net.onnx")
    _, node = planned(store, file)
    write_gain(file, offset=1.0)
    with pytest.raises(DataError, match=r"net\.onnx: its SHA-256 is .* as planned: plan again"):
        step.run(node, store)
    file.unlink()
    with pytest.raises(DataError, match=r"net\.onnx is no file; name the file in config/external"):
        step.run(node, store)
    for place in (store.root / "locations").glob("external-*.json"):
        place.unlink()
    with pytest.raises(DataError, match="it is not known where its external model's file lies"):
        step.run(node, store)
    assert not store.complete(node)


def test_a_set_of_another_rate_is_refused(store: Store, tmp_path: Path) -> None:
    _, node = planned(store, write_gain(tmp_path / "net.onnx"), rate=48000)
    with pytest.raises(DataError, match=r"onnx_gain works at 16000 Hz, set tiny-test-\w+ has 48000 Hz"):
        step.run(node, store)


def test_its_job_needs_no_torch() -> None:
    code = "import sys, sebench.enhancement.external, sebench.external.onnx_gain; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'torch'" not in done.stdout
    assert "'onnxruntime'" not in done.stdout

"""Sets and files through a trained model: alignment, failures that are results, any rate and length."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tiny_runs
import torch
from scipy.signal import chirp
from tiny_runs import make_run, make_set

from sebench.artefacts import Node, Store
from sebench.enhancement import files, step
from sebench.enhancement.files import enhance_blocks, enhance_file
from sebench.enhancement.load import load_model
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.files import read_parquet, write_json
from sebench.models.base import FrameModel, Model
from sebench.synthesis.store import AudioStore
from sebench.training import step as training
from sebench.training.checkpoint import Checkpoint, write


class Half(Model):
    """Half the input, whole utterances only."""

    views = ("waveform",)
    causal = False

    def forward(self, batch: Batch) -> Estimate:
        return Estimate(batch, waveform=0.5 * batch.noisy)


class HalfGain(FrameModel):
    """Half the input, through frames and with a delay."""

    views = ("gain",)

    def network(self, spectrum: torch.Tensor, state: Any = None) -> tuple[dict[str, torch.Tensor], Any]:
        return {"gain": torch.full(spectrum.shape, 0.5)}, state


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_model_that_was_never_trained_says_so(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    model = tiny_runs.TinyMeasured()
    path = store.root / "fresh.safetensors"
    meta = {"format": 1, "model": tiny_runs.item("TinyMeasured")}
    write(path, Checkpoint(dict(model.state_dict()), meta))
    load_model(path)
    assert "the statistics of its input are not measured" in caplog.text
    caplog.clear()
    run = make_run(store, model=tiny_runs.item("TinyMeasured"))
    training.run(run, store)
    load_model(store.folder(run))
    assert caplog.text == ""


def make_enhanced(store: Store, run: Node, rendered: Node) -> Node:
    node = Node("enhanced", "tiny-test", {"version": 1}, {"run": run.key, "set": rendered.key})
    store.freeze(node)
    return node


def sweep(rate: int, seconds: float, channels: int = 1) -> np.ndarray:
    time = np.arange(round(rate * seconds)) / rate
    tones = [0.5 * chirp(time, 200 + 100 * c, max(seconds, 0.1), 3000 - 500 * c) for c in range(channels)]
    return np.stack(tones, axis=1).astype(np.float32)


def test_a_set(store: Store) -> None:
    run = make_run(store)
    training.run(run, store)
    rendered = make_set(store, "test", 4, 3)
    node = make_enhanced(store, run, rendered)
    step.run(node, store)
    index = read_parquet(store.outputs(node)["index.parquet"])
    assert list(index.columns) == ["mixture", "offset", "samples", "status", "reason"]
    assert set(index["status"]) == {"ok"}
    audio = np.fromfile(store.state(node) / "audio.f32", "<f4")
    rows = AudioStore.open(store, rendered)
    model = load_model(store.folder(run))
    for i, entry in enumerate(index.itertuples()):
        assert entry.mixture == f"test-{i}"
        assert entry.samples == rows.lengths[i]
        with torch.inference_mode():
            expected = model(Batch(torch.from_numpy(rows.row(i)["noisy"])[None])).waveform[0].numpy()
        np.testing.assert_allclose(audio[entry.offset : entry.offset + entry.samples], expected, atol=1e-6)

    before = store.outputs(node)["index.parquet"].read_bytes(), audio.tobytes()
    store.outputs(node)["index.parquet"].unlink()
    step.run(node, store)
    again = store.outputs(node)["index.parquet"].read_bytes(), (store.state(node) / "audio.f32").read_bytes()
    assert again == before
    (store.state(node) / "index.parquet").unlink()
    step.run(node, store)
    assert (store.outputs(node)["index.parquet"].read_bytes(), (store.state(node) / "audio.f32").read_bytes()) == before


def test_output_that_is_not_finite_is_a_failed_row(store: Store) -> None:
    run = make_run(store)
    training.run(run, store)
    node = make_enhanced(store, run, make_set(store, "test", 3, 3, bad=1))
    step.run(node, store)
    index = read_parquet(store.outputs(node)["index.parquet"])
    assert list(index["status"]) == ["ok", "failed", "ok"]
    assert index["reason"][1] == "the model's output is not finite"
    assert index["offset"][2] == index["samples"][0]
    assert (store.state(node) / "audio.f32").stat().st_size == 4 * (index["samples"].sum())


def test_failed_run_gives_failed_rows(store: Store) -> None:
    run = make_run(store)
    training.run(run, store)
    path = store.outputs(run)["run.json"]
    content = {**json.loads(path.read_text()), "status": "failed", "reason": "the loss is not finite in step 3"}
    path.unlink()
    write_json(path, content)
    node = make_enhanced(store, run, make_set(store, "test", 3, 3))
    step.run(node, store)
    index = read_parquet(store.outputs(node)["index.parquet"])
    assert set(index["status"]) == {"failed"}
    assert set(index["reason"]) == {f"run {run.stem} failed: the loss is not finite in step 3"}


@pytest.mark.parametrize("model", [Half(), HalfGain()], ids=["whole", "streaming"])
@pytest.mark.parametrize(("rate", "seconds", "channels"), [(44100, 2.0, 2), (8000, 1.3, 1), (16000, 23.0, 1)])
def test_output_is_aligned_with_input(model: Model, rate: int, seconds: float, channels: int, tmp_path: Path) -> None:
    signal = sweep(rate, seconds, channels)
    soundfile.write(tmp_path / "in.wav", signal, rate, subtype="FLOAT")
    enhance_file(model, tmp_path / "in.wav", tmp_path / "out.wav")
    found, found_rate = soundfile.read(tmp_path / "out.wav", dtype="float32", always_2d=True)
    assert found_rate == rate
    assert found.shape == signal.shape
    assert soundfile.info(tmp_path / "out.wav").subtype == "FLOAT"
    inside = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(found[inside], 0.5 * signal[inside], atol=2e-3)


@pytest.mark.parametrize("model", [Half(), HalfGain()], ids=["whole", "streaming"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("samples", [1, 2, 127, 1000])
def test_short_files_keep_their_length(model: Model, rate: int, samples: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", np.full(samples, 0.25, np.float32), rate, subtype="FLOAT")
    enhance_file(model, tmp_path / "in.wav", tmp_path / "out.flac")
    assert soundfile.info(tmp_path / "out.flac").frames == samples
    assert soundfile.info(tmp_path / "out.flac").subtype == "PCM_24"


def test_streaming_equals_offline_whatever_the_chunks() -> None:
    model = HalfGain()
    signal = sweep(16000, 1.0, 2)
    with torch.inference_mode():
        offline = model(Batch(torch.from_numpy(signal.T.copy()))).waveform.T.numpy()
    for size in (1000, 37, 16000):
        chunks = [signal[k : k + size] for k in range(0, len(signal), size)]
        found = np.concatenate(list(enhance_blocks(model, chunks, 16000, 2)))
        np.testing.assert_allclose(found, offline, atol=1e-6)


def test_pieces_of_a_long_file_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_SECONDS", 0.5)
    monkeypatch.setattr(files, "OVERLAP_SECONDS", 0.1)
    for seconds in (0.3, 0.5, 0.51, 0.9, 0.95, 3.0):
        signal = sweep(16000, seconds)
        found = np.concatenate(list(enhance_blocks(Half(), [signal[:1234], signal[1234:]], 16000, 1)))
        np.testing.assert_allclose(found, 0.5 * signal, atol=1e-6)


def test_a_trained_checkpoint(store: Store, tmp_path: Path) -> None:
    run = make_run(store)
    training.run(run, store)
    soundfile.write(tmp_path / "in.wav", sweep(16000, 0.5), 16000)
    assert enhance_file(store.folder(run), tmp_path / "in.wav", tmp_path / "out.wav").exists()


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(DataError, match=r"text\.wav"):
        enhance_file(Half(), tmp_path / "text.wav", tmp_path / "out.wav")
    with pytest.raises(DataError, match="no such file"):
        enhance_file(Half(), tmp_path / "absent.wav", tmp_path / "out.wav")
    with pytest.raises(DataError, match=r"accepted: \.wav"):
        enhance_file(Half(), tmp_path / "text.wav", tmp_path / "out.mp7")
    with pytest.raises(DataError, match="no such checkpoint"):
        enhance_file(tmp_path / "nothing", tmp_path / "text.wav", tmp_path / "out.wav")
    soundfile.write(tmp_path / "bad.wav", np.array([0.0, np.nan], np.float32), 16000, subtype="FLOAT")
    with pytest.raises(DataError, match="not finite"):
        enhance_file(Half(), tmp_path / "bad.wav", tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()
    assert Half.sample_rate == tiny_runs.RATE

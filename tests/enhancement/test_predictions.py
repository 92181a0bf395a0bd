"""The prediction step: what a trained predictor says of a set, noisy or enhanced, in the order of the set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sebench.artefacts import Node, Store
from sebench.config.items import build
from sebench.enhancement import predictions as predict
from sebench.errors import DataError
from sebench.files import read_parquet, write_json, write_parquet
from sebench.seeding import generator
from sebench.training.checkpoint import Checkpoint, write

PREDICTOR = {"type": "pesqnet", "params": {"channels": 2, "kernels": 4, "hidden": 4, "dense": [4]}}
LENGTHS = (3000, 1200, 5000)


class Scene:
    """A set of three mixtures, a trained predictor, and enhanced signals of which the second does not exist."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.rendered = Node("set", "toy", {"version": 1, "sample_rate": 16000})
        self.trained = Node("run", "toy", {"version": 1})
        self.enhanced = Node("enhanced", "toy", {"version": 1}, {"set": self.rendered.key})
        for node in (self.rendered, self.trained, self.enhanced):
            self.store.freeze(node)
            self.store.state(node).mkdir(parents=True)
        random = generator("predictions")
        self.noisy = [random.standard_normal((2, n)).astype("<f4") for n in LENGTHS]  # speech, noise
        self.estimates = [0.1 * random.standard_normal(n).astype("<f4") for n in LENGTHS]
        np.concatenate([x.reshape(-1) for x in self.noisy]).tofile(self.store.state(self.rendered) / "shard-00000.f32")
        np.concatenate(self.estimates).tofile(self.store.state(self.enhanced) / "audio.f32")
        starts = np.cumsum([0, *LENGTHS])
        rows = [
            {
                "mixture": f"m{i}", "index": i, "samples": n, "shard": 0, "dry_offset": -1,
                "speech_offset": 2 * start, "noise_offset": 2 * start + n,
            }
            for i, (n, start) in enumerate(zip(LENGTHS, starts, strict=False))
        ]  # fmt: skip
        write_parquet(self.store.outputs(self.rendered)["index.parquet"], pd.DataFrame(rows))
        entries = pd.DataFrame({"mixture": [f"m{i}" for i in range(3)], "offset": starts[:3], "samples": LENGTHS})
        entries["status"] = ["ok", "failed", "ok"]
        entries["reason"] = ["", "the output is not finite", ""]
        write_parquet(self.store.outputs(self.enhanced)["index.parquet"], entries)
        torch.manual_seed(0)
        self.predictor = build(PREDICTOR, "predictor").eval()
        with torch.no_grad():
            for parameter in self.predictor.parameters():
                parameter.mul_(2.0)
        weights = self.predictor.state_dict()
        self.publish(Checkpoint(weights, {"format": 1, "predictor": PREDICTOR}))

    def publish(self, checkpoint: Checkpoint, status: str = "ok", reason: str = "") -> None:
        write(self.store.outputs(self.trained)["checkpoint.safetensors"], checkpoint)
        write_json(self.store.outputs(self.trained)["run.json"], {"status": status, "reason": reason})

    def predictions(self, enhanced: bool) -> pd.DataFrame:
        parents = {"run": self.trained.key, "set": self.rendered.key}
        parents |= {"enhanced": self.enhanced.key} if enhanced else {}
        node = Node("predictions", "toy", {"version": 1}, parents)
        self.store.freeze(node)
        predict.run(node, self.store)
        return read_parquet(self.store.outputs(node)["predictions.parquet"])

    def expected(self, signal: np.ndarray) -> float:
        with torch.no_grad():
            return float(self.predictor.of_waveform(torch.from_numpy(signal)[None]).item())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "results")


def test_noisy_signals_whole_and_in_the_sets_order(scene: Scene) -> None:
    found = scene.predictions(enhanced=False)
    assert list(found.columns) == list(predict.COLUMNS)
    assert found["mixture"].tolist() == ["m0", "m1", "m2"]
    assert set(found["status"]) == {"ok"}
    assert found["value"].tolist() == pytest.approx([scene.expected(x[0] + x[1]) for x in scene.noisy], abs=1e-6)
    assert found["value"].nunique() == 3


def test_enhanced_signals_and_those_that_do_not_exist(scene: Scene) -> None:
    found = scene.predictions(enhanced=True)
    assert found["status"].tolist() == ["ok", "failed", "ok"]
    assert found["reason"].tolist() == ["", "the output is not finite", ""]
    assert found["value"][[0, 2]].tolist() == pytest.approx(
        [scene.expected(scene.estimates[i]) for i in (0, 2)], abs=1e-6
    )
    assert np.isnan(found["value"][1])


def test_the_predictor_of_an_alternating_run(scene: Scene) -> None:
    """Its checkpoint holds the enhancer's weights too."""
    expected = scene.predictions(enhanced=False)
    weights = {f"predictor/{name}": tensor for name, tensor in scene.predictor.state_dict().items()}
    model = {"type": "stage1", "params": {}}
    enhancer = build(model, "model").state_dict()
    scene.publish(Checkpoint({**weights, **enhancer}, {"format": 1, "predictor": PREDICTOR, "model": model}))
    pd.testing.assert_frame_equal(scene.predictions(enhanced=False), expected)


def test_a_run_that_failed_predicts_nothing_and_says_why(scene: Scene) -> None:
    scene.publish(Checkpoint({}, {}), "failed", "the loss is not finite in step 3")
    found = scene.predictions(enhanced=False)
    assert set(found["status"]) == {"failed"}
    assert found["value"].isna().all()
    assert set(found["reason"]) == {f"run {scene.trained.stem} failed: the loss is not finite in step 3"}


def test_a_predictor_for_another_sample_rate_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(scene.predictor), "sample_rate", 8000)
    with pytest.raises(DataError, match=r"predicts at 8000 Hz, set .* has 16000 Hz"):
        scene.predictions(enhanced=False)


def test_estimates_of_another_set_are_refused(scene: Scene) -> None:
    path = scene.store.outputs(scene.enhanced)["index.parquet"]
    write_parquet(path, read_parquet(path).iloc[::-1])
    with pytest.raises(DataError, match="its mixtures are not those of its set, in that order"):
        scene.predictions(enhanced=True)

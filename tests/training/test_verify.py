"""A run whose model is not what it says is not trained: its failure is a result, with what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import PREDICTOR, TinyPlain, item, make_run
from torch import Tensor

from sebench.artefacts import Store
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.predictors.pesqnet import PesqNet
from sebench.training import step, verify


class Ahead(TinyPlain):
    """Two samples of look-ahead in a model that calls itself causal."""

    causal = True
    delay = 0


class Raises(Ahead):
    """Cannot be run at all."""

    causal = False

    def forward(self, batch: Batch) -> Estimate:
        raise RuntimeError("out of something")


class Unbounded(PesqNet):
    """Scores far outside of the bounds that it states."""

    def forward(self, magnitude: Tensor, frames: Tensor) -> Tensor:
        return 100.0 + super().forward(magnitude, frames)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_the_failure_is_a_result(store: Store) -> None:
    node = make_run(store, model={"type": "test_verify:Ahead", "params": {}})
    step.run(node, store)
    found: dict[str, Any] = json.loads(store.outputs(node)["run.json"].read_text())
    assert (found["status"], found["step"]) == ("failed", 0)
    assert found["reason"].startswith("model test_verify:Ahead: causal = True with a delay of 0 samples, and a change")
    assert "up to 2 samples earlier" in found["reason"]
    assert all(path.exists() for path in store.outputs(node).values())


def test_what_cannot_be_run_is_an_error(store: Store) -> None:
    node = make_run(store, model={"type": "test_verify:Raises", "params": {}})
    with pytest.raises(DataError, match=r"model test_verify:Raises: cannot be run on noise.*out of something"):
        step.run(node, store)


def test_a_run_that_was_begun_is_not_tested_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(verify, "refusal", lambda spec: calls.append(spec) or "")
    node = make_run(store)
    step.run(node, store)
    assert len(calls) == 1
    (store.state(node) / "attempt-000001").mkdir(exist_ok=True)
    (store.state(node) / "attempt-000001" / "checkpoint-000000003.safetensors").write_bytes(b"")
    assert step._refusal(node, store) == ""
    assert len(calls) == 1


def test_predictors_are_tested_too() -> None:
    spec = {"stage": {"kind": "predictor"}, "predictor": PREDICTOR}
    assert verify.refusal(spec) == ""
    wrong = {**PREDICTOR, "type": "test_verify:Unbounded"}
    assert "outside of 1.0" in verify.refusal({**spec, "predictor": wrong})
    assert verify.name_of(item("TinyGain", width=3)) == "tiny_runs:TinyGain (width=3)"

"""Before the first step: a model that is not what it says is a result, a metric that is not there an error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import PREDICTOR, TinyPlain, item, make_run, predictor_run
from torch import Tensor

from sebench.artefacts import Store
from sebench.config.specs import RunSpec
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.metrics import base
from sebench.metrics.base import MissingPackageError, implementation
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


def test_predictors_are_tested_too(store: Store) -> None:
    spec = RunSpec.of({**make_run(store, kind="predictor").spec, "predictor": PREDICTOR})
    assert verify.refusal(spec) == ""
    wrong = {**PREDICTOR, "type": "test_verify:Unbounded"}
    assert "outside of 1.0" in verify.refusal(spec.model_copy(update={"predictor": wrong}))
    assert verify.name_of(item("TinyGain", width=3)) == "tiny_runs:TinyGain (width=3)"


PESQ = {"type": "pesq_nb", "params": {}, "implementation": implementation("pesq", "pesq_nb")}


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of training is a failure of the test."""
    monkeypatch.setattr(step, "_train", lambda *args: pytest.fail("it was trained"))


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("planned", [PESQ["implementation"], "pesq absent"], ids=["with it", "without it"])
def test_a_package_that_validation_lacks(store: Store, monkeypatch: pytest.MonkeyPatch, planned: str) -> None:
    monkeypatch.setattr(base, "installed", lambda package: package != "pesq")
    node = make_run(store, validate_by={"metric": {**PESQ, "implementation": planned}})
    with pytest.raises(MissingPackageError, match=r"metric 'pesq_nb' needs the package 'pesq', .*pip install pesq"):
        step.run(node, store)
    assert not store.complete(node), "no result: it can be made where the package is"


@pytest.mark.usefixtures("untrained")
def test_a_package_of_validation_that_cannot_be_imported(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(MissingPackageError, match=r"metric 'pesq_nb' cannot be computed here: import of pesq halted"):
        step.run(make_run(store, validate_by={"metric": PESQ}), store)


@pytest.mark.usefixtures("untrained")
def test_another_package_of_validation_than_planned(store: Store) -> None:
    node = make_run(store, validate_by={"metric": {**PESQ, "implementation": "pesq 0.0.1"}})
    with pytest.raises(DataError, match=r"planned with 'pesq 0\.0\.1', and 'pesq [\d.]+' is installed"):
        step.run(node, store)


def test_metrics_that_a_predictor_cannot_learn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    enhancer = make_run(store, steps=1, validate_every=1)
    step.run(enhancer, store)
    monkeypatch.setattr(step, "_train", lambda *args: pytest.fail("it was trained"))
    improvement = {"type": "delta_snr", "params": {}, "implementation": "sebench delta_snr"}
    with pytest.raises(DataError, match="labels: metric 'delta_snr' has no values here: no noisy mixture"):
        step.run(predictor_run(store, enhancer, improvement), store)
    monkeypatch.setattr(base, "installed", lambda package: package != "pesq")
    with pytest.raises(MissingPackageError, match="needs the package 'pesq'"):
        step.run(predictor_run(store, enhancer, PESQ), store)

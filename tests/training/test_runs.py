"""Runs as wholes: data order, schedules, failures that are results, weights from parents, what is published."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import accuracy, contents, item, make_run, make_set, weights_path

from sebench.artefacts import Node, Store
from sebench.errors import DataError, RestartNeeded
from sebench.process.lease import Held, Lease, LeaseLost
from sebench.stages.supervised import Supervised
from sebench.synthesis.store import AudioStore
from sebench.training import step
from sebench.training.checkpoint import Checkpoint, read, write
from sebench.training.data import Batches
from sebench.training.optimisers import build_optimiser
from sebench.training.schedules import build_schedule
from sebench.training.stage import NotFinite, StepResult
from sebench.training.team import ALONE


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def report(store: Store, node: Node) -> dict[str, Any]:
    return json.loads(store.outputs(node)["run.json"].read_text())


def make_batches(store: Store, seed: int = 0) -> Batches:
    node = make_set(store, "train", 5, 1)
    rows = AudioStore.open(store, node)
    return Batches(rows, [str(i) for i in range(5)], 16000, batch_size=2, segment_seconds=0.12, seed=seed)


def test_batches_depend_on_seed_and_step_only(store: Store) -> None:
    forwards, backwards = make_batches(store), make_batches(store)
    expected = [forwards.batch(k) for k in range(12)]
    for k in reversed(range(12)):
        found = backwards.batch(k)
        assert found.lengths is not None
        assert torch.equal(found.noisy, expected[k].noisy)
        assert torch.equal(found.lengths, expected[k].lengths)
    assert not torch.equal(make_batches(store, seed=1).batch(0).noisy, expected[0].noisy)


def test_each_epoch_holds_each_row_once(store: Store) -> None:
    order = np.concatenate([make_batches(store).indices(k) for k in range(10)]).reshape(4, 5)
    assert (np.sort(order, axis=1) == np.arange(5)).all()
    assert len(np.unique(order, axis=0)) > 1


def test_segments_are_cut_from_the_rows(store: Store) -> None:
    batches = make_batches(store)
    for k in range(8):
        batch = batches.batch(k)
        assert batch.noisy.shape == (2, 1920)
        assert batch.lengths is not None
        assert batch.speech is not None
        assert batch.noise is not None
        torch.testing.assert_close(batch.noisy, batch.speech + batch.noise)
        for i, start, length, noisy in zip(
            batches.indices(k), batches.starts(k, batches.indices(k)), batch.lengths, batch.noisy, strict=True
        ):
            row = batches.rows.row(int(i))["noisy"]
            assert length == min(1920, len(row))
            np.testing.assert_array_equal(noisy[:length], row[start : start + int(length)])
            assert not noisy[length:].any()


@pytest.mark.parametrize("kind", ["cosine", "linear_decay"])
def test_schedules_agree_with_torch(kind: str) -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs: Any = {
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 50, eta_min=0.1),
        "linear_decay": lambda: torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, 50),
    }[kind]()
    ours = build_schedule({"type": kind, "final_factor": 0.1}, 50)
    for k in range(50):
        assert ours.factor(k) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimiser.step()
        theirs.step()


def test_warm_up_and_plateau() -> None:
    schedule = build_schedule({"type": "constant", "warmup_steps": 4}, 10)
    assert [schedule.factor(k) for k in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    plateau = build_schedule({"type": "halve_on_plateau", "patience": 2, "stop_lr": 3e-5}, 10)
    factors = []
    for score in (1.0, 2.0, 2.0, 1.5, 1.0, 3.0, 2.0, 2.0):
        plateau.observe(score)
        factors.append(plateau.factor(9))
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
    assert plateau.exhausted(1e-4)
    assert not plateau.exhausted(2e-4)


@pytest.mark.parametrize(("kind", "theirs"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_optimisers_are_those_of_torch(kind: str, theirs: Any) -> None:
    results = []
    for mine in (True, False):
        net = torch.nn.Linear(7, 3)
        torch.nn.init.constant_(net.weight, 0.5)
        torch.nn.init.zeros_(net.bias)
        params = {"lr": 0.01, "weight_decay": 0.1, "betas": [0.8, 0.99]}
        parameters = list(net.parameters())
        optimiser = (
            build_optimiser(parameters, {"type": kind, **params}) if mine else theirs(parameters, fused=True, **params)
        )
        for k in range(5):
            optimiser.zero_grad()
            net(torch.arange(14.0).reshape(2, 7) / (k + 1)).square().sum().backward()
            optimiser.step()
        results.append(net.weight.detach().clone())
    assert torch.equal(*results)


def test_training_lowers_the_loss_and_keeps_the_best(store: Store) -> None:
    node = make_run(store, steps=60, validate_every=10, validate_by="loss")
    step.run(node, store)
    found = report(store, node)
    history = json.loads(store.outputs(node)["history.json"].read_text())
    assert found["status"] == "ok"
    assert found["weights"] == "best"
    assert [row["step"] for row in history] == [10, 20, 30, 40, 50, 60]
    assert history[-1]["loss"] < history[0]["loss"]
    best = min(history, key=lambda row: row["valid"])
    assert (found["best_step"], found["valid"]) == (best["step"], best["valid"])
    assert json.loads((store.state(node) / "progress.json").read_text())["step"] == 60
    assert read(weights_path(store, node)).meta["model"] == item("TinyGain")


def test_utterances_without_a_score_are_counted(store: Store) -> None:
    node = make_run(store, validate_by={"metric": accuracy(skip_below=1700)})
    step.run(node, store)
    assert (report(store, node)["valid_scored"], report(store, node)["valid_total"]) == (2, 3)


def test_stage_ends_where_the_rate_is_low_enough(store: Store) -> None:
    schedule = {"type": "halve_on_plateau", "patience": 1, "stop_lr": 0.019}
    node = make_run(store, steps=300, validate_every=1, schedule=schedule, validate_by="loss")
    step.run(node, store)
    assert report(store, node)["status"] == "ok"
    assert report(store, node)["step"] < 300


def test_loss_that_is_not_finite_is_a_result(store: Store) -> None:
    node = make_run(store, bad=3, steps=30)
    step.run(node, store)
    found = report(store, node)
    assert found["status"] == "failed"
    assert found["mixtures"] == ["train-3"]
    assert f"the loss is not finite in step {found['step']}" in found["reason"]
    assert all(bool(tensor.isfinite().all()) for tensor in read(weights_path(store, node)).tensors.values())
    before = contents(store, node)
    weights_path(store, node).unlink()
    step.run(node, store)
    assert contents(store, node) == before


def test_gradient_that_is_not_finite_is_a_result(store: Store) -> None:
    node = make_run(store, loss={"item": item("SteepError")})
    step.run(node, store)
    assert report(store, node)["reason"] == "the gradient is not finite in step 0"
    assert report(store, node)["weights_step"] == 0


def test_failed_parent_is_handed_on(store: Store) -> None:
    parent = make_run(store, bad=3, steps=30)
    step.run(parent, store)
    node = make_run(store, parents={"init:": parent}, init={"": "init:"})
    step.run(node, store)
    found = report(store, node)
    assert (found["status"], found["step"]) == ("failed", 0)
    assert found["reason"].startswith(f"run {parent.stem} failed: the loss is not finite")


def test_weights_come_from_a_parent_and_stay_frozen(store: Store) -> None:
    parent = make_run(store)
    step.run(parent, store)
    node = make_run(
        store,
        model=item("TinyPair"),
        init={"stage1": "init:stage1"},
        parents={"init:stage1": parent},
        freeze=["stage1"],
        keep="last",
    )
    step.run(node, store)
    given, found = (read(weights_path(store, each)).tensors for each in (parent, node))
    for name, tensor in given.items():
        assert torch.equal(tensor, found[f"stage1.{name}"]), name
    assert found["gain"] != 1.0
    with pytest.raises(DataError, match="no submodule 'stage2'"):
        step.run(make_run(store, model=item("TinyPair"), freeze=["stage2"]), store)
    with pytest.raises(DataError, match="do not fit"):
        step.run(make_run(store, model=item("TinyGain", width=3), init={"": "p"}, parents={"p": parent}), store)


def test_input_statistics_are_those_of_the_training_set(store: Store) -> None:
    node = make_run(store, model=item("TinyMeasured"))
    step.run(node, store)
    rows = AudioStore.open(store, make_set(store, "train", 5, 1))
    values = np.concatenate([rows.row(i)["noisy"] for i in range(5)]).astype(np.float64)
    found = read(weights_path(store, node)).tensors
    assert float(found["statistics.mean"]) == pytest.approx(values.mean(), rel=1e-6)
    assert float(found["statistics.deviation"]) == pytest.approx(values.std(), rel=1e-6)
    assert int(found["statistics.count"]) == len(values)


def test_a_stage_of_a_part_of_the_training_set(store: Store) -> None:
    node = make_run(store, model=item("TinyMeasured"), mixtures=3)
    context = step.context_of(node, store, torch.device("cpu"), ALONE)
    assert context.train.mixtures == ["train-0", "train-1", "train-2"]
    assert (len(context.train.rows), len(context.valid.rows)) == (3, 3)
    step.run(node, store)
    rows = AudioStore.open(store, make_set(store, "train", 5, 1))
    assert int(read(weights_path(store, node)).tensors["statistics.count"]) == rows.lengths[:3].sum()


def test_input_statistics_are_inherited(store: Store) -> None:
    parent = make_run(store, model=item("TinyMeasured"))
    step.run(parent, store)
    node = make_run(store, model=item("TinyMeasured"), train_seed=7, init={"": "init:"}, parents={"init:": parent})
    step.run(node, store)
    given, found = (read(weights_path(store, each)).tensors for each in (parent, node))
    assert not torch.equal(given["back.weight"], found["back.weight"])
    for name in ("mean", "deviation", "count"):
        assert torch.equal(given[f"statistics.{name}"], found[f"statistics.{name}"])


def test_utterance_that_has_no_statistics_is_a_result(store: Store) -> None:
    node = make_run(store, model=item("TinyMeasured"), bad=3)
    step.run(node, store)
    assert report(store, node)["reason"] == "an utterance of the training set is not finite in step 0"
    assert report(store, node)["mixtures"] == ["train-3"]


def test_initial_weights_have_input_statistics_after_resuming_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Supervised.step

    def broken(self: Supervised, number: int) -> StepResult:
        if number < 6:
            return advance(self, number)
        self.parameters[0].data.fill_(torch.nan)
        raise NotFinite("the test", [])

    def interrupted(self: Supervised, number: int) -> StepResult:
        if number == 3:
            signal.raise_signal(signal.SIGTERM)
        return broken(self, number)

    found = []
    for name, first in (("straight", broken), ("resumed", interrupted)):
        store = Store(tmp_path / name)
        node = make_run(store, model=item("TinyMeasured"), validate_every=100)
        monkeypatch.setattr(Supervised, "step", first)
        with contextlib.suppress(RestartNeeded):
            step.run(node, store)
        assert (store.state(node) / step.FINAL).exists() == (name == "straight")
        monkeypatch.setattr(Supervised, "step", broken)
        step.run(node, store)
        assert report(store, node)["weights"] == "initial"
        found.append(read(weights_path(store, node)).tensors)
    assert int(found[0]["statistics.count"]) > 0
    assert all(torch.equal(tensor, found[1][name]) for name, tensor in found[0].items())


def test_global_generator_does_not_matter_and_is_left_alone(tmp_path: Path) -> None:
    found = []
    for seed in (1, 2):
        store = Store(tmp_path / str(seed))
        node = make_run(store)
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        step.run(node, store)
        assert torch.equal(before, torch.get_rng_state())
        found.append(contents(store, node))
    assert found[0] == found[1]


def test_checkpoint_files(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(6).reshape(2, 3), "a": torch.tensor(1.5, dtype=torch.bfloat16), "e": torch.empty(0)}
    meta = {"z": 1, "a": [0.1, None]}
    write(tmp_path / "one.safetensors", Checkpoint(tensors, meta))
    write(tmp_path / "two.safetensors", Checkpoint(dict(reversed(tensors.items())), dict(reversed(meta.items()))))
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    found = read(tmp_path / "one.safetensors")
    assert found.meta == meta
    assert all(torch.equal(tensor, found.tensors[name]) for name, tensor in tensors.items())
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match="no readable safetensors"):
        read(tmp_path / "pickle.safetensors")


def test_writer_that_lost_its_lease_publishes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make_run(store)
    advance = Supervised.step
    taken: list[Held] = []

    def stepped(self: Supervised, number: int) -> StepResult:
        if number == 4:
            held = Lease(store.state(node))._claim(2)
            assert held is not None
            taken.append(held)
        return advance(self, number)

    monkeypatch.setattr(Supervised, "step", stepped)
    with pytest.raises(LeaseLost):
        step.run(node, store)
    assert not (store.state(node) / step.FINAL).exists()
    assert not any(path.exists() for path in store.outputs(node).values())
    assert not list(store.state(node).glob("attempt-000002/*"))
    taken[0].release()
    monkeypatch.undo()
    step.run(node, store)
    assert report(store, node)["status"] == "ok"

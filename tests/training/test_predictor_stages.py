"""Training a predictor on an enhancer, and both in alternation."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import test_interruption
import torch
from tiny_runs import (
    LACKING,
    PREDICTOR,
    SI_SDR,
    Blow,
    alternating_run,
    contents,
    item,
    make_run,
    predictor_run,
    weights_path,
)

from sebench.artefacts import Node, Store
from sebench.config.items import build
from sebench.config.specs import RunSpec
from sebench.enhancement.load import load_model, load_predictor
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.files import read_json
from sebench.stages import with_predictor
from sebench.stages.alternating import Alternating
from sebench.stages.with_predictor import agreement, hold
from sebench.training import step
from sebench.training.checkpoint import read
from sebench.training.data import whole_row
from sebench.training.kinds import build_stage
from sebench.training.labels import Labels
from sebench.training.stage import Context, RenderedSet, begin_step
from sebench.training.team import ALONE


@pytest.fixture(scope="module", autouse=True)
def server() -> None:
    test_interruption.server.__wrapped__()  # type: ignore[attr-defined]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def enhancer_run(store: Store, **changes: object) -> Node:
    node = make_run(store, **changes)  # type: ignore[arg-type]
    step.run(node, store)
    return node


def chain(store: Store, **changes: object) -> tuple[Node, Node, Node]:
    """Three stages, the last one not yet run."""
    enhancer = enhancer_run(store, model=item("TinyPlain"))
    predictor = predictor_run(store, enhancer, model=item("TinyPlain"))
    step.run(predictor, store)
    return enhancer, predictor, alternating_run(store, enhancer, predictor, model=item("TinyPlain"), **changes)  # type: ignore[arg-type]


def weights(store: Store, node: Node) -> Mapping[str, torch.Tensor]:
    return read(weights_path(store, node)).tensors


def test_a_predictor_learns_from_labels_of_the_enhancer(store: Store) -> None:
    enhancer = enhancer_run(store)
    before = weights(store, enhancer)
    node = predictor_run(store, enhancer, steps=60, validate_every=20)
    step.run(node, store)
    rows = read_json(store.outputs(node)["history.json"])
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert {"mae", "lcc"} <= set(rows[0])
    report = read_json(store.outputs(node)["run.json"])
    assert report["status"] == "ok"
    assert report["parameters"] == sum(p.numel() for p in build(PREDICTOR, "predictor").parameters())
    assert set(weights(store, node)) == set(build(PREDICTOR, "predictor").state_dict())
    for name, tensor in weights(store, enhancer).items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("hears", ["enhanced", "both"])
def test_labels_are_those_of_the_metric(store: Store, hears: str) -> None:
    """What the stage gets for an utterance is what the metric says of clean and enhanced, cut to its length; behind
    the batch's enhanced signals its noisy ones, and what is predicted of them in the same order."""
    enhancer = enhancer_run(store, model=item("TinyPlain"))
    node = predictor_run(store, enhancer, model=item("TinyPlain"), hears=hears)
    with step.labels_of(node, store, "test") as labels:
        stage = build_stage(step.context_of(node, store, torch.device("cpu"), ALONE, labels))
        batch = stage.batches.batch(0)  # type: ignore[attr-defined]
        scored = stage._next(0, 0)  # type: ignore[attr-defined]
        values, present = scored.values(torch.device("cpu"))
    assert present.all()
    model, metric = load_model(store.folder(enhancer)), build(SI_SDR, "metric")
    with torch.no_grad():
        heard = [model(batch).waveform, batch.noisy][: 1 + (hears == "both")]
        predicted = stage._predict(scored)  # type: ignore[attr-defined]
        judged = [stage.predictor.of_estimate(Estimate(batch, waveform=one), batch) for one in heard]  # type: ignore[attr-defined]
    assert len(values) == len(batch.noisy) * len(heard)
    torch.testing.assert_close(predicted, torch.cat(judged), rtol=0, atol=0)
    lengths = batch.true_lengths().tolist()
    for value, (signals, (i, length)) in zip(values, itertools.product(heard, enumerate(lengths)), strict=True):
        clean, signal_ = batch.signal("clean")[i, :length].numpy(), signals[i, :length].numpy()
        expected = metric.compute(clean=clean, estimate=signal_, noisy=None, sample_rate=16000).value
        assert value.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["predictor", "alternating"])
def test_what_it_makes_of_noisy_speech_is_in_the_history(store: Store, kind: str) -> None:
    """Beside what it makes of enhanced speech, over the same utterances."""
    enhancer = enhancer_run(store, model=item("TinyPlain"))
    node = predictor_run(store, enhancer, model=item("TinyPlain"), hears="both", keep="last")
    step.run(node, store)
    if kind == "alternating":
        node = alternating_run(store, enhancer, node, model=item("TinyPlain"), epochs=2, hears="both", keep="last")
        step.run(node, store)
    rows = read_json(store.outputs(node)["history.json"])
    assert all(row["mae_noisy"] != row["mae"] and "lcc_noisy" in row for row in rows)
    predictor, metric = load_predictor(store.folder(node)), build(SI_SDR, "metric")
    valid = step.context_of(node, store, torch.device("cpu"), ALONE).valid
    errors = []
    for i in range(len(valid.rows)):
        batch = whole_row(valid.rows, i, valid.sample_rate, ("noisy", "clean"))
        clean, noisy = batch.signal("clean")[0].numpy(), batch.noisy[0].numpy()
        measured = metric.compute(clean=clean, estimate=noisy, noisy=None, sample_rate=16000).value
        with torch.no_grad():
            errors.append(abs(predictor.of_waveform(batch.noisy).item() - measured))
    assert rows[-1]["mae_noisy"] == pytest.approx(np.mean(errors), rel=1e-5)


def test_who_measures_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the number of processes, which follows what was granted, nor with it how far ahead is enhanced."""
    enhancer = enhancer_run(store, model=item("TinyPlain"))
    node = predictor_run(store, enhancer, model=item("TinyPlain"), hears="both")
    other = Store(shutil.copytree(store.root, store.root.with_name("other")))
    seen: list[int] = []
    ahead_of = with_predictor.WithPredictor._ahead_of

    def spied(self: with_predictor.WithPredictor, batch_size: int) -> int:
        seen.append(ahead_of(self, batch_size))
        return seen[-1]

    monkeypatch.setattr(with_predictor.WithPredictor, "_ahead_of", spied)
    step.run(node, store, 1)
    assert set(seen) == {3}
    seen.clear()
    step.run(node, other, 5)
    assert set(seen) == {6, 12}, "three labels for each of four processes, in batches of two and of one"
    assert contents(store, node) == contents(other, node)


@pytest.mark.parametrize(("granted", "workers"), [(1, 1), (2, 1), (3, 2), (8, 7)])
def test_labels_are_measured_by_what_was_granted(store: Store, granted: int, workers: int) -> None:
    node = predictor_run(store, make_run(store))
    with step.labels_of(node, store, "test", granted) as labels:
        assert labels is not None
        assert labels.workers == workers


def test_the_accumulated_gradient_is_that_of_the_whole_set(store: Store) -> None:
    """One step of the optimiser for an epoch, on the mean over its minibatches (here of one utterance each)."""
    _, _, node = chain(store, batch_size=1, steps=5 * 4, validate_every=5)
    with step.labels_of(node, store, "test") as labels:
        stage = build_stage(step.context_of(node, store, torch.device("cpu"), ALONE, labels))
        assert isinstance(stage, Alternating)
        for number in range(4):
            begin_step(stage, 0, number, 1.0)
            assert not stage.step(number).norms
        rows = stage.batches.rows
        singles = [stage.batches.batch(number) for number in range(5)]
        total = torch.stack([stage.loss(stage._enhance(batch), batch).mean() for batch in singles]).mean()
        expected = torch.autograd.grad(total, stage.parameters)
        before = [parameter.detach().clone() for parameter in stage.parameters]
        begin_step(stage, 0, 4, 1.0)
        assert stage.step(4).norms["grad_norm"] > 0
        assert len(rows) == 5
        for parameter, gradient, old in zip(stage.parameters, expected, before, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-7)
            assert not torch.equal(parameter, old)
        assert all(not buffer.any() for buffer in stage.accumulated.buffers()), "the next epoch begins at zero"


def test_what_is_frozen_does_not_move_by_a_bit(store: Store) -> None:
    """Within an epoch one network stands still, running statistics and all; the other one moves."""
    enhancer = enhancer_run(store)  # with a running mean and dropout
    predictor = predictor_run(store, enhancer)
    step.run(predictor, store)
    node = alternating_run(store, enhancer, predictor)
    with step.labels_of(node, store, "test") as labels:
        stage = build_stage(step.context_of(node, store, torch.device("cpu"), ALONE, labels))
        assert isinstance(stage, Alternating)
        for epoch in range(4):
            states = {name: _copy(stage.modules[name]) for name in ("enhancer", "predictor")}
            for number in range(3 * epoch, 3 * epoch + 3):
                begin_step(stage, 0, number, 1.0)
                stage.step(number)
            stage.validate(3 * epoch + 3, lambda: None)
            frozen, trained = ("predictor", "enhancer") if epoch % 2 == 0 else ("enhancer", "predictor")
            assert _same(states[frozen], _copy(stage.modules[frozen]))
            assert not _same(states[trained], _copy(stage.modules[trained]))


def _copy(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def _same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_history_follows_both_over_the_epochs(store: Store) -> None:
    _, _, node = chain(store)
    step.run(node, store)
    rows = read_json(store.outputs(node)["history.json"])
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["valid"] is None for row in rows] == [True, False, True, False, True]
    assert all(row["labels"] == 3 and row["mae"] is not None for row in rows)
    assert rows[0]["measured"] != rows[1]["measured"] == rows[2]["measured"], "only its own epochs change the enhancer"
    assert rows[1]["predicted"] != rows[2]["predicted"]
    assert [row["lr"] for row in rows] == [0.01, 0.01, 0.02, 0.01, 0.02], "of the network that the epoch trained"
    assert read_json(store.outputs(node)["run.json"])["best_step"] in (3, 9)


def test_the_validation_loss_has_no_graph(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, node = chain(store)
    with step.labels_of(node, store, "test") as labels:
        stage = build_stage(step.context_of(node, store, torch.device("cpu"), ALONE, labels))
        assert isinstance(stage, Alternating)
        seen = []
        stage.loss.register_forward_hook(lambda module, given, found: seen.append(found.requires_grad))
        stage.validate(0, lambda: None)
    assert seen == [False] * 3


@pytest.mark.parametrize("kind", ["predictor", "alternating"])
def test_several_devices_are_refused(store: Store, kind: str) -> None:
    """No plan asks for them; the stage would train on one."""
    enhancer = make_run(store)
    predictor = predictor_run(store, enhancer, devices=2)
    node = predictor if kind == "predictor" else alternating_run(store, enhancer, predictor, devices=2)
    context = Context(RunSpec.of(node.spec), *[RenderedSet((), (), 16000)] * 2, torch.device("cpu"), {})
    with pytest.raises(DataError, match=f"{kind}.*one device; its plan has 2"):
        build_stage(context)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_in_alternation_on_a_gpu(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 and with kernels that repeat, twice: the same bytes."""
    monkeypatch.setenv("SEBENCH_DEVICE", "cuda")
    _, _, node = chain(store, epochs=2, precision="bf16-mixed", hears="both")
    other = Store(shutil.copytree(store.root, store.root.with_name("other")))
    for one in (store, other):
        step.run(node, one)
    report = read_json(store.outputs(node)["run.json"])
    assert (report["status"], report["reason"], report["step"]) == ("ok", "", 6)
    assert contents(store, node) == contents(other, node)


def test_both_networks_are_published(store: Store) -> None:
    """The enhancer with the lowest validation loss and the predictor of that epoch; the last of both if asked."""
    enhancer, predictor, best = chain(store)
    last = alternating_run(store, enhancer, predictor, model=item("TinyPlain"), keep="last")
    for node in (best, last):
        step.run(node, store)
    noisy = 0.1 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    outputs = [load_model(store.folder(run))(Batch(noisy)).waveform for run in (enhancer, best, last)]
    assert not any(torch.equal(one, other) for one, other in itertools.combinations(outputs, 2))
    assert read_json(store.outputs(best)["run.json"])["weights_step"] == 3
    assert read_json(store.outputs(last)["run.json"])["weights_step"] == 12
    scores = [load_predictor(store.folder(run)).of_waveform(noisy).item() for run in (predictor, best, last)]
    assert scores[0] == scores[1], "the first epoch trains the enhancer alone"
    assert scores[1] != scores[2]
    with pytest.raises(DataError, match="holds no predictor"):
        load_predictor(store.folder(enhancer))
    with pytest.raises(DataError, match="which model"):
        load_model(store.folder(predictor))


@pytest.mark.parametrize("state", ["keep", "reset"])
def test_the_optimisers_memory_is_kept_or_forgotten(store: Store, state: str) -> None:
    _, _, node = chain(store, optimiser_state=state)
    with step.labels_of(node, store, "test") as labels:
        stage = build_stage(step.context_of(node, store, torch.device("cpu"), ALONE, labels))  # type: ignore[arg-type]
        for number in range(7):
            begin_step(stage, 0, number, 1.0)
            stage.step(number)
        counts = {name: float(optimiser.state["step"][0]) for name, optimiser in stage.optimisers.items()}
    assert counts == ({"enhancer": 1.0, "predictor": 3.0} if state == "keep" else {"enhancer": 0.0, "predictor": 0.0})


@pytest.fixture(scope="module", params=["alternating", "alternating, both", "predictor, both"])
def begun(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Node, dict[str, bytes]]:
    """A store whose last stage has not begun, that stage, and what it publishes where nothing interrupts it."""
    store = Store(tmp_path_factory.mktemp("begun") / "store")
    kind, _, hears = request.param.partition(", ")
    if kind == "alternating":
        node = chain(store, epochs=3, hears=hears or "enhanced")[2]
    else:
        node = predictor_run(store, enhancer_run(store, model=item("TinyPlain")), model=item("TinyPlain"), hears=hears)
    other = Store(shutil.copytree(store.root, store.root.with_name("plain")))
    assert test_interruption.child(other, node) == 0
    return store.root, node, contents(other, node)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "steps"),
    [
        pytest.param(signal.SIGKILL, range(9), id="SIGKILL"),
        pytest.param(signal.SIGTERM, (0, 1, 3, 5, 8), id="SIGTERM"),
    ],
)
def test_interrupted_in_any_step_the_bits_are_the_same(
    number: signal.Signals, steps: Iterable[int], begun: tuple[Path, Node, dict[str, bytes]], tmp_path: Path
) -> None:
    """In a sum of gradients, before and after its step of the optimiser, and among the predictor's minibatches."""
    root, node, expected = begun
    for at in steps if node.spec["stage"]["hears"] == "enhanced" else list(steps)[1::3]:
        store = Store(shutil.copytree(root, tmp_path / str(at)))
        code = test_interruption.child(store, node, Blow(number, at), save_seconds=0.0 if at % 2 else 20.0)
        assert code == (-signal.SIGKILL if number == signal.SIGKILL else 75)
        assert not store.outputs(node)["run.json"].exists()
        assert test_interruption.child(store, node) == 0
        assert contents(store, node) == expected, f"interrupted in step {at}"


@pytest.mark.slow
@pytest.mark.parametrize("validation", [0, 1, 2])
def test_interrupted_in_a_validation_the_bits_are_the_same(
    validation: int, begun: tuple[Path, Node, dict[str, bytes]], tmp_path: Path
) -> None:
    root, node, expected = begun
    store = Store(shutil.copytree(root, tmp_path / "store"))
    blow = Blow(signal.SIGTERM, validation, in_validation=True)
    assert test_interruption.child(store, node, blow) == 75
    assert test_interruption.child(store, node) == 0
    assert contents(store, node) == expected


def test_labels_are_measured_once(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    clean = random.standard_normal(1000).astype(np.float32)
    estimate = clean + 0.1 * random.standard_normal(1000).astype(np.float32)
    with Labels(SI_SDR, 16000, tmp_path, "a", 1) as labels:
        first = labels.ask(clean, estimate).value()
        assert labels.ask(clean, estimate).value() == first
        assert labels.ask(clean, np.zeros_like(clean)).value() is None
        assert labels.measured == 2
    (tmp_path / "torn.tsv").write_text("0" * 32 + "\t0x1.8", encoding="ascii")
    with Labels(SI_SDR, 16000, tmp_path, "b", 1) as labels:
        assert labels.ask(clean, estimate).value() == first
        assert labels.ask(clean, np.zeros_like(clean)).value() is None
        assert labels.ask(clean, estimate + 0.1 * clean[::-1]).value() != first
        assert labels.measured == 1


@pytest.mark.parametrize(
    "damage", [b"\n", b"\0" * 38 + b"\n", b"3" * 32 + b"\n", b"3" * 32 + b"\t0x1.8\n", b"3" * 31 + b"\xff\t-\n"]
)
def test_damaged_labels_are_named_and_not_passed_over(tmp_path: Path, damage: bytes) -> None:
    """But for the last line, if it does not end: see above."""
    whole = b"0" * 32 + b"\t0x1.8p+1\n" + b"1" * 32 + b"\t-\n" + b"2" * 32 + b"\t-0x0.0p+0\n"
    path = tmp_path / "a.tsv"
    path.write_bytes(whole + b"3" * 32 + b"\t0x1.8")
    with Labels(SI_SDR, 16000, tmp_path, "b", 1) as labels:
        assert labels._kept == {"0" * 32: 3.0, "1" * 32: None, "2" * 32: 0.0}
    path.write_bytes(whole + damage + whole)
    with pytest.raises(DataError, match=rf"{path}, line 4: found .*measured again"):
        Labels(SI_SDR, 16000, tmp_path, "b", 1)


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 5), (2, 3)])
def test_utterances_without_a_label_are_left_out_and_counted(store: Store, batch_size: int, steps: int) -> None:
    """Alone in a batch: no step of the optimiser. Beside another: as if the batch were without it."""
    enhancer = enhancer_run(store, model=item("TinyPlain"))
    node = predictor_run(
        store, enhancer, model=item("TinyPlain"), metric=LACKING, batch_size=batch_size, steps=2 * steps,
        validate_every=steps,
    )  # fmt: skip
    with step.labels_of(node, store, "test") as labels:
        stage = build_stage(step.context_of(node, store, torch.device("cpu"), ALONE, labels))
        for number in range(steps):
            begin_step(stage, 0, number, 1.0)
            batch = stage.batches.batch(number)
            there = [length >= 1900 for length in batch.true_lengths().tolist()]
            before = _copy(stage.predictor)
            with torch.no_grad():
                values, present = stage._scored(batch, []).values(torch.device("cpu"))
                errors = (stage.predictor.of_estimate(stage._enhance(batch), batch) - values).square()
            assert present.tolist() == there
            result = stage.step(number)
            assert _same(before, _copy(stage.predictor)) == (not any(there))
            expected = errors[present].mean().item() if any(there) else None
            assert result.loss == (None if expected is None else pytest.approx(expected, rel=1e-5))
    step.run(node, store)
    rows = read_json(store.outputs(node)["history.json"])
    assert [row["unlabelled"] for row in rows] == [1, 2], "one of the five utterances of each epoch"
    assert [(row["valid_scored"], row["valid_total"]) for row in rows] == [(2, 3), (2, 3)]
    assert read_json(store.outputs(node)["run.json"])["valid_scores"][0] is None


def test_a_metric_that_cannot_be_asked_is_refused_and_not_skipped(tmp_path: Path) -> None:
    """It would skip every utterance: the metric is for another sample rate, or needs a signal that labels lack."""
    signal = np.ones(100, np.float32)
    metric = item("OneRate")
    with Labels(metric, 8000, tmp_path, "a", 1) as labels, pytest.raises(DataError, match=r"OneRate' gives .*8000"):
        labels.ask(signal, signal).value()


def test_agreement() -> None:
    random = np.random.default_rng(0)
    measured = random.uniform(1, 4, 50)
    predicted = measured + 0.1 * random.standard_normal(50)
    found = agreement([*zip(predicted.tolist(), measured.tolist(), strict=True), (3.0, None)])
    assert found["lcc"] == pytest.approx(np.corrcoef(predicted, measured)[0, 1])
    assert found["mae"] == pytest.approx(np.abs(predicted - measured).mean())
    assert agreement([(1.0, 2.0)], "_noisy") == {"mae_noisy": 1.0, "lcc_noisy": None}
    assert agreement([]) == {"mae": None, "lcc": None}


def test_a_held_network_computes_as_in_evaluation() -> None:
    network = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(3, 4, batch_first=True), "drop": torch.nn.Dropout(0.5)})
    values = torch.randn(2, 5, 3)
    expected = network.eval()["lstm"](values)[0]
    hold(network)
    assert torch.equal(network["lstm"](values)[0], expected)
    assert not network["drop"].training
    assert network["lstm"].training
    assert not any(parameter.requires_grad for parameter in network.parameters())

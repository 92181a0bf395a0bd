"""What parent runs and files from outside gave a stage is in its checkpoints by hash, until it moves."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import alternating_run, contents, item, make_run, predictor_run, weights_path
from torch import Tensor

from sebench.artefacts import Node, Store
from sebench.errors import DataError, RestartNeeded
from sebench.extractors.base import Extractor
from sebench.stages.alternating import Alternating
from sebench.stages.predictor import PredictorTraining
from sebench.stages.supervised import Supervised
from sebench.training import step
from sebench.training.checkpoint import LEFT_OUT, Checkpoint, content_hash, latest, read, write
from sebench.training.stage import Context, Stage, StepResult

#: Of the frozen part: its weights take a multiple of everything else.
WIDTH = 500
WIDE = item("TinyPair", width=WIDTH)
PLACES = ("best/", "module/model/")

Make = Callable[[Store], Node]


class FromFile(Extractor):
    """Features of a network, as if read from a file."""

    name = "from_file"
    start = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((3,), self.start), requires_grad=False)


class Listening(Supervised):
    """It holds a feature extractor."""

    name = "listening"

    def start(self, context: Context) -> None:
        super().start(context)
        self.modules = {**self.modules, "extractor": FromFile()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def frozen_run(store: Store, **changes: Any) -> tuple[Node, Node]:
    """A trained first stage, and a run that has it frozen."""
    first = make_run(store, model=item("TinyGain", width=WIDTH))
    step.run(first, store)
    roles = {"parents": {"init:stage1": first}, "init": {"stage1": "init:stage1"}}
    return first, make_run(store, model=WIDE, freeze=["stage1"], **{**roles, **changes})


def next_run(store: Store) -> Node:
    """All of it trained, from where the run before ended."""
    _, before = frozen_run(store)
    step.run(before, store)
    return make_run(store, model=WIDE, parents={"init:": before}, init={"": "init:"})


def of_predictor(store: Store) -> Node:
    enhancer = make_run(store, model=item("TinyPlain"))
    step.run(enhancer, store)
    return predictor_run(store, enhancer, model=item("TinyPlain"))


def of_both(store: Store) -> Node:
    """Epochs of three steps: the enhancer's, the predictor's, the enhancer's."""
    predictor = of_predictor(store)
    step.run(predictor, store)
    return alternating_run(
        store, store.parent(predictor, "init:enhancer"), predictor, epochs=3, model=item("TinyPlain")
    )


def interrupted(store: Store, node: Node, kind: type[Stage], at: int) -> Checkpoint:
    """The state of a run that was asked to stop in step `at`."""
    advance = kind.step

    def stepped(self: Stage, number: int) -> StepResult:
        if number == at:
            signal.raise_signal(signal.SIGTERM)
        return advance(self, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "step", stepped)
        with pytest.raises(RestartNeeded):
            step.run(node, store)
    found = latest(store.state(node))
    assert found is not None
    assert found.meta["step"] == at + 1
    return found


def checkpoint_path(store: Store, node: Node) -> Path:
    return max(store.state(node).rglob("checkpoint-*.safetensors"))


def left_out(found: Checkpoint) -> dict[str, str]:
    return {name: value for hashes in found.meta[LEFT_OUT].values() for name, value in hashes.items()}


def test_a_frozen_part_is_left_out_by_its_hash(store: Store) -> None:
    first, node = frozen_run(store)
    found = interrupted(store, node, Supervised, 4)
    given = read(weights_path(store, first)).tensors
    expected = {f"{place}stage1.{name}": content_hash(t) for name, t in given.items() for place in PLACES}
    assert found.meta[LEFT_OUT] == {f"run {first.stem}": expected}
    assert "module/model/gain" in found.tensors
    assert not expected.keys() & found.tensors.keys()
    assert checkpoint_path(store, node).stat().st_size < weights_path(store, first).stat().st_size / 2


@pytest.mark.parametrize(
    ("make", "kind", "at"),
    [
        (lambda store: frozen_run(store)[1], Supervised, 4),
        (lambda store: frozen_run(store, keep="last")[1], Supervised, 0),
        (next_run, Supervised, 4),
        (of_predictor, PredictorTraining, 4),
        (of_both, Alternating, 1),
        (of_both, Alternating, 4),
    ],
)
def test_resumed_is_never_interrupted(
    make: Callable[[Store], Node], kind: type[Stage], at: int, tmp_path: Path
) -> None:
    stores = [Store(tmp_path / name) for name in ("plain", "interrupted")]
    nodes = [make(store) for store in stores]
    step.run(nodes[0], stores[0])
    interrupted(stores[1], nodes[1], kind, at)
    step.run(nodes[1], stores[1])
    assert contents(stores[1], nodes[1]) == contents(stores[0], nodes[0])


def test_what_was_frozen_and_trains_now_is_held(store: Store) -> None:
    found = interrupted(store, next_run(store), Supervised, 4)
    moved = {name for name in found.tensors if name.startswith("module/model/stage1.") and "weight" in name}
    assert {"module/model/stage1.front.weight", "module/model/stage1.back.weight"} <= moved
    assert not left_out(found)


def test_of_two_in_turn_each_is_held_once_it_has_moved(tmp_path: Path) -> None:
    held = {}
    for at in (1, 4):
        store = Store(tmp_path / str(at))
        node = of_both(store)
        weights = read(weights_path(store, store.parent(node, "init:predictor"))).tensors
        found = interrupted(store, node, Alternating, at)
        held[at] = found.group("module/enhancer").keys(), found.group("module/predictor")
    assert not any(held[1])
    assert held[4][0] == {"front.weight", "front.bias", "back.weight", "back.bias"}
    assert "head.2.bias" in held[4][1]
    best = {f"best/predictor/{name}" for name in weights}
    assert best <= left_out(found).keys(), "the best weights are of before it moved"


def test_other_weights_than_before_are_refused(store: Store) -> None:
    first, node = frozen_run(store)
    interrupted(store, node, Supervised, 4)
    path = weights_path(store, first)
    whole = read(path)
    before = content_hash(whole.tensors["back.bias"])
    tensors = {**whole.tensors, "back.bias": whole.tensors["back.bias"] + 1}
    write(path, Checkpoint(tensors, whole.meta))
    told = rf"weights of run {first.stem}, which are others now: .*stage1\.back\.bias has .* and had {before}"
    with pytest.raises(DataError, match=told):
        step.run(node, store)
    assert not weights_path(store, node).exists()
    write(path, whole)
    step.run(node, store)
    assert weights_path(store, node).exists()


@pytest.mark.parametrize(
    ("make", "kind", "lacks"),
    [(lambda store: frozen_run(store)[1], Supervised, "nothing"), (of_predictor, PredictorTraining, "enhancer")],
)
def test_a_checkpoint_of_older_days_goes_on(make: Make, kind: type[Stage], lacks: str, tmp_path: Path) -> None:
    """It held all that a stage saved, and no hashes; the enhancer under a predictor was no part of it."""
    stores = [Store(tmp_path / name) for name in ("plain", "older")]
    nodes = [make(store) for store in stores]
    step.run(nodes[0], stores[0])
    found = interrupted(stores[1], nodes[1], kind, 4)
    (role,) = nodes[1].spec["init"].values()
    given = read(weights_path(stores[1], stores[1].parent(nodes[1], role))).tensors
    tensors = dict(found.tensors)
    for name in left_out(found):
        key = name.removeprefix("best/").removeprefix("module/model/").removeprefix("module/enhancer/")
        if not name.startswith(f"module/{lacks}/"):
            tensors[name] = given[key.removeprefix("stage1.")]
    meta = {key: value for key, value in found.meta.items() if key != LEFT_OUT}
    write(checkpoint_path(stores[1], nodes[1]), Checkpoint(tensors, meta))
    step.run(nodes[1], stores[1])
    assert contents(stores[1], nodes[1]) == contents(stores[0], nodes[0])


def test_an_extractor_is_left_out_until_its_file_is_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make_run(store, kind=f"{__name__}:Listening")
    found = interrupted(store, node, Listening, 4)
    weight: Tensor = FromFile().weight
    assert found.meta[LEFT_OUT] == {"extractor from_file": {"module/extractor/weight": content_hash(weight)}}
    monkeypatch.setattr(FromFile, "start", 0.25)
    with pytest.raises(DataError, match="weights of extractor from_file, which are others now"):
        step.run(node, store)
    monkeypatch.undo()
    step.run(node, store)
    assert weights_path(store, node).exists()


def test_hashes_are_of_type_shape_and_bytes() -> None:
    zero = torch.zeros(2, 3)
    others = [zero.reshape(3, 2), zero.to(torch.int32), -zero, torch.zeros(2, 3, dtype=torch.bfloat16)]
    assert len({content_hash(tensor) for tensor in (zero, *others)}) == 5
    assert content_hash(zero.T.contiguous().T) == content_hash(zero)

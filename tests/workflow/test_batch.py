"""A batch makes its pieces one by one: one that fails, or crashes, costs itself and what is made from it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from sebench.artefacts import Node, Store
from sebench.config import own_code
from sebench.config.load import load_config
from sebench.errors import RestartNeeded, SebenchError
from sebench.plan.nodes import complexity_node
from sebench.plan.resolve import identity
from sebench.run import batch

STAGE1 = identity("model", load_config(Path(__file__).parents[2] / "config").get("models", "stage1").entry)

MODELS = '''\
"""Models that cannot be measured."""

import os
import signal

from sebench.models.base import Model


class Crashes(Model):
    """Its native code crashes."""

    def __init__(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Refuses(Model):
    """It cannot be built."""

    def __init__(self) -> None:
        raise RuntimeError("no such thing")
'''


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "crashing_models.py").write_text(MODELS, encoding="utf-8")
    before = own_code.added()
    own_code.extend([tmp_path / "own"])
    yield Store(tmp_path / "results")
    own_code.extend(before)


def model(name: str) -> Node:
    if name == "stage1":
        return complexity_node(STAGE1)
    return complexity_node(identity("model", SimpleNamespace(type=f"crashing_models:{name}", params={})))


def frozen(store: Store, *pieces: Node) -> Node:
    made = Node("sizes", "models", {"pieces": [piece.key for piece in pieces], "generation": 0})
    for node in (*pieces, made):
        store.freeze(node)
    return made


def test_a_process_that_crashes_costs_its_piece(store: Store) -> None:
    crashes, refuses, sound = model("Crashes"), model("Refuses"), model("stage1")
    job = frozen(store, crashes, refuses, sound)
    with pytest.raises(SebenchError) as failed:
        batch.run(job, store, 1)
    told = str(failed.value).splitlines()
    assert told[0] == "2 of 3 could not be made:"
    assert f"complexity {crashes.stem}: the process that computed it was ended by SIGSEGV" in told
    assert f"complexity {refuses.stem}: RuntimeError: no such thing" in told
    assert [store.complete(node) for node in (crashes, refuses, sound, job)] == [False, False, True, False]


def test_finished_pieces_are_left_alone(store: Store) -> None:
    sound = model("stage1")
    job = frozen(store, sound)
    batch.run(job, store, 1)
    path = store.outputs(sound)["complexity.json"]
    before = path.stat()
    batch.run(job, store, 1)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert store.complete(job)


def test_what_is_made_from_a_failed_piece_is_not_tried(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [Node("mixtures", f"m{i}", {"i": i}) for i in range(2)]
    sets = [Node("set", f"s{i}", {}, {"mixtures": plan.key}) for i, plan in enumerate(plans)]
    tried = []

    def make(node: Node, store: Store, threads: int) -> None:
        tried.append(node.name)
        if node.name == "m0":
            raise SebenchError("a bad row")
        for path in store.outputs(node).values():
            path.parent.mkdir(parents=True)
            path.write_text("")

    monkeypatch.setattr(batch, "make", make)
    with pytest.raises(SebenchError, match=r"set s0-\w+: m0-\w+ could not be made") as failed:
        batch.run(frozen(store, *plans, *sets), store, 1)
    assert "mixtures m0" in str(failed.value)
    assert tried == ["m0", "m1", "s1"]


def test_a_step_that_stops_stops_the_job(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(node: Node, store: Store, threads: int) -> None:
        raise RestartNeeded("SIGTERM")

    monkeypatch.setattr(batch, "make", make)
    job = frozen(store, *(Node("mixtures", f"m{i}", {"i": i}) for i in range(2)))
    with pytest.raises(RestartNeeded):
        batch.run(job, store, 1)
    assert not store.complete(job)


def test_a_condition_is_scored_while_the_next_one_is_enhanced() -> None:
    enhanced = [Node("enhanced", f"e{i}", {"i": i}) for i in range(2)]
    scores = [Node("scores", f"s{i}", {}, {"enhanced": node.key}) for i, node in enumerate(enhanced)]
    todo = {node.key: node for node in (*enhanced, *scores)}
    beside: dict[str, Future[str]] = {node.key: Future() for node in enhanced}
    beside[enhanced[1].key].set_result("")
    order = []
    for _ in range(2):
        order.append(batch._next(list(todo.values()), todo, beside).name)
        del todo[next(key for key, node in todo.items() if node.name == order[-1])]
    assert order == ["e1", "s1"]
    beside[enhanced[0].key].set_result("")
    assert batch._next(list(todo.values()), todo, beside).name == "e0"

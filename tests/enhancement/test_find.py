"""Runs by what a person types: folder, name, id, the beginning of one, the label of a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from sebench.artefacts import Node, Store
from sebench.config.specs import ChoiceSpec
from sebench.enhancement import find
from sebench.enhancement.find import find_run
from sebench.errors import SebenchError
from sebench.files import write_json


def put(store: Store, name: str, label: str, seed: int = 0, init: Node | None = None) -> Node:
    """A run whose folder is there."""
    node = Node("run", name, {"seed": seed, "name": name}, {"init:stage1": init.key} if init else {}, {"label": label})
    store.freeze(node)
    store.folder(node).mkdir(parents=True)
    return node


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def runs(store: Store) -> dict[str, Node]:
    first = put(store, "stage1-mag_mse-s0", "Two-stages(MSE)")
    return {
        "mse": put(store, "stage1-mag_mse-s1", "Stage1(MSE)"),
        "first": first,
        "joint": put(store, "two_stage-mse-s0", "Two-stages(MSE)", init=first),
        "seed0": put(store, "fcrn-a/b".replace("/", "_"), "FCRN a/b", 0),
        "seed1": put(store, "fcrn-a_b-s1", "FCRN a/b", 1),
    }


def test_folder_name_id_and_beginning(store: Store, runs: dict[str, Node]) -> None:
    run = runs["joint"]
    for what in (str(store.folder(run)), f"{store.folder(run)}/", run.stem, run.id, run.id[:8], "two_st"):
        assert find_run(store, what) == run


def test_a_label_is_the_rows_last_stage(store: Store, runs: dict[str, Node]) -> None:
    assert find_run(store, "Stage1(MSE)") == runs["mse"]
    assert find_run(store, "Two-stages(MSE)") == runs["joint"]


def test_a_label_of_a_choice_is_the_run_that_it_chose(store: Store, runs: dict[str, Node]) -> None:
    parents = {"0.1 seed 0": runs["mse"].key, "0.2 seed 0": runs["first"].key}
    spec = ChoiceSpec(version=1, axis="x", by="pesq_nb", higher_is_better=True, values=["0.1", "0.2"], seeds=[0])
    choice = Node("choice", "best-x", spec.mapping(), parents, {"label": "The best (x)"})
    store.freeze(choice)
    with pytest.raises(SebenchError, match="no such run"):
        find_run(store, "The best (x)")
    write_json(store.outputs(choice)["choice.json"], {"chosen": "0.2", "axis": "x", "candidates": []})
    assert find_run(store, "The best (x)") == runs["first"]


def test_what_is_ambiguous_lists_what_fits_and_nothing_else(store: Store, runs: dict[str, Node]) -> None:
    for what, reason in {"fcrn": "several runs begin so", "FCRN a/b": "several runs belong to a row"}.items():
        with pytest.raises(SebenchError, match=reason) as refused:
            find_run(store, what)
        for name, run in runs.items():
            assert (run.stem in str(refused.value)) == name.startswith("seed")
        assert f"{runs['seed1'].stem} (FCRN a/b)" in str(refused.value)


def test_a_wrong_name_says_the_nearest_run_or_label(store: Store, runs: dict[str, Node]) -> None:
    with pytest.raises(SebenchError, match=r"no such run; runs: .*did you mean 'Stage1\(MSE\)'"):
        find_run(store, "Stage1(MSS)")
    with pytest.raises(SebenchError, match="no such run"):
        find_run(store, "")
    for i in range(find.LISTED):
        put(store, f"more-s{i}", f"More {i}")
    with pytest.raises(SebenchError, match="and 5 more"):
        find_run(store, "nothing")


def test_a_run_whose_frozen_file_is_gone_stops_nobody(store: Store, runs: dict[str, Node]) -> None:
    store.frozen_path("run", runs["seed0"].id).unlink()
    assert find_run(store, "FCRN a/b") == runs["seed1"]

"""The best of a sweep, from what its runs report; and an enhanced set that reads its weights through the choice."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from sebench.artefacts import Node, Store
from sebench.errors import DataError
from sebench.figures.step import run as draw
from sebench.figures.sweep import HEADER
from sebench.files import read_json, write_json
from sebench.plan.nodes import choice_node
from sebench.training.choice import chosen_run, run

BY = {"name": "pesq_nb", "higher_is_better": True}


def make_choice(store: Store, reports: dict[tuple[str, int], dict[str, Any]], by: dict[str, Any] = BY) -> Node:
    """A choice among runs that reported this."""
    runs = {}
    for (value, seed), report in reports.items():
        node = Node("run", f"r{value}", {"value": value, "seed": seed})
        store.freeze(node)
        whole = {"status": "ok", "reason": "", "valid": None, "valid_scores": [], **report}
        write_json(store.outputs(node)["run.json"], whole)
        runs[value, seed] = node
    choice = choice_node("beta", by, runs, "label")
    store.freeze(choice)
    return choice


def report(*scores: float | None) -> dict[str, Any]:
    found = [score for score in scores if score is not None]
    return {"valid": math.fsum(found) / len(found), "valid_scores": list(scores)}


def test_the_best_mean_over_seeds_wins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reports = {("0", 0): report(2, 3), ("0", 1): report(1, 1), ("0.5", 0): report(2, 2), ("0.5", 1): report(2, 2.5)}
    choice = make_choice(store, reports)
    run(choice, store)
    found = read_json(store.outputs(choice)["choice.json"])
    assert found["chosen"] == "0.5"
    assert [entry["mean"] for entry in found["candidates"]] == [1.75, 2.125]
    assert found["candidates"][0]["low"] <= 1.75 <= found["candidates"][0]["high"]
    best, reason = chosen_run(choice, store, 1)
    assert best is not None
    assert (best.spec["value"], best.spec["seed"], reason) == ("0.5", 1, "")


def test_of_a_metric_that_falls_the_smallest_wins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reports = {("0", 0): report(2), ("1", 0): report(1)}
    choice = make_choice(store, reports, {"name": "distance", "higher_is_better": False})
    run(choice, store)
    assert read_json(store.outputs(choice)["choice.json"])["chosen"] == "1"


def test_a_value_that_failed_cannot_win(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failed = {"status": "failed", "reason": "the loss is not finite in step 3", "valid": 9.0}
    choice = make_choice(store, {("0", 0): report(2), ("0.5", 0): failed, ("1", 0): report(1.5, None)})
    run(choice, store)
    found = read_json(store.outputs(choice)["choice.json"])
    assert found["chosen"] == "0"
    assert "not finite" in found["candidates"][1]["reason"]
    assert found["candidates"][2]["utterances"] == 1


def test_where_all_failed_there_is_a_reason_and_no_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    choice = make_choice(store, {("0", 0): {"status": "failed", "reason": "NaN"}, ("1", 0): {}})
    with pytest.raises(DataError, match="not made yet"):
        chosen_run(choice, store, 0)
    run(choice, store)
    assert chosen_run(choice, store, 0) == (None, "no beta could be chosen: " + _failed(choice))


def _failed(choice: Node) -> str:
    key = choice.parents["0 seed 0"]
    return f"run r0-{key.partition(':')[2]} failed: NaN"


def test_the_figure_of_sweeps_shows_every_value_and_the_chosen(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one = make_choice(store, {("0", 0): report(2, 3), ("0.5", 0): report(3, 3), ("1", 0): report(1, 2)})
    other = make_choice(store, {("0.3", 0): report(2, 2), ("log1p", 0): {"status": "failed", "reason": "NaN"}})
    for choice in (one, other):
        run(choice, store)
    panels = [["beta", {"MSE": one.key}], ["r", {"power": other.key}]]
    spec = {"figure": "sweep", "title": "Sweeps", "by": "PESQ", "panels": panels}
    node = Node("figure", "sweep", spec, {one.key: one.key, other.key: other.key})
    draw(node, store)
    outputs = store.outputs(node)
    assert outputs["figure.png"].read_bytes()[:4] == b"\x89PNG"
    lines = outputs["figure.csv"].read_text().splitlines()
    assert lines[0] == ",".join(HEADER)
    rows = [dict(zip(HEADER, line.split(","), strict=True)) for line in lines[1:]]
    assert [row["value"] for row in rows] == ["0", "0.5", "1", "0.3", "log1p"]
    assert [row["chosen"] for row in rows] == ["0", "1", "0", "1", "0"]
    assert (rows[4]["mean"], "NaN" in rows[4]["reason"]) == ("", True)
    before = outputs["figure.svg"].read_bytes()
    draw(node, store)
    assert outputs["figure.svg"].read_bytes() == before


def test_a_choice_survives_being_frozen(tmp_path: Path) -> None:
    store = Store(tmp_path)
    choice = make_choice(store, {("0", 0): report(2), ("1e-05", 0): report(1)})
    assert yaml.safe_load(store.frozen_path("choice", choice.id).read_text())["spec"]["values"] == ["0", "1e-05"]
    assert store.load(choice.key).spec == choice.spec

"""A new loss by an entry of the configuration alone, by an outside package's entry point, by a dotted path."""

from __future__ import annotations

import json
from pathlib import Path

import outside
from repo import Repo, contents

NEW = ("Stage1(both)", "Stage1(entry point)", "Stage1(path)")


def test_only_the_cells_of_the_new_losses_are_computed(extended: Repo, finished: Repo) -> None:
    jobs = extended.done_jobs()
    assert {rule: jobs.count(rule) for rule in sorted(set(jobs))} == {
        **{"train": 3, "evaluate": 3, "table": 1, "publish": 1}
    }
    before, after = contents(finished.store), contents(extended.store)
    kept = [name for name in before if not name.startswith("tables/tiny-")]
    assert all(after[name] == before[name] for name in kept)


def test_each_is_trained_and_is_a_row_of_the_table(extended: Repo) -> None:
    table = json.loads((extended.place / "quality.json").read_text())
    rows = dict(zip(table["rows"], table["values"], strict=True))
    assert set(NEW) < set(rows)
    for label in NEW:
        assert all(value["ours"] is not None and value["n_ok"] == value["n"] for value in rows[label])
    runs = [json.loads(path.read_text()) for path in extended.folder.glob("results/runs/*/run.json")]
    assert len(runs) == 5
    assert all(run["status"] == "ok" and run["step"] >= 3 for run in runs)
    weights = {path.read_bytes() for path in extended.folder.glob("results/runs/stage1-*/checkpoint.safetensors")}
    assert len(weights) == 4, "another loss, the same weights"


def test_nothing_is_left_to_do(extended: Repo) -> None:
    assert extended.jobs() == []


def test_outside_code_is_identified_by_what_it_does(extended: Repo, tmp_path: Path) -> None:
    repo = extended.copy(tmp_path / "repo")
    outside.put_on_path(repo)
    repo.edit("outside/outside_losses.py", '"""Mean squared error of waveforms."""', '"""Words."""\n    # and more')
    assert repo.jobs() == []
    repo.edit("outside/outside_losses.py", ".abs())", ".abs() * 1.5)")
    assert sorted(repo.jobs()) == sorted(["train", "evaluate", "table", "publish"])
    why = repo.sebench("plan", "--why").out
    assert "Stage1(path)" in why
    assert "loss.item.code:" in why
    assert "Stage1(entry point)" not in why


def test_outside_losses_are_listed_and_shown(extended: Repo) -> None:
    assert "outside_square" in extended.sebench("list", "losses").out
    shown = extended.sebench("show", "loss", "by_entry_point").out
    assert "Mean squared error of waveforms." in shown
    assert "2.0" in shown

"""A sweep through the whole DAG: members are trained, the best by validation is scored, a figure shows them all."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from built_once import built_once
from repo import Repo

from sebench.kinds import KINDS

LOSSES = """\
mixed:
  mix: { magnitude: mag_comp, complex: complex_comp }
  sweep: { beta: [0, 0.4, 1] }
  label: "beta={value}"
"""
STUDY = {
    "grid": [
        {
            "product": {"model": "stage1", "loss": "mixed", "recipe": "supervised"},
            "label": "{loss}",
            "test": "ends",
        }
    ],
    "choices": {"best": {"among": "mixed"}},
    "conditions": {"snr_db": [0]},
    "metrics": ["si_sdr"],
    "select": {"by": "si_sdr"},
    "tables": {
        "quality": {
            "title": "Sweep",
            "type": "matrix",
            "groups": ["magnitude", "complex", "combined"],
            "metrics": ["si_sdr"],
            "matrix": {
                "noisy": {"complex": "Noisy"},
                "Comp": {"magnitude": "beta=0", "complex": "beta=1", "combined": "best"},
            },
        }
    },
    "figures": {
        "sweep": {"type": "sweep", "title": "Beta", "panels": [{"axis": "beta", "curves": ["best"]}]},
        "distributions": {"type": "distributions", "title": "Spectra", "condition": "0 dB"},
        "spectrograms": {
            "title": "The best",
            "condition": "0 dB",
            "panels": [{"label": "Noisy", "source": "noisy"}, {"label": "best", "source": "best"}],
        },
    },
}


pytestmark = pytest.mark.slow  # the planned sweep is in tests/config/test_sweeps.py


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    def build(folder: Path) -> None:
        repo = Repo.create(folder / "repo")
        repo.write("config/losses/mixed.yaml", LOSSES)
        repo.change_study(**STUDY)
        repo.run()

    return Repo(built_once(tmp_path_factory, "swept", build) / "repo")


def test_each_member_is_trained_and_the_ends_and_the_best_are_scored(swept: Repo) -> None:
    jobs = swept.done_jobs()
    assert (jobs.count("train"), jobs.count("choose"), jobs.count("evaluate")) == (3, 1, 3)
    assert swept.jobs() == []


def test_the_best_is_the_run_that_validation_says(swept: Repo) -> None:
    (choice,) = swept.nodes("choice")
    found = json.loads(swept.store.outputs(choice)["choice.json"].read_text())
    reports = {
        run.parents["train"] + str(run.spec["loss"]): json.loads(swept.store.outputs(run)["run.json"].read_text())
        for run in swept.nodes("run")
    }
    assert {entry["mean"] for entry in found["candidates"]} == {report["valid"] for report in reports.values()}
    best = max(found["candidates"], key=lambda entry: entry["mean"])
    assert found["chosen"] == best["value"]
    table = json.loads((swept.place / "quality.json").read_text())
    values = dict(zip((column["name"] for column in table["columns"]), table["values"][1], strict=True))
    if found["chosen"] != "0.4":  # an end: the same weights, the same scores
        end = "magnitude" if found["chosen"] == "0" else "complex"
        assert values["combined/SI-SDR"]["ours"] == values[f"{end}/SI-SDR"]["ours"]
    assert f"best: beta = {found['chosen']}" in " ".join(table["footer"])


def test_the_figures_are_there(swept: Repo) -> None:
    with (swept.place / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["value"] for row in rows] == ["0", "0.4", "1"]
    assert sum(int(row["chosen"]) for row in rows) == 1
    for name in ("sweep", "distributions", "spectrograms"):
        assert (swept.place / f"{name}.png").stat().st_size > 5000


def test_one_changed_value_is_one_run_and_what_follows(swept: Repo, tmp_path: Path) -> None:
    """`sebench plan` and `snakemake -n` agree."""
    repo = swept.copy(tmp_path / "repo")
    repo.edit("config/losses/mixed.yaml", "0.4", "0.6")
    assert sorted(repo.jobs()) == sorted(["train", "choose", "evaluate", "table", "figure", "figure", "publish"])
    told = repo.sebench("plan").out
    assert "cells: 1 new, 2 done" in told
    for kind, count in {"run": 1, "choice": 1, "enhanced": 1, "scores": 1, "table": 1, "figure": 2}.items():
        assert re.search(rf"^  {KINDS[kind].word} +{count} to do of ", told, re.MULTILINE), told
    assert "jobs: 7; submissions: 2 on a cluster" in told

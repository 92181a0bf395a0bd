"""From recordings to tables by one command, and nothing to do afterwards."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from repo import ROWS, Done, Repo, rules_in


def test_every_declared_file_is_there(finished: Repo) -> None:
    plan = finished.plan()
    assert {node.kind for node in plan.nodes.by_key.values()} == {
        *("corpus", "mixtures", "set", "run", "enhanced", "scores", "complexity", "table", "figure", "publication")
    }
    for node in plan.nodes.by_key.values():
        for path in finished.store.outputs(node).values():
            assert path.stat().st_size > 0, path
        if node.kind != "publication":
            assert (finished.store.folder(node) / "provenance.json").exists()


def test_tables_hold_numbers(finished: Repo) -> None:
    table = json.loads((finished.place / "quality.json").read_text())
    assert tuple(table["rows"]) == ROWS
    assert not table["partial"]
    with (finished.place / "quality.csv").open(newline="") as file:
        values = [row["ours"] for row in csv.DictReader(file)]
    assert len(values) == len(ROWS) * 4
    assert all(re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", value) for value in values), values
    assert len(set(values)) > len(ROWS), "every row the same: nothing was enhanced"


def test_the_readable_folder_has_every_format(finished: Repo) -> None:
    marker = finished.store.outputs(finished.plan().publication).values()
    names = {path.name for path in finished.place.iterdir()}
    wanted = {f"{table}.{suffix}" for table in ("quality", "size") for suffix in ("md", "csv", "tex", "json")}
    assert wanted | {f"spectrograms.{suffix}" for suffix in ("png", "svg", "csv")} <= names
    assert {path.name for path in marker} <= names
    assert "\\toprule" in (finished.place / "quality.tex").read_text()
    assert (finished.place / "spectrograms.png").read_bytes()[:4] == b"\x89PNG"
    text = (finished.place / "quality.md").read_text()
    assert "smoke" in text
    assert "si_sdr (dB, higher is better) by sebench si_sdr, version 1" in text


def test_the_noisy_row_is_scored_before_anything_is_trained(first_run: tuple[Repo, Done]) -> None:
    events = re.findall(
        r"^(?:local)?rule (train):|^Finished jobid: \d+ \(Rule: (score_noisy)\)", first_run[1].text, re.M
    )
    order = [start or end for start, end in events]
    assert order == ["score_noisy"] + ["train"] * 2


def test_shared_stage_is_trained_once(first_run: tuple[Repo, Done]) -> None:
    assert rules_in(first_run[1].text).count("train") == 2
    joint = first_run[0].cell("Two-stages(-SISNR+0.02*MSE)")
    assert joint.chain[0].key == first_run[0].cell("Stage1(MSE)").run.key


def test_nothing_to_do_afterwards(finished: Repo) -> None:
    done = finished.snakemake()
    assert done.code == 0, done.text
    assert "Nothing to be done" in done.text
    again = finished.sebench("run")
    assert again.code == 0, again.text
    assert again.out.startswith("planning\nnothing to do")
    for row in ROWS:
        assert row.replace("*", r"\*") in again.out


@pytest.mark.slow
def test_report(repo: Repo, tmp_path: Path) -> None:
    done = repo.snakemake("--report", str(tmp_path / "report.html"))
    assert done.code == 0, done.text
    text = (tmp_path / "report.html").read_text()
    assert "table.md" in text
    assert "figure.png" in text

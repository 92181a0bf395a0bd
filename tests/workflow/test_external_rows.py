"""A model that others trained, in a study that is finished: only its own sets and scores are made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from repo import Repo

sys.path.insert(0, str(Path(__file__).parents[1] / "external"))
from tiny_onnx import write_gain

LABEL = "DNS3 Baseline"


@pytest.mark.slow
def test_an_external_row(repo: Repo, tmp_path: Path) -> None:
    repo.change_study(external={LABEL: "nsnet2"})
    plan = repo.sebench("plan").out
    assert f"left out: {LABEL}: the file of the external model 'nsnet2' is not there" in plan
    assert "or the variable SEBENCH_NSNET2" in plan
    done = repo.run()
    assert {"train", "evaluate"}.isdisjoint(repo.done_jobs())
    assert "nsnet2-20ms-baseline.onnx" in done.out

    repo.environment["SEBENCH_NSNET2"] = str(write_gain(tmp_path / "net.onnx", slope=1.0, offset=3.0))
    assert sorted(set(repo.jobs())) == ["evaluate", "publish", "table"]
    done = repo.run()
    jobs = repo.done_jobs()
    assert (jobs.count("evaluate"), jobs.count("train")) == (1, 0)
    markdown = (repo.place / "quality.md").read_text()
    line = next(line for line in markdown.splitlines() if line.startswith(f"| {LABEL} "))
    assert any(character.isdigit() for character in line.removeprefix(f"| {LABEL} "))
    assert "External models: DNS3 Baseline: onnx_gain, file with SHA-256" in markdown

    # Where the file lies makes nothing new.
    moved = (tmp_path / "net.onnx").rename(tmp_path / "moved.onnx")
    repo.environment["SEBENCH_NSNET2"] = str(moved)
    assert repo.jobs() == []

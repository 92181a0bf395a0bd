"""The study of PESQNet from end to end at its smallest: five stages, a predictor, tables of agreement."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from repo import Repo, assert_same, contents

from sebench.config.load import load_config
from sebench.files import read_json
from sebench.plan.build import build_plan


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_alpha_alone_is_trained_again(tmp_path: Path) -> None:
    """Its checkpoint is lost: its last stage is trained again, to the same bytes, and nothing else."""
    repo = Repo.create(tmp_path / "repo")
    command = ("run", "pesqnet", "--corpus", "builtin", "-c", "2")
    made = repo.sebench(*command, timeout=1500)
    assert made.code == 0, made.text
    plan = build_plan(load_config(repo.config), "pesqnet", "smoke", "builtin", repo.store)
    assert len(plan.nodes.of_kind("run")) == 7
    for name in ("table1", "table3"):
        table = read_json(repo.store.outputs(plan.tables[name])["table.json"])
        assert any(value["ours"] is not None for row in table["values"] for value in row)
    before = contents(repo.store)

    run = next(planned.run for planned in plan.cells if planned.cell.label == "FCRN/PESQNet alpha=1")
    shutil.rmtree(repo.store.folder(run))
    shutil.rmtree(repo.store.state(run))
    again = repo.sebench(*command, timeout=600)
    assert again.code == 0, again.text
    assert repo.done_jobs() == ["train"]
    assert_same(contents(repo.store), before)

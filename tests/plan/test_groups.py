"""What a cluster is sent: short jobs together, each of which can still be alone."""

from __future__ import annotations

from pathlib import Path

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.plan.build import build_plan
from sebench.plan.groups import group, submissions
from sebench.plan.plan import Plan

SHIPPED = Path(__file__).parents[2] / "config"


def two_stage(tmp_path: Path) -> Plan:
    return build_plan(load_config(SHIPPED), "two_stage", "smoke", "builtin", Store(tmp_path / "r"))


def test_the_study_is_a_submission_a_run_and_a_set(tmp_path: Path) -> None:
    plan = two_stage(tmp_path)
    runs, sets = (len(plan.nodes.of_kind(kind)) for kind in ("run", "set"))
    find = plan.nodes.by_key.__getitem__
    # a corpus; a set with its plan; the noisy scores; a run; its evaluation; the complexities
    assert submissions(plan.nodes.by_key.values(), find, 100) == 1 + sets + 1 + runs + runs + 1
    conditions, models = len(plan.conditions), len(plan.nodes.of_kind("complexity"))
    assert submissions(plan.nodes.by_key.values(), find, 1) == 1 + sets + conditions + runs + runs * conditions + models


def test_one_missing_score_is_one_submission(tmp_path: Path) -> None:
    plan = two_stage(tmp_path)
    cell = plan.cells[0]
    find = plan.nodes.by_key.__getitem__
    assert submissions([cell.scores["snr0"]], find, 100) == 1
    assert submissions([cell.enhanced["snr0"], cell.scores["snr0"]], find, 1) == 1, "one connected part"


def test_an_evaluation_belongs_to_its_run_alone(tmp_path: Path) -> None:
    plan = two_stage(tmp_path)
    find = plan.nodes.by_key.__getitem__
    names = set()
    for cell in plan.cells:
        found = {group(node, find) for node in (*cell.enhanced.values(), *cell.scores.values())}
        assert len(found) == 1
        names |= found
    assert len(names) == len(plan.nodes.of_kind("run"))
    assert all(group(run, find) is None for run in plan.nodes.of_kind("run"))

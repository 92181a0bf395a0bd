"""A plan is made of finished phases: each has all nodes that it speaks of, and what they are made from."""

from __future__ import annotations

import itertools
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config.entries import Config
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan.build import plan_asked
from sebench.plan.displays import plan_shown
from sebench.plan.evaluations import plan_evaluations, plan_runs
from sebench.plan.plan import Asked
from sebench.plan.sets import plan_sets

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(ROOT / "config")


@pytest.fixture(params=["braun_losses", "pesqnet", "two_stage"])
def phases(request: pytest.FixtureRequest, config: Config, tmp_path: Path) -> list[Asked]:
    asked = plan_asked(config, request.param, "smoke", "builtin")
    sets = plan_sets(config, asked, Store(tmp_path))
    runs = plan_runs(config, sets)
    evaluations = plan_evaluations(config, runs)
    return [asked, sets, runs, evaluations, plan_shown(config, evaluations)]


def test_each_phase_has_the_parents_of_its_nodes_before_them(phases: list[Asked]) -> None:
    for phase in phases:
        seen: set[str] = set()
        for key, node in phase.nodes.by_key.items():
            assert seen.issuperset(node.parents.values()), f"{type(phase).__name__}: {node.stem}"
            seen.add(key)


def test_a_phase_adds_nodes_and_changes_none(phases: list[Asked]) -> None:
    for before, after in itertools.pairwise(phases):
        assert set(before.nodes.by_key) <= set(after.nodes.by_key)
        assert type(before) is not type(after)
    added = [
        {node.kind for key, node in after.nodes.by_key.items() if key not in before.nodes.by_key}
        for before, after in itertools.pairwise(phases)
    ]
    assert added[0] <= {"corpus", "mixtures", "set", "scores", "separation"}
    assert added[1] <= {"run", "choice", "complexity"}
    assert added[2] <= {"enhanced", "scores", "predictions"}
    assert added[3] == {"table", "figure", "publication"}


def test_a_phase_is_finished_when_it_exists(phases: list[Asked]) -> None:
    for phase in phases:
        for field in fields(phase):
            with pytest.raises(FrozenInstanceError):
                setattr(phase, field.name, None)


def test_all_wrong_names_that_are_asked_for_are_told_at_once(config: Config) -> None:
    with pytest.raises(ConfigError) as error:
        plan_asked(config, "two_stag", "smok", "builtn")
    found = [(problem.key, problem.nearest) for problem in error.value.problems]
    assert found == [("study", "two_stage"), ("scale", "smoke"), ("corpus", "builtin")]

"""A kind of stage from outside: it plans, trains and publishes, with no edit inside sebench."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_runs import make_run

from sebench.artefacts import Store
from sebench.config import items
from sebench.config.facts import STAGE
from sebench.config.load import load_config
from sebench.enhancement.load import load_model
from sebench.errors import ConfigError
from sebench.files import read_json
from sebench.plan.build import build_plan
from sebench.training import step

CONFIG = Path(__file__).parents[2] / "config"
KIND = "outside_stage_kinds:Adversarial"
SOURCE = """
from typing import Annotated

from annotated_types import Ge
from sebench.stages.supervised import Supervised


class Adversarial(Supervised):
    '''One more step of the same.'''

    name = "adversarial"

    def __init__(self, *, strength: Annotated[float, Ge(0)] = 1.0) -> None:
        self.strength = strength
"""
RECIPE = "r:\n  stages:\n    - name: train\n      kind: outside_stage_kinds:Adversarial\n"
STUDY = (
    "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
    "    - product: { model: stage1, loss: mag_mse, recipe: r }\n"
    "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n"
)


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "outside_stage_kinds.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(CONFIG, tmp_path / "config")
    (tmp_path / "config" / "studies" / "x.yaml").write_text(STUDY)
    return tmp_path / "config"


def planned(folder: Path, more: str = ""):
    (folder / "recipes" / "x.yaml").write_text(RECIPE + more)
    plan = build_plan(load_config(folder, strict=False), "s", "smoke", None, Store(folder.parent / "results"))
    return plan.nodes.of_kind("run")[0]


def test_it_is_planned_with_its_parameters_and_its_code(folder: Path) -> None:
    run = planned(folder, "      strength: 2\n")
    assert run.spec["stage"]["kind"] == KIND
    assert run.spec["stage"]["strength"] == 2.0
    assert run.spec["code"] == items.get(STAGE, KIND).code
    assert run.spec["version"] == items.get(STAGE, "supervised").facts.version
    assert run.id != planned(folder).id


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("strength: -1", "x.yaml:5: r.stages.0.strength: found -1; accepted: a number at least 0"),
        ("strenght: 1", "x.yaml:5: r.stages.0.strenght: unknown key 'strenght'"),
        ("labels: pesqc2", "x.yaml:5: r.stages.0.labels: `labels` belongs to a stage of kind alternating or predictor"),
    ],
)
def test_its_parameters_are_checked(folder: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(folder, f"      {line}\n")
    assert told in str(caught.value)


def test_it_trains_and_publishes_as_the_kind_that_it_is_derived_from(tmp_path: Path) -> None:
    stores = [Store(tmp_path / name) for name in ("own", "derived")]
    runs = [make_run(stores[0]), make_run(stores[1], kind=KIND, strength=1.0)]
    for run, store in zip(runs, stores, strict=True):
        step.run(run, store)
    own, derived = (store.outputs(run) for run, store in zip(runs, stores, strict=True))
    assert read_json(derived["run.json"]) == read_json(own["run.json"])
    assert derived["checkpoint.safetensors"].read_bytes() == own["checkpoint.safetensors"].read_bytes()
    load_model(derived["checkpoint.safetensors"])

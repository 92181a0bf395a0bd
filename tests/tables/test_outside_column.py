"""A kind of column from another package: one file, nothing to change in sebench."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config import items
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.files import write_json
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan
from sebench.tables.step import build_table

SHIPPED = Path(__file__).parents[2] / "config"
SOURCE = '''
"""A column from outside."""

from pydantic import Field

from sebench.columns.base import ColumnKind
from sebench.config.columns import ColumnLayout, OwnColumn
from sebench.files import read_json
from sebench.tables.table import Value


class StepsLayout(ColumnLayout):
    per: int = Field(1, ge=1, description="how many steps are one")


class StepsColumn(OwnColumn):
    per: int


class Steps(ColumnKind[StepsLayout, StepsColumn]):
    """How many training steps a row's networks had."""

    layout = StepsLayout
    spec = StepsColumn

    def resolve(self, layout):
        return StepsColumn(name=layout.column, per=layout.per, reads=("run",), digits=1, higher_is_better=False)

    def value(self, reader, row, column, paper):
        roles = [cell.run for cell in row.cells if cell.run]
        if not roles:
            return Value(paper=paper, reason="not trained here")
        runs = [reader.store.parent(reader.node, role) for role in roles]
        counts = [read_json(reader.store.outputs(run)["run.json"])["steps"] / column.per for run in runs]
        return Value(ours=sum(counts) / len(counts), paper=paper, seeds=len(counts))
'''
STUDY = """
s:
  title: t
  corpus: builtin
  mixing: two_stage
  grid:
    - product: { model: stage1, loss: [mag_mse, neg_si_snr], recipe: supervised }
  metrics: [si_sdr]
  conditions: { snr_db: [0, 5] }
  tables:
    training:
      title: Training
      type: metrics
      metrics: [si_sdr]
      columns:
        - { column: Steps, type: TYPE, per: 10 }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration, with a package that registers the kind, as pip leaves one."""
    site = tmp_path / "site"
    facts = site / "of_columns-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: of-columns\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[sebench.columns]\nsteps = of_columns:Steps\n")
    (site / "of_columns.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    items.registered.cache_clear()
    yield Path(shutil.copytree(SHIPPED, tmp_path / "config"))
    items.registered.cache_clear()


def planned(folder: Path, text: str) -> Plan:
    (folder / "studies" / "x.yaml").write_text(text)
    return build_plan(load_config(folder), "s", "smoke", "builtin", Store(folder / "results"))


@pytest.mark.parametrize("name", ["steps", "of_columns:Steps"])
def test_it_is_planned_and_filled_like_any_other(folder: Path, tmp_path: Path, name: str) -> None:
    plan = planned(folder, STUDY.replace("TYPE", f'"{name}"'))
    node = plan.tables["training"]
    column = node.spec["columns"][-1]
    assert (column["kind"], column["code"]) == ("of_columns:Steps", items.get("column", name).code)
    assert {cell.run.key for cell in plan.cells} <= set(node.parents.values())
    store = Store(tmp_path / "results")
    for each in plan.nodes.by_key.values():
        store.freeze(each)
    for place, cell in enumerate(plan.cells):
        write_json(store.outputs(cell.run)["run.json"], {"status": "ok", "steps": 100 + 5 * place})
    table = build_table(node, store, partial=True)
    values = {row: value for row, column, value in table.cells() if column.name == "Steps"}
    assert [value.ours for value in values.values()] == [None, 10.0, 10.5]
    assert values["Noisy"].reason == "not trained here"
    assert [value.best for value in values.values()] == [False, True, False]


def test_what_it_does_not_know_is_told_with_line_and_key(folder: Path) -> None:
    text = STUDY.replace("TYPE", "steps")
    at = "s.tables.training.columns.0"
    wrong = [
        (text.replace("per: 10", "per: ten"), f"x.yaml:16: {at}.per: found 'ten'; accepted: a whole number"),
        (text.replace("per: 10", "pre: 10"), f"x.yaml:16: {at}.pre: unknown key 'pre'; accepted: type, column, per"),
        (text.replace("type: steps", "type: stepz"), f"x.yaml:16: {at}.type: no column 'stepz'"),
        (text.replace("type: steps", "type: score"), f"x.yaml:16: {at}.type: `layout` of sebench.columns.score:Score"),
    ]
    for changed, told in wrong:
        with pytest.raises(ConfigError) as error:
            planned(folder, changed)
        assert told in str(error.value)

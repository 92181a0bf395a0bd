"""A kind of figure from another package: one file, nothing to change in sebench."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from sebench.artefacts import Node, Store
from sebench.config import items
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.figures.step import run
from sebench.files import write_parquet
from sebench.plan.build import build_plan
from sebench.plan.outside import outside_code
from sebench.plan.plan import Plan

SHIPPED = Path(__file__).parents[2] / "config"
SOURCE = '''
"""A figure from outside."""

from pydantic import Field

from sebench.config.base import Text
from sebench.config.figures import FigureLayout, FigureSpec
from sebench.figures.base import FigureKind
from sebench.files import read_parquet


class SizesLayout(FigureLayout):
    conditions: list[Text] = Field(min_length=1, description="whose sets are counted")
    scale: float = Field(1.0, gt=0, description="of the bars")


class SizesSpec(FigureSpec):
    sets: dict[str, str]
    scale: float


class Plain:
    """No kind of figure."""


class Sizes(FigureKind[SizesLayout, SizesSpec]):
    """How many mixtures each condition has."""

    layout = SizesLayout
    spec = SizesSpec

    def mistakes(self, layout, there, unknown):
        for place, name in enumerate(layout.conditions):
            yield from unknown(("conditions", place), "condition", name, there.sets)

    def resolve(self, layout, there):
        sets = {name: there.sets[name] for name in layout.conditions}
        return SizesSpec(title=layout.title, sets=sets, scale=layout.scale), {key: key for key in sets.values()}

    def make(self, node, store, spec):
        from matplotlib.figure import Figure

        paths = {name: store.outputs(store.parent(node, role))["index.parquet"] for name, role in spec.sets.items()}
        counts = {name: len(read_parquet(path)) for name, path in paths.items()}
        figure = Figure()
        figure.subplots().bar(list(counts), [spec.scale * count for count in counts.values()])
        return figure, "".join(f"{name},{count}\\n" for name, count in counts.items())
'''
STUDY = """
s:
  title: t
  corpus: builtin
  mixing: two_stage
  grid:
    - product: { model: stage1, loss: mag_mse, recipe: supervised }
  metrics: [si_sdr]
  conditions: { snr_db: [0, 5] }
  figures:
    sizes:
      title: Sizes
      type: TYPE
      conditions: [0 dB, 5 dB]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration, with a package that registers the kind, as pip leaves one."""
    site = tmp_path / "site"
    facts = site / "of_figures-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: of-figures\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[sebench.figures]\nsizes = of_figures:Sizes\n")
    (site / "of_figures.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    items.registered.cache_clear()
    yield Path(shutil.copytree(SHIPPED, tmp_path / "config"))
    items.registered.cache_clear()


def planned(folder: Path, text: str) -> Plan:
    (folder / "studies" / "x.yaml").write_text(text)
    return build_plan(load_config(folder), "s", "smoke", "builtin", Store(folder / "results"))


@pytest.mark.parametrize("name", ["sizes", "of_figures:Sizes"])
def test_it_is_planned_and_made_like_any_other(folder: Path, tmp_path: Path, name: str) -> None:
    plan = planned(folder, STUDY.replace("TYPE", f'"{name}"'))
    node = plan.figures["sizes"]
    assert node.spec["figure"] == "of_figures:Sizes"
    assert node.spec["code"] == items.get("figure", name).code
    assert node.spec["scale"] == 1.0
    assert set(node.parents.values()) == {condition.node.key for condition in plan.conditions.values()}
    assert any("of_figures.py" in line for line in outside_code(plan.nodes.by_key.values()))
    store = Store(tmp_path / "results")
    for each in plan.nodes.by_key.values():
        store.freeze(each)
    for count, condition in enumerate(plan.conditions.values(), 3):
        write_parquet(store.outputs(condition.node)["index.parquet"], pd.DataFrame({"mixture": range(count)}))
    run(node, store)
    assert store.outputs(node)["figure.csv"].read_text() == "0 dB,3\n5 dB,4\n"
    assert store.outputs(node)["figure.png"].read_bytes().startswith(b"\x89PNG")


def test_what_it_does_not_know_is_told_with_line_and_key(folder: Path) -> None:
    text = STUDY.replace("TYPE", "sizes")
    wrong = [
        (text.replace("5 dB]", "7 dB]"), ["x.yaml:14", "s.figures.sizes.conditions.1: no condition '7 dB'"]),
        (text + "      scale: wide\n", ["x.yaml:15", "s.figures.sizes.scale: found 'wide'; accepted: a number"]),
        (text + "      scall: 1\n", ["x.yaml:15", "unknown key 'scall'", "did you mean 'scale'?"]),
        (text.replace("type: sizes", "type: sises"), ["x.yaml:13", "no figure 'sises'", "did you mean 'sizes'?"]),
        (
            text.replace("type: sizes", "type: 'of_figures:Plain'"),
            ["x.yaml:13", "`layout` of of_figures:Plain"],
        ),
        (text.replace("type: sizes", "type: 'nowhere:X'"), ["x.yaml:13", "module 'nowhere' cannot be imported"]),
        (text.replace("      title: Sizes\n", ""), ["s.figures.sizes.title: required and absent"]),
    ]
    for changed, told in wrong:
        with pytest.raises(ConfigError) as error:
            planned(folder, changed)
        for part in told:
            assert part in str(error.value), (part, str(error.value))


def test_a_changed_kind_makes_a_new_figure_and_the_old_one_is_not_made_with_it(folder: Path, tmp_path: Path) -> None:
    plan = planned(folder, STUDY.replace("TYPE", "sizes"))
    node = plan.figures["sizes"]
    other = Node("figure", node.name, {**node.spec, "code": "0" * 16}, node.parents)
    with pytest.raises(items.ItemError, match="the code changed since this was planned"):
        run(other, Store(tmp_path / "results"))

"""However much a name would say, it stays below the 255 bytes that file systems allow."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from sebench.artefacts import Node, Store
from sebench.config import items
from sebench.config.facts import LOSS
from sebench.config.load import load_config
from sebench.plan.build import build_plan
from sebench.plan.nodes import mixtures_node, set_node
from sebench.plan.plan import Plan

ROOT = Path(__file__).parents[2]
LONG = "x" * 48


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A sum of every loss, under the longest names that are allowed."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    losses = [name for name, item in items.registry(LOSS).items() if not item.facts.uses and not item.facts.needs_views]
    losses = [name for name in losses if not any(p.required for p in items.registry(LOSS)[name].params.values())]
    parts = {f"c{i}": {"type": "component_clean", "params": {"weight": 0.1 + i / 100}} for i in range(12)}
    everything = {"sum": dict.fromkeys([*losses, *parts], 0.1), "label": "größe " * 100}
    (folder / "losses" / "big.yaml").write_text(yaml.safe_dump({**parts, LONG: everything}))
    study = {
        "title": "x",
        "corpus": {f"role{i}": f"{i}{LONG[1:]}" for i in range(5)},
        "mixing": "two_stage",
        "grid": [{"product": {"model": "stage1", "loss": [LONG], "recipe": LONG}}],
        "conditions": {"snr_db": [0]},
        "metrics": ["si_sdr"],
        "tables": {LONG: {"title": "t", "type": "conditions", "metric": "si_sdr"}},
        "figures": {},
    }
    recipe = {"stages": [{"name": "only", "data": "role0"}]}
    scale = yaml.safe_load((folder / "scales" / "scales.yaml").read_text())["smoke"]
    (folder / "corpora" / "long.yaml").write_text(
        yaml.safe_dump({name: {"type": "builtin"} for name in study["corpus"].values()})
    )
    for section, entry in (("studies", study), ("recipes", recipe), ("scales", scale)):
        (folder / section / "long.yaml").write_text(yaml.safe_dump({LONG: entry}))
    return build_plan(load_config(folder), LONG, LONG, None, Store(tmp_path / "results"))


def test_every_folder_and_log_has_a_name_that_fits(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for node in plan.nodes.by_key.values():
        name = store.folder(node).name
        assert len(f"{name}-{node.id}.log".encode()) <= 255
        assert re.fullmatch(r"[A-Za-z0-9_.+-]+", name)
        (tmp_path / f"{name}-{node.id}.log").touch()
    assert len(plan.cells[0].run.name) > 100


def test_a_cut_name_is_the_same_in_every_plan(plan: Plan) -> None:
    run = plan.cells[0].run
    assert run.name.endswith("-s0")
    assert run.stem == Node("run", run.name, run.spec, run.parents).stem


@pytest.mark.parametrize("part", ["real/no reverb", "ä" * 200, "$(touch X)", "-test5-"])
def test_a_published_set_of_any_name_has_a_folder(part: str) -> None:
    corpus = Node("corpus", "folder", {})
    rendered = set_node(mixtures_node(corpus, {}, "test", 4, None, part), 16000)
    assert re.fullmatch(r"folder-test4-[A-Za-z0-9_.+-]{1,48}-16k-[0-9a-f]{10}", rendered.stem)

"""What a footer says is what the nodes behind the table are."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan

ROOT = Path(__file__).parents[2]
STUDIES = [path.stem for path in (ROOT / "config" / "studies").glob("*.yaml")]


def count(made: Plan, rendered: str) -> int:
    return int(made.nodes[made.nodes[rendered].parents["mixtures"]].spec["count"])


def numbers(text: str) -> set[int]:
    return {int(word) for word in re.findall(r"\d+", text)}


def check(made: Plan) -> dict[str, Any]:
    """Hold the footer's sentences to the nodes; returns it."""
    footer = dict(next(iter(made.tables.values())).spec["footer"])
    runs = made.nodes.of_kind("run")
    trained, _, rest = footer["amounts"].partition(" training mixtures, ")
    assert numbers(trained) == {count(made, run.parents["train"]) for run in runs}
    tested = re.search(r", ([\d or]+) test mixtures per condition$", rest)
    assert tested is not None
    assert numbers(tested[1]) == {count(made, node.key) for node in made.conditions.values()}
    seeds = re.search(r", ([\d or]+) seeds?, ", rest)
    assert seeds is not None
    by_label: dict[str, set[int]] = {}
    for planned in made.cells:
        by_label.setdefault(planned.cell.label, set()).add(planned.run.spec["seed"])
    assert numbers(seeds[1]) == {len(found) for found in by_label.values()}
    valid = re.search(r"([\d or]+) utterances of the validation split", footer["selection"])
    assert valid is not None
    assert numbers(valid[1]) == {count(made, run.parents["valid"]) for run in runs}
    chains = {(c.cell.recipe, " + ".join(str(run.spec["stage"]["steps"]) for run in c.chain)) for c in made.cells}
    told = {
        (recipe, chain)
        for entry in footer["steps"].split("; ")
        for recipe, _, found in [entry.partition(" ")]
        for chain in found.split(" or ")
    }
    assert told == chains
    assert set(footer["corpus ids"].split(", ")) == {node.id for node in made.nodes.of_kind("corpus")}
    if "test SNRs at this scale" in footer:
        snrs = {made.nodes[node.parents["mixtures"]].spec["snr_db"] for node in made.conditions.values()}
        assert {float(word) for word in re.findall(r"-?[\d.]+", footer["test SNRs at this scale"])} <= snrs
    return footer


def study(folder: Path, **changes: Any) -> Plan:
    """The two-stage study with a changed entry."""
    (path,) = (folder / "studies").glob("two_stage.yaml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    entry = content["two_stage"]
    for block in entry["grid"]:
        block["product" if "product" in block else "zip"].update(changes.get("axes", {}))
    for scale, amounts in changes.get("scales", {}).items():
        entry.setdefault("scales", {}).setdefault(scale, {}).update(amounts)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return build_plan(load_config(folder), "two_stage", "smoke", "builtin", Store(folder.parent / "results"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "config", tmp_path / "config"))


@pytest.mark.parametrize("scale", ["smoke", "paper"])
def test_every_shipped_study(tmp_path: Path, scale: str) -> None:
    config = load_config(ROOT / "config")
    for name in STUDIES:
        check(build_plan(config, name, scale, "builtin", Store(tmp_path)))


def test_seeds_of_the_grid_count(folder: Path) -> None:
    assert ", 2 seeds, " in check(study(folder, axes={"seed": [1, 2]}))["amounts"]


def test_seeds_of_the_scale_count(folder: Path) -> None:
    assert ", 3 seeds, " in check(study(folder, scales={"smoke": {"seeds": 3}}))["amounts"]


def test_a_length_that_nothing_has_is_not_told(folder: Path) -> None:
    """A mixing's own limit is the shorter one."""
    own = {"smoke": {"max_seconds": 2.0}}
    assert check(study(folder, scales=own))["utterances at this scale"] == "the first 2 s"
    path = folder / "mixing" / "two_stage.yaml"
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))
    entry["two_stage"]["max_seconds"] = 1.5
    path.write_text(yaml.safe_dump(entry, sort_keys=False), encoding="utf-8")
    assert "utterances at this scale" not in check(study(folder, scales=own))

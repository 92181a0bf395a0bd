"""What a footer says is what the nodes behind its table are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sebench.artefacts import Node, Store
from sebench.config.load import load_config
from sebench.plan import nodes as make
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan

ROOT = Path(__file__).parents[2]
STUDIES = [path.stem for path in (ROOT / "config" / "studies").glob("*.yaml")]


def behind(made: Plan, table: str) -> dict[str, Node]:
    """Everything that a table was made from."""
    found: dict[str, Node] = {}

    def add(node: Node) -> None:
        for key in node.parents.values():
            found[key] = made.nodes[key]
            add(made.nodes[key])

    add(made.tables[table])
    return found


def runs(made: Plan, table: str) -> list[Node]:
    return [node for node in behind(made, table).values() if node.kind == "run"]


def mixtures(made: Plan, rendered: str) -> Node:
    return made.nodes[made.nodes[rendered].parents["mixtures"]]


def numbers(text: str) -> set[float]:
    return {float(word) for word in re.findall(r"-?\d[\d.]*(?:e-\d+)?", text)}


def told(made: Plan, table: str) -> dict[str, str]:
    footer: dict[str, str] = made.tables[table].spec["footer"]
    return footer


def check(made: Plan, table: str) -> None:
    """Hold the sentences of one footer to the nodes."""
    footer, nodes = told(made, table), behind(made, table)
    trained = runs(made, table)
    stages = [run.spec["stage"] for run in trained]
    corpora = {node.id for node in nodes.values() if node.kind == "corpus"}
    assert set(filter(None, footer.get("corpus ids", "").split(", "))) == corpora
    for kind in ("model", "predictor"):
        for item in (node.spec[kind] for node in nodes.values() if kind in node.spec):
            (said,) = re.findall(rf"(?:^|; ){item['type']}(?: \((.*?)\))?(?=;|$)", footer["networks"])
            for param in filter(None, re.split(r", (?=\w+=)", said)):
                name, _, value = param.partition("=")
                assert str(item["params"][name]) == value
    tests = {node.parents["set"] for node in nodes.values() if node.kind in ("scores", "predictions")}
    snrs = {mixtures(made, key).spec["snr_db"] for key in tests} - {None}
    assert numbers(footer.get("test SNRs", "")) == snrs
    if tests:
        counted = re.search(r"([\d or]+) test mixtures per condition$", footer["amounts"])
        assert counted is not None
        assert numbers(counted[1]) == {mixtures(made, key).spec["count"] for key in tests}
    if not trained:
        assert not {"selection", "steps", "learning rates", "schedules", "sweeps"} & set(footer)
        return
    used, _, _ = footer["amounts"].partition(" training mixtures, ")
    assert numbers(used) == {
        run.spec["stage"].get("mixtures", mixtures(made, run.parents["train"]).spec["count"]) for run in trained
    }
    assert f"steps of {stages[0]['batch_size']} " in footer["amounts"]
    assert {stage["batch_size"] for stage in stages} == {stages[0]["batch_size"]}
    valid = re.search(r"([\d or]+) utterances of the validation split", footer["selection"])
    assert valid is not None
    assert numbers(valid[1]) == {mixtures(made, run.parents["valid"]).spec["count"] for run in trained}
    assert {int(n) for n in re.findall(r"\b\d+\b", footer["steps"])} == {stage["steps"] for stage in stages}
    optimisers = [stage[key] for stage in stages for key in ("optimiser", "predictor_optimiser") if key in stage]
    rates = "; ".join(entry.partition(" ")[2] for entry in footer["learning rates"].split("; "))
    assert numbers(rates) == {float(f"{optimiser['lr']:g}") for optimiser in optimisers}
    for stage in stages:
        assert stage["schedule"]["type"] in footer["schedules"]
        for key, types in (("warmup_steps", ("cosine",)), ("patience", ("halve_on_plateau",))):
            if stage["schedule"]["type"] in types:
                assert f"{key} {stage['schedule'][key]}" in footer["schedules"]


@pytest.mark.parametrize("scale", ["smoke", "demo", "paper"])
def test_every_table_of_every_shipped_study(tmp_path: Path, scale: str) -> None:
    config = load_config(ROOT / "config")
    for name in STUDIES:
        made = build_plan(config, name, scale, "builtin", Store(tmp_path))
        for table in made.tables:
            check(made, table)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "config", tmp_path / "config"))


def edited(folder: Path, file: str, edit: Callable[[Any], None]) -> None:
    path = folder / file
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def planned(folder: Path, study: str) -> Plan:
    return build_plan(load_config(folder), study, "smoke", "builtin", Store(folder.parent / "results"))


def at_smoke(**amounts: Any) -> Callable[[Any], None]:
    """An edit of a study: what it changes of the scale smoke."""

    def edit(content: Any) -> None:
        (entry,) = content.values()
        entry.setdefault("scales", {}).setdefault("smoke", {}).update(amounts)

    return edit


def of_stage(**keys: Any) -> Callable[[Any], None]:
    """An edit of the recipes: keys of the only stage of `supervised`."""
    return lambda content: content["supervised"]["stages"][0].update(keys)


TWO, PESQNET, BRAUN = ("studies/two_stage.yaml", "studies/pesqnet.yaml", "studies/braun_losses.yaml")
RECIPES = "recipes/recipes.yaml"

#: What is changed -> file, edit, table, key of the footer, what it then says, and where the first run's node has it.
CHANGES: dict[str, tuple[str, Callable[[Any], None], str, str, str, tuple[Any, ...]]] = {
    "rate of the recipe": (
        RECIPES, of_stage(optimiser={"lr": 0.007}), "proposed_loss", "learning rates", "supervised 0.007",
        ("stage", "optimiser", "lr", 0.007),
    ),
    "rate at a scale": (
        TWO, at_smoke(lr_factor=0.5), "proposed_loss", "learning rates", "supervised 0.002",
        ("stage", "optimiser", "lr", 0.002),
    ),
    "width of the entry": (
        "models/two_stage.yaml", lambda found: found["stage1"]["params"].update(hidden=12), "proposed_loss", "networks",
        "stage1 (hidden=12)", ("model", "params", "hidden", 12),
    ),
    "width at a scale": (
        TWO, at_smoke(models={"stage1": {"hidden": 12}}), "proposed_loss", "networks", "stage1 (hidden=12)",
        ("model", "params", "hidden", 12),
    ),
    "batch": (
        TWO, at_smoke(batch_size=3), "pesq", "amounts",
        "8 training mixtures, steps of 3 x 1 s, 1 seed, 2 test mixtures per condition", ("stage", "batch_size", 3),
    ),
    "seconds": (
        TWO, at_smoke(segment_seconds=0.5), "pesq", "amounts",
        "8 training mixtures, steps of 2 x 0.5 s, 1 seed, 2 test mixtures per condition",
        ("stage", "segment_seconds", 0.5),
    ),
    "steps": (
        TWO, at_smoke(steps=40), "pesq", "steps", "supervised 40; two_stage_joint 40 + 60", ("stage", "steps", 40),
    ),
    "schedule": (
        RECIPES, of_stage(schedule={"type": "linear_decay", "final_factor": 0.1}), "proposed_loss", "schedules",
        "supervised linear_decay (final_factor 0.1)", ("stage", "schedule", "final_factor", 0.1),
    ),
    "warm-up of a scale": (
        TWO, at_smoke(warmup_steps=3), "proposed_loss", "schedules",
        "supervised cosine (warmup_steps 3, final_factor 0.02)", ("stage", "schedule", "warmup_steps", 3),
    ),
    "patience": (
        PESQNET, at_smoke(stages={"pretrain_fcrn": {"patience": 3}}), "table1", "schedules",
        "pesqnet halve_on_plateau (patience 3, stop_lr 1e-05) + halve_on_plateau (patience 5, stop_lr 1e-05)",
        ("stage", "schedule", "patience", 3),
    ),
    "validations": (
        TWO, at_smoke(validations=1), "proposed_loss", "selection",
        "best of 1 validation by pesq_nb on 2 utterances of the validation split; the test split is never looked at "
        "before scoring", ("stage", "validate_every", 4),
    ),
    "selection": (
        TWO, lambda found: found["two_stage"].update(select={"by": "dnsmos_sig"}), "proposed_loss", "selection",
        "best of 2 validations by dnsmos_p835 (score=sig) on 2 utterances of the validation split; the test split is "
        "never looked at before scoring", ("stage", "validate_by", "metric", "params", "score", "sig"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_entry_is_told_as_the_nodes_have_it(folder: Path, what: str) -> None:
    file, edit, table, key, text, (*place, value) = CHANGES[what]
    study = "pesqnet" if table == "table1" else "two_stage"
    assert told(planned(folder, study), table)[key] != text
    edited(folder, file, edit)
    made = planned(folder, study)
    check(made, table)
    assert told(made, table)[key] == text
    found: Any = next(run for run in made.nodes.of_kind("run") if run.key in behind(made, table)).spec
    for name in place:
        found = found[name]
    assert found == value


@pytest.mark.parametrize(
    ("own", "key", "text"),
    [
        ({"optimiser": {"lr": 0.5}}, "learning rates", "supervised 0.5"),
        ({"steps": 77, "validate_every": 7}, "steps", "supervised 77"),
        ({"schedule": {"type": "cosine", "warmup_steps": 9, "final_factor": 0}}, "schedules",
         "supervised cosine (warmup_steps 9)"),
        ({"batch_size": 5, "segment_seconds": None, "mixtures": 6}, "amounts",
         "6 training mixtures, steps of 5 whole utterances of at most 6 s, 1 seed, 2 test mixtures per condition"),
        ({"validate_by": "loss", "keep": "last"}, "selection", "last of 2 validations by loss on 2 utterances of the "
         "validation split; the test split is never looked at before scoring"),
    ],
)  # fmt: skip
def test_the_node_alone_decides(
    folder: Path, monkeypatch: pytest.MonkeyPatch, own: dict[str, Any], key: str, text: str
) -> None:
    """Nodes that are not what the configuration says: a footer tells what they are."""
    as_configured = make.stage_spec
    monkeypatch.setattr(make, "stage_spec", lambda *args: as_configured(*args).model_copy(update=own))
    assert told(planned(folder, "two_stage"), "proposed_loss")[key] == text


def test_a_table_tells_of_its_own_rows(folder: Path) -> None:
    made = planned(folder, "two_stage")
    assert "two_stage_joint" in told(made, "pesq")["steps"]
    assert told(made, "proposed_loss")["steps"] == "supervised 4"
    assert set(told(made, "complexity")) == {"study", "source", "scale", "networks", "notes"}
    made = planned(folder, "pesqnet")
    assert told(made, "table1")["steps"] == "pesqnet 2 + 2", "a predictor, trained before the last stage"
    assert told(made, "table3")["steps"] == "pesqnet_first_stage 2 + 2; pesqnet 2 + 2 + 2 + 2 + 4"
    assert told(made, "table1")["test SNRs"] == "0 dB, 5 dB, 10 dB"
    assert "test SNRs" not in told(made, "table4"), "its set has the SNRs that its mixing draws"


def test_seeds(folder: Path) -> None:
    edited(folder, TWO, at_smoke(seeds=3))
    assert ", 3 seeds, " in told(planned(folder, "two_stage"), "pesq")["amounts"]
    edited(folder, TWO, lambda found: found["two_stage"]["grid"][0]["product"].update(seed=[1, 2]))
    made = planned(folder, "two_stage")
    assert ", 2 seeds, " in told(made, "proposed_loss")["amounts"]
    assert ", 2 or 3 seeds, " in told(made, "pesq")["amounts"]


def test_choices(folder: Path) -> None:
    """A row that is the best of a sweep: the trainings of all its values, and its seeds."""
    edited(folder, BRAUN, at_smoke(sweeps={"beta": [0, 0.2, 1]}, seeds=2))
    made = planned(folder, "braun_losses")
    check(made, "quality")
    footer = told(made, "quality")
    assert footer["sweeps"] == "beta 0, 0.2, 1; weight " + ", ".join(made.choices["SDW"].node.spec["values"])
    assert ", 2 seeds, " in footer["amounts"]
    assert set(footer["steps"].split()) == {"braun", "4"}


def test_what_predictors_hear(folder: Path) -> None:
    assert told(planned(folder, "pesqnet"), "table1")["predictors hear"] == "enhanced speech"
    stages = {"pretrain_pesqnet": {"hears": "both", "lr_factor": 2}, "alternate": {"lr_factor": 3, "epochs": 2}}
    edited(folder, PESQNET, at_smoke(stages=stages))
    made = planned(folder, "pesqnet")
    assert told(made, "table1")["predictors hear"] == "noisy and enhanced speech"
    assert told(made, "table2")["predictors hear"] == "noisy and enhanced speech or enhanced speech"
    assert told(made, "table3")["learning rates"].endswith(
        "; pesqnet 0.0001 + 0.0004 + 2e-05 + 5e-05 + 3e-06 (predictor 6e-06)"
    )


def test_lengths_are_those_of_the_sets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mixing's own limit is the shorter one; published mixtures are whole."""
    edited(folder, TWO, at_smoke(max_seconds=2.0))
    assert told(planned(folder, "two_stage"), "pesq")["utterances"] == "at most 2 s"
    edited(folder, "mixing/two_stage.yaml", lambda found: found["two_stage"].update(max_seconds=1.5))
    assert told(planned(folder, "two_stage"), "pesq")["utterances"] == "at most 1.5 s"
    with monkeypatch.context() as patch:
        patch.setattr(make, "is_published", lambda config, corpus, split, part: split == "test")
        assert told(planned(folder, "two_stage"), "pesq")["utterances"] == "whole or at most 1.5 s"
    edited(folder, "mixing/two_stage.yaml", lambda found: found["two_stage"].update(max_seconds=None))
    edited(folder, TWO, lambda found: found["two_stage"]["scales"].clear())
    assert "utterances" not in told(planned(folder, "two_stage"), "pesq")

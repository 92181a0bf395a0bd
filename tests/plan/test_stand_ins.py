"""A metric whose package is absent and its stand-in; tables whose test sets a corpus does not have."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan import resolve
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan
from sebench.plan.summary import summarise

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "config"))


def plan(folder: Path) -> Plan:
    return build_plan(load_config(folder), "pesqnet", "smoke", "builtin", Store(folder.parent / "results"))


def installed_but(absent: str) -> Any:
    return lambda package: package != absent


def test_without_its_package_a_metric_is_replaced_everywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "installed", installed_but("pesqc2"))
    found = plan(folder)
    stages = [run.spec["stage"] for run in found.nodes.of_kind("run")]
    labels = {stage["labels"]["type"] for stage in stages if stage["kind"] != "supervised"}
    assert labels == {"pesq_wb"}
    scored = {metric["type"] for node in found.nodes.of_kind("scores") for metric in node.spec["metrics"]}
    assert "pesq_wb" in scored
    assert "pesqc2" not in scored
    columns = {column["name"]: column for column in found.tables["table3"].spec["columns"]}
    assert columns["no_reverb/PESQ"]["metric"] == "pesq_wb"
    assert columns["no_reverb/PESQ"]["note"] == "other scale"
    assert columns["no_reverb/STOI"]["note"] == ""
    printed = {entry["column"] for entry in found.tables["table3"].spec["published"]}
    assert "no_reverb/STOI" in printed
    assert not printed & {"no_reverb/PESQ", "reverb/PESQ"}, "differences between two scales"
    assert found.tables["table1"].spec["published"] == []


def test_figures_say_whose_values_they_show(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {}
    for absent in ("none", "pesqc2"):
        monkeypatch.setattr(resolve, "installed", installed_but(absent))
        figures = plan(folder).figures
        shown[absent] = figures["scatter"].spec["called"], figures["epochs"].spec["title"]
    title = "Alternating training, on the validation set"
    assert shown["none"] == ("PESQ (Corr. 2)", title)
    called = "PESQ (wide-band), other scale"
    assert shown["pesqc2"] == (called, f"{title}\nscores: {called}")


def test_a_sweep_says_by_what_it_was_judged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = folder / "studies" / "braun_losses.yaml"
    text = study.read_text()
    study.write_text(re.sub(r"by: pesq\w+", "by: pesqc2", text))
    monkeypatch.setattr(resolve, "installed", installed_but("pesqc2"))
    found = build_plan(load_config(folder), "braun_losses", "smoke", "builtin", Store(folder.parent / "results"))
    spec = next(figure.spec for figure in found.figures.values() if figure.spec["figure"] == "sweep")
    assert spec["by"] == "PESQ (wide-band), other scale"
    assert "validations by pesq_wb on" in next(iter(found.tables.values())).spec["footer"]["selection"]


def test_with_its_package_nothing_is_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "installed", installed_but("none"))
    found = plan(folder)
    columns = {column["name"]: column for column in found.tables["table3"].spec["columns"]}
    assert columns["no_reverb/PESQ"]["metric"] == "pesqc2"
    assert columns["no_reverb/PESQ"]["note"] == ""
    assert "no_reverb/PESQ" in {entry["column"] for entry in found.tables["table3"].spec["published"]}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("a: { type: stoi, instead: etsoi }", ["x.yaml:1", "a.instead", "etsoi", "did you mean 'estoi'"]),
        (
            "a: { type: stoi, instead: b }\nb: { type: estoi, instead: si_sdr }",
            ["x.yaml:1", "a.instead", "which has a stand-in itself"],
        ),
    ],
)
def test_a_stand_in_that_cannot_be(folder: Path, entries: str, expected: list[str]) -> None:
    (folder / "metrics" / "x.yaml").write_text(entries)
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    for part in expected:
        assert part in str(caught.value)


def test_a_table_without_a_test_set_is_left_out_and_said(folder: Path) -> None:
    found = plan(folder)
    assert "table5" not in found.tables
    assert found.tables["table4"].spec["footer"]["left out"].endswith("; test set real: builtin has none")
    lines = list(summarise(load_config(folder), found, "builtin", Store(folder.parent / "results"), 2))
    assert "  left out: table table5: none of its test sets is there" in lines


def test_shared_stages_are_shown_once(folder: Path) -> None:
    found = plan(folder)
    assert len(found.nodes.of_kind("run")) == 7, "four shared stages, and one for each alpha"
    lines = list(summarise(load_config(folder), found, "builtin", Store(folder.parent / "results"), 2))
    for run in found.nodes.of_kind("run"):
        assert len([line for line in lines if run.stem in line]) == (2 if run.key == found.cells[0].run.key else 1)
    assert sum("trained once for" in line for line in lines) == 4

"""What score files call the metrics of a study: entries of one type, and a metric beside its stand-in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.plan import resolve
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan
from sebench.plan.resolve import metric_items

SHIPPED = Path(__file__).parents[2] / "config"
STUDY = """
s:
  title: t
  corpus: builtin
  mixing: two_stage
  grid:
    - product: { model: stage1, loss: mag_mse, recipe: supervised }
  conditions: { snr_db: [0] }
  metrics: [METRICS]
  tables:
    t: { title: t, type: metrics, metrics: [METRICS] }
"""


def plan(tmp_path: Path, *metrics: str) -> Plan:
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "config", dirs_exist_ok=True))
    (folder / "studies" / "x.yaml").write_text(STUDY.replace("METRICS", ", ".join(metrics)))
    return build_plan(load_config(folder), "s", "smoke", None, Store(tmp_path / "results"))


def test_two_entries_of_one_type_are_called_by_their_names(tmp_path: Path) -> None:
    found = plan(tmp_path, "dnsmos_ovrl", "si_sdr", "dnsmos_sig")
    for node in found.nodes.of_kind("scores"):
        assert [metric.get("name") for metric in node.spec["metrics"]] == ["dnsmos_ovrl", "dnsmos_sig", None]
    columns = found.tables["t"].spec["columns"]
    assert [column["metric"] for column in columns] == ["dnsmos_ovrl", "si_sdr", "dnsmos_sig"]
    again = plan(tmp_path, "dnsmos_sig", "dnsmos_ovrl", "si_sdr")
    assert [n.id for n in again.nodes.of_kind("scores")] == [n.id for n in found.nodes.of_kind("scores")]


def test_one_entry_of_a_type_has_no_name(tmp_path: Path) -> None:
    found = plan(tmp_path, "dnsmos_ovrl", "si_sdr")
    assert all("name" not in metric for node in found.nodes.of_kind("scores") for metric in node.spec["metrics"])
    assert [column["metric"] for column in found.tables["t"].spec["columns"]] == ["dnsmos_p835", "si_sdr"]


def test_a_metric_beside_its_stand_in_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "installed", lambda package: package != "pesqc2")
    found = plan(tmp_path, "pesqc2", "pesq_wb")
    alone = plan(tmp_path, "pesq_wb")
    ids = [[node.id for node in each.nodes.of_kind("scores")] for each in (found, alone)]
    assert ids[0] == ids[1]
    replaced, own = found.tables["t"].spec["columns"]
    assert (replaced["metric"], replaced["note"]) == ("pesq_wb", "other scale")
    assert (own["metric"], own["note"]) == ("pesq_wb", "")
    assert replaced["name"] == "PESQ (wide-band) instead of PESQ (Corr. 2)"


def test_classes_of_one_name_are_called_by_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ["sebench.metrics.stoi:Stoi", "sebench.metrics.si_sdr:SiSdr"]
    config = load_config(SHIPPED)
    described = {path: {"type": f"{path.partition(':')[0]}:Same", "params": {}} for path in paths}
    monkeypatch.setattr(resolve, "metric_identity", lambda config, name: described[name])
    found = metric_items(config, paths)
    assert [found[path]["name"] for path in paths] == ["sebench.metrics.stoi.Stoi", "sebench.metrics.si_sdr.SiSdr"]

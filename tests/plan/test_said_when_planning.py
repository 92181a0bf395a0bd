"""What `sebench plan` says of printed numbers that no table shows, and of packages that are missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.metrics.base import MissingPackageError
from sebench.plan import packages, resolve
from sebench.plan.build import build_plan
from sebench.plan.summary import summarise
from sebench.run import driver
from sebench.run.workflow import Workflow

CONFIG = Path(__file__).parents[2] / "config"


def test_missing_packages_and_numbers_without_a_place(tmp_path, monkeypatch):
    config, store = load_config(CONFIG), Store(tmp_path / "results")
    for module in (packages, resolve):
        monkeypatch.setattr(module, "installed", lambda package: package not in ("speechmos", "pesqc2"))
    plan = build_plan(config, "pesqnet", "smoke", "builtin", store)
    lines = "\n".join(summarise(config, plan, "builtin", store, 2))
    assert "not installed here" in lines
    assert "pip install speechmos. Until then its columns are empty" in lines
    assert "pesqnet_table3.csv, not shown in table table3: row FCRN/PESQNet [24]" in lines
    assert "not installed" not in "\n".join(packages.missing_packages(config, _all_there(monkeypatch, plan)))


def test_what_training_lacks_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    """`select.by` names a metric that no table shows: `plan` says what is missing, and `run` does not begin."""
    shutil.copytree(CONFIG, tmp_path / "config")
    study = tmp_path / "config" / "studies" / "demucs_compression.yaml"
    study.write_text(study.read_text().replace("select: { by: loss }", "select: { by: dnsmos_sig }"))
    for module in (packages, resolve):
        monkeypatch.setattr(module, "installed", lambda package: package != "speechmos")
    config, store = load_config(tmp_path / "config"), Store(tmp_path / "results")
    plan = build_plan(config, "demucs_compression", "smoke", "builtin", store)
    (line,) = packages.missing_packages(config, plan)
    assert line.startswith("metric 'dnsmos_p835' needs the package 'speechmos', which is not installed here")
    assert "Until then nothing can be trained" in line
    with pytest.raises(MissingPackageError, match="'speechmos', which is not installed"):
        driver.run([plan], store, {}, "1", [])
    monkeypatch.chdir(tmp_path)
    settings = {"study": "demucs_compression", "scale": "smoke", "results": "results"}
    with pytest.raises(MissingPackageError, match="'speechmos', which is not installed"):
        Workflow(settings, inside_job=False).freeze()
    assert not [path for path in store.root.rglob("*") if path.is_file()], "nothing is frozen, and no record is left"
    monkeypatch.setattr(resolve, "installed", lambda package: True)
    packages.require(build_plan(config, "demucs_compression", "smoke", "builtin", store).nodes.of_kind("run"))


def _all_there(monkeypatch, plan):
    for module in (packages, resolve):
        monkeypatch.setattr(module, "installed", lambda package: True)
    return plan

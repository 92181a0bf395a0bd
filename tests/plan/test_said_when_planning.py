"""What `sebench plan` says of printed numbers that no table shows, and of packages that are missing."""

from __future__ import annotations

from pathlib import Path

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.plan import displays, resolve
from sebench.plan.build import build_plan
from sebench.plan.summary import summarise

CONFIG = Path(__file__).parents[2] / "config"


def test_missing_packages_and_numbers_without_a_place(tmp_path, monkeypatch):
    config, store = load_config(CONFIG), Store(tmp_path / "results")
    for module in (displays, resolve):
        monkeypatch.setattr(module, "installed", lambda package: package not in ("speechmos", "pesqc2"))
    plan = build_plan(config, "pesqnet", "smoke", "builtin", store)
    lines = "\n".join(summarise(config, plan, "builtin", store, 2))
    assert "not installed here" in lines
    assert "pip install speechmos. Until then its columns are empty" in lines
    assert "pesqnet_table3.csv, not shown in table table3: row FCRN/PESQNet [24]" in lines
    assert "not installed" not in "\n".join(displays.missing_packages(config, _all_there(monkeypatch, plan)))


def _all_there(monkeypatch, plan):
    for module in (displays, resolve):
        monkeypatch.setattr(module, "installed", lambda package: True)
    return plan

"""`sebench plan` names the files of one's own that its ids depend on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.plan.build import build_plan
from sebench.plan.outside import outside_code
from sebench.plan.summary import summarise

SHIPPED = Path(__file__).parents[2] / "config"
LOSS = """
import importlib
from pathlib import Path
from sebench.losses.base import Loss
from oc_helper import factor

class Mine(Loss):
    def forward(self, estimate, batch):
        importlib.import_module(self.name)
        return factor() * len((Path(__file__).parent / "oc_weights.txt").read_text())
"""
METRIC = """
from sebench.metrics.si_sdr import SiSdr
from oc_helper import factor

class Ours(SiSdr):
    def score(self, clean, estimate, noisy, sample_rate):
        return factor()
"""
STUDY = """
s:
  title: t
  corpus: builtin
  mixing: two_stage
  grid:
    - product: { model: stage1, loss: [mag_mse, both], recipe: supervised }
  metrics: [si_sdr, "oc_metric:Ours"]
  conditions: { snr_db: [0] }
"""


def test_each_file_is_named_with_what_it_counts_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    own.mkdir()
    files = {"oc_loss.py": LOSS, "oc_metric.py": METRIC, "oc_helper.py": "def factor():\n    return 2\n"}
    for name, text in {**files, "oc_weights.txt": "1", "oc_unused.py": "x = 1\n"}.items():
        (own / name).write_text(text)
    monkeypatch.syspath_prepend(own)
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "config"))
    (folder / "losses" / "x.yaml").write_text(
        "mine: { type: 'oc_loss:Mine' }\nboth: { sum: { mine: 1, mag_mse: 2 } }\n"
    )
    (folder / "studies" / "x.yaml").write_text(STUDY)
    config, store = load_config(folder), Store(tmp_path / "results")
    plan = build_plan(config, "s", "smoke", None, store)
    said = list(outside_code(plan.nodes.by_key.values()))
    assert said[0].startswith("code from outside that ids depend on")
    assert sorted(said[1:]) == sorted(
        [
            f"  {own}/oc_helper.py: for oc_metric:Ours, oc_loss:Mine",
            f"  {own}/oc_loss.py: for oc_loss:Mine",
            f"  {own}/oc_metric.py: for oc_metric:Ours",
            f"  {own}/oc_weights.txt: for oc_loss:Mine",
            "  importlib.import_module(self.name), which cannot be followed and does not count: for oc_loss:Mine",
        ]
    )
    assert set(said) <= set(summarise(config, plan, None, store, 2))
    without = build_plan(config, "two_stage", "smoke", None, store)
    assert list(outside_code(without.nodes.by_key.values())) == []

"""A word is never taken for a number or for true and false, nor a number for a word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.config.load import load_config
from sebench.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "config"
STUDY = """
s:
  title: t
  corpus: builtin
  mixing: two_stage
  grid:
    - product: { model: stage1, loss: mag_mse, recipe: supervised }
  metrics: [si_sdr]
  conditions: { snr_db: [0] }
  tables:
    one:
      title: One
      type: metrics
      second_best: false
      metrics: [{ metric: si_sdr, digits: 2 }]
"""


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("digits: 2", 'digits: "2"', "x.yaml:15: s.tables.one.metrics.0.digits: found '2'; accepted: a whole number"),
        ("digits: 2", "digits: true", "s.tables.one.metrics.0.digits: found true; accepted: a whole number"),
        ("second_best: false", 'second_best: "yes"', "s.tables.one.second_best: found 'yes'; accepted: true or false"),
        ("second_best: false", "second_best: yes", "s.tables.one.second_best: found 'yes'; accepted: true or false"),
        ("second_best: false", "second_best: 1", "s.tables.one.second_best: found 1; accepted: true or false"),
        ("snr_db: [0]", 'snr_db: ["5"]', "x.yaml:9: s.conditions.snr_db.0: found '5'; accepted: a number"),
        ("title: One", "title: 1", "s.tables.one.title: found 1; accepted: text"),
        ("snr_db: [0]", "snr_db: [0100]", "0100 (in YAML 1.1 an octal number: 64); accepted: 100, or"),
        ("snr_db: [0]", "snr_db: [1:30]", "1:30 (in YAML 1.1 a number in base 60: 90)"),
    ],
)
def test_refused(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "config"))
    assert right in STUDY
    (folder / "studies" / "x.yaml").write_text(STUDY.replace(right, wrong))
    with pytest.raises(ConfigError) as error:
        load_config(folder)
    assert told in str(error.value)


def test_merge_keys_of_yaml_work(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "config"))
    text = STUDY.replace("    one:", "    one: &one") + "    two: { <<: *one, title: Two }\n"
    (folder / "studies" / "x.yaml").write_text(text)
    tables = load_config(folder).get("studies", "s").entry.tables
    assert (tables["two"].title, tables["two"].metrics) == ("Two", tables["one"].metrics)

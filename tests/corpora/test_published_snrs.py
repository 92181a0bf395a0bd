"""A corpus with mixtures of its own is asked for its SNRs when a study is planned, not when it runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan.build import build_plan
from sebench.plan.nodes import check_published_snrs

SHIPPED = Path(__file__).parents[2] / "config"


def test_snrs_that_a_paired_corpus_lacks_are_refused_when_planned(
    voicebank_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEBENCH_VOICEBANK_DEMAND", str(voicebank_root))
    with pytest.raises(ConfigError) as refused:
        build_plan(load_config(SHIPPED), "two_stage", "smoke", "voicebank_demand", Store(tmp_path / "r"))
    text = str(refused.value)
    assert "-5, 0, 5, 10, 15 dB" in text
    assert "2.5, 7.5" in text
    assert "two_stage.yaml" in text


def test_published_snrs_are_accepted(voicebank_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEBENCH_VOICEBANK_DEMAND", str(voicebank_root))
    config = tmp_path / "config"
    shutil.copytree(SHIPPED, config)
    study = config / "studies" / "two_stage.yaml"
    text = study.read_text(encoding="utf-8")
    assert "[-5, 0, 5, 10, 15]" in text
    study.write_text(text.replace("[-5, 0, 5, 10, 15]", "[2.5, 7.5]"), encoding="utf-8")
    loaded = load_config(config)
    named = loaded.get("studies", "two_stage")
    check_published_snrs(loaded, named, "voicebank_demand", named.entry.conditions.snr_db, ("conditions",))

"""Every shipped study can be planned by Snakemake at every scale, and planning writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from repo import ROOT, Repo, rules_in

CONFIG = ROOT / "config"
STUDIES = sorted(name for path in (CONFIG / "studies").glob("*.yaml") for name in yaml.safe_load(path.read_text()))
SCALES = sorted(name for path in (CONFIG / "scales").glob("*.yaml") for name in yaml.safe_load(path.read_text()))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.create(tmp_path_factory.mktemp("clone") / "repo")


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("scale", [pytest.param(s, marks=[] if s == "paper" else pytest.mark.slow) for s in SCALES])
def test_dry_run(clone: Repo, study: str, scale: str) -> None:
    done = clone.snakemake("-n", "--config", f"study={study}", f"scale={scale}", "corpus=builtin")
    assert done.code == 0, done.text
    assert {"corpus", "render_test", "render", "train", "evaluate", "score_noisy", "table", "publish"} <= set(
        rules_in(done.text)
    )
    assert not (clone.folder / "results").exists()


def test_a_dry_run_of_recordings_writes_no_frozen_file(clone: Repo) -> None:
    assert clone.snakemake("-n").code == 0
    assert not list((clone.folder / "results").glob("frozen/**/*.yaml"))


def test_a_report_of_an_unfinished_study_says_what_to_do(clone: Repo) -> None:
    done = clone.snakemake("--report", "report.html")
    assert done.code != 0
    assert "27 of 27 artefacts are not made yet" in done.text
    assert "first the same command without --report" in done.text
    assert not (clone.folder / "report.html").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("study", STUDIES)
def test_smoke(tmp_path: Path, study: str) -> None:
    repo = Repo.create(tmp_path / "repo")
    done = repo.sebench("run", study, "--scale", "smoke", "--corpus", "builtin", "-c", "2", timeout=1100)
    assert done.code == 0, done.text
    assert list(repo.folder.glob("results/tables/*/*.md"))
    again = repo.sebench("run", study, "--scale", "smoke", "--corpus", "builtin")
    assert "nothing to do" in again.out

"""What can be said of a cluster without one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from repo import ROOT, Repo

from sebench.errors import SebenchError
from sebench.kinds import KINDS
from sebench.process import cluster


def test_without_a_client_nothing_is_submitted(repo: Repo, tmp_path: Path) -> None:
    """Said at once, with what to do; no job is tried."""
    node = repo.nodes("scores")[0]
    shutil.rmtree(repo.store.folder(node))
    programs = tmp_path / "bin"
    programs.mkdir()
    hidden = ("sbatch", "squeue", "sacct", "sinfo", "scontrol", "scancel", "srun")
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*") if Path(folder).is_dir() else ():
            if program.name not in hidden and program.is_file() and not os.path.lexists(programs / program.name):
                (programs / program.name).symlink_to(program)
    repo.environment["PATH"] = str(programs)
    refused = repo.command("snakemake", "--profile", "slurm")
    assert refused.code != 0
    assert "no Slurm here: sbatch" in refused.text
    assert "leave out `--profile slurm`" in refused.text
    assert "rule score" not in refused.text
    assert "rule evaluate" not in refused.text


def test_the_profile_speaks_of_rules_that_there_are() -> None:
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    assert {*profile["set-threads"], *profile["set-resources"]} <= {kind.rule for kind in KINDS.values()}
    assert profile["slurm-jobname-prefix"] == cluster.PREFIX


def test_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_ask", lambda *_: "cpu|(null)\ngpu|gpu:a100:4(S:0)\ngpu|(null)\n")
    cluster.check_wishes(
        [cluster.Wish("cpu", 0), cluster.Wish("gpu", 2), cluster.Wish("cpu,gpu", 1), cluster.Wish("", 1)]
    )
    with pytest.raises(SebenchError, match=r"'gpus'.*did you mean 'gpu'"):
        cluster.check_wishes([cluster.Wish("cpu,gpus", 0)])
    with pytest.raises(SebenchError, match=r"'cpu' has no GPUs \(those that have: gpu\)"):
        cluster.check_wishes([cluster.Wish("cpu", 1)])


def test_a_step_outside_of_a_job_requeues_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the driver itself is a job: that one is not the step's to send back."""
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    monkeypatch.delenv(cluster.JOB, raising=False)
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(cluster, "_ask", lambda *words: asked.append(words) or "RUNNING")
    assert not cluster.requeue()
    assert asked == []

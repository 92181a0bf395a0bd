"""A failure that belongs to a run is a hole in the table; any other stops what depends on it, and nothing else."""

from __future__ import annotations

import json
import os
import shutil

import outside
import pytest
from repo import Repo


@pytest.mark.slow
def test_a_loss_that_is_not_a_number(repo: Repo) -> None:
    outside.install(repo)
    repo.write("config/losses/new.yaml", "breaks: { type: 'outside_losses:Breaks', label: breaks }\n")
    repo.losses_of_stage1("mag_mse", "breaks")
    repo.change_study(conditions={"snr_db": [0]})
    done = repo.run()
    (run,) = (path.parent for path in repo.folder.glob("results/runs/stage1-Breaks-*/run.json"))
    report = json.loads((run / "run.json").read_text())
    assert report["status"] == "failed"
    assert "in step 1" in report["reason"]
    assert report["mixtures"], "steps are counted from 0: step 1 is the second"

    table = json.loads((repo.place / "quality.json").read_text())
    rows = dict(zip(table["rows"], table["values"], strict=True))
    hole = rows.pop("Stage1(breaks)")
    assert all(value["ours"] is None for value in hole)
    assert all("in step 1" in value["reason"] for value in hole)
    assert all(value["ours"] is not None for values in rows.values() for value in values)
    assert report["reason"].partition(";")[0] in done.out
    assert repo.jobs() == []

    cleared = repo.sebench("retry", run.name)
    assert cleared.code == 0, cleared.text
    assert not run.exists()
    assert sorted(repo.jobs()) == sorted(["train", "evaluate", "table", "publish"])
    (other,) = repo.folder.glob("results/runs/stage1-mag_mse-*")
    refused = repo.sebench("retry", other.name)
    assert refused.code == 1
    assert "did not fail" in refused.err


@pytest.mark.slow
def test_a_recording_that_changed_after_the_manifest(repo: Repo) -> None:
    """With its time of change put back, a plan takes it for the same file; rendering finds another one."""
    path = repo.recordings / "noise" / "test" / "factory" / "1.wav"
    repo.cell("Stage1(MSE)")  # a plan reads the folder, and keeps what it read by size and time of change
    sound = path.read_bytes()
    assert len(sound) > 60_000
    before = path.stat()
    path.write_bytes(sound[:20_000] + bytes(5000) + sound[25_000:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    repo.change_study(conditions={"snr_db": [0, 5]})
    stage1 = repo.cell("Stage1(MSE)")
    shutil.rmtree(repo.store.folder(stage1.scores["snr0"]))

    done = repo.sebench("run", "-c", "2")
    assert done.code != 0
    assert "noise/test/factory/1.wav" in done.err
    assert "Traceback" not in done.text
    assert repo.store.complete(stage1.scores["snr0"]), "what does not depend on the file was not made"
    partial = json.loads((repo.place / "partial" / "quality" / "table.json").read_text())
    assert partial["partial"]
    at0, at5 = partial["values"][1][:2]
    assert at0["ours"] is not None
    assert at5["ours"] is None
    assert at5["reason"]
    assert (repo.place / "quality.md").exists(), "the tables of before are gone"

    repo.change_study(conditions={"snr_db": [0, 10]}, title="Another")
    repo.edit("config/studies/tiny.yaml", "title: Quality", "title: Quality of speech")
    repo.run()
    assert repo.done_jobs() == ["table", "publish"]
    assert not (repo.place / "partial").exists()


def test_one_test_set_that_cannot_be_made_costs_its_condition_alone(repo: Repo) -> None:
    """Test sets are made by one job: what waits for it goes on without the one that it could not make."""
    repo.change_study(conditions={"snr_db": [0, 5, 7]})
    conditions = repo.plan().conditions
    in_the_way = repo.store.folder(conditions["snr5"].node)
    in_the_way.write_text("no folder")
    done = repo.sebench("run", "-c", "2")
    assert done.code != 0
    assert in_the_way.name in done.err
    assert "Traceback" not in done.text
    scores = repo.cell("Stage1(MSE)").scores
    assert repo.store.complete(scores["snr7"])
    assert not repo.store.complete(scores["snr5"])
    again = repo.sebench("run", "-c", "2")
    assert again.code != 0
    assert "going on" not in again.text, "nothing was made: there is nothing to go on with"
    in_the_way.unlink()
    repo.run()
    assert repo.store.complete(scores["snr5"])

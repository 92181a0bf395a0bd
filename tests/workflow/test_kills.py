"""SIGKILL at any moment, the same command again: the same bytes as without."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import outside
import pytest
from repo import Repo, assert_same, contents, kill, kill_session, session_members, wait_until

from sebench.files import write_json
from sebench.kinds import KINDS
from sebench.run.driver import MARK, DriverBusy, claim, end_orphans, orphans, process_start, release

PHASES = tuple(kind.name for kind in KINDS.values() if kind.rule)


@pytest.mark.slow
def test_a_killed_driver_in_mid_training(extended: Repo, tmp_path: Path) -> None:
    repo = extended.copy(tmp_path / "repo")
    outside.put_on_path(repo)
    before = contents(repo.store)
    (folder,) = repo.folder.glob("results/runs/stage1-Absolute-*")
    state = repo.store.root / "state" / f"run-{folder.name.rpartition('-')[2]}"
    shutil.rmtree(folder)
    shutil.rmtree(state)

    repo.environment["OUTSIDE_SECONDS"] = "1.5"
    driver = repo.popen("sebench", "run", "-c", "2")
    try:
        wait_until((state / "progress.json").exists, what="training did not begin")
        kill(driver.pid)
        driver.wait()
        left = dict(session_members(driver.pid))
        assert any("snakemake" in line for line in left.values())
        assert any("sebench step run" in line for line in left.values())
        repo.environment["OUTSIDE_SECONDS"] = "0"
        done = repo.sebench("run", "-c", "2")
        assert done.code == 0, done.text
        assert repo.done_jobs() == ["train"]
        assert dict(session_members(driver.pid)) == {}, "the dead driver's Snakemake lives on beside the new one"
    finally:
        kill_session(driver.pid)
    assert_same(contents(repo.store), before)


def test_a_second_driver_is_refused(repo: Repo) -> None:
    shutil.rmtree(repo.store.folder(repo.cell("Stage1(MSE)").run))
    other = subprocess.Popen(["sleep", "600"])
    try:
        claimed = {"pid": other.pid, "start": process_start(other.pid), "host": os.uname().nodename}
        write_json(repo.store.root / "driver.json", claimed)
        # a plain snakemake too: from another clone that shares the results, its own lock would not see this one
        for refused in (repo.sebench("run"), repo.snakemake()):
            assert refused.code == 1
            assert f"another driver (process {other.pid}" in refused.text
    finally:
        other.kill()
        other.wait()


def test_a_driver_that_is_a_job_and_was_requeued(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes back on another node, where its old process cannot be seen: the job's number tells."""
    recorded = {"pid": 1, "start": "1", "host": "elsewhere", "slurm_job_id": "7"}
    write_json(repo.store.root / "driver.json", recorded)
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    with pytest.raises(DriverBusy):
        claim(repo.store)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert claim(repo.store), "an earlier driver died here"
    release(repo.store)
    assert not (repo.store.root / "driver.json").exists()


def test_only_a_dead_driver_leaves_orphans(repo: Repo) -> None:
    """Of this store; what a living driver, or another store's, started is no orphan."""
    dead = subprocess.Popen(["sleep", "600"])
    gone = f"{dead.pid}:{process_start(dead.pid)}"
    dead.kill()
    dead.wait()
    here = str(repo.store.root.resolve())
    marks = [f"{gone}:{here}", f"{gone}:{here}2", f"{os.getpid()}:{process_start(os.getpid())}:{here}", "nonsense"]
    children = [subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark}) for mark in marks]
    try:
        assert orphans(repo.store) == [children[0].pid]
        end_orphans(repo.store)
        assert children[0].wait(10) == -signal.SIGTERM
        assert [child.poll() for child in children[1:]] == [None] * 3
    finally:
        for child in children:
            child.kill()
            child.wait()


@pytest.mark.slow
def test_a_driver_that_died_at_the_very_end(repo: Repo) -> None:
    """All is made, its Snakemake still ends: the next command has nothing to do but to clear up."""
    assert repo.sebench("run").code == 0
    dead = subprocess.Popen(["sleep", "600"])
    started = process_start(dead.pid)
    dead.kill()
    dead.wait()
    write_json(repo.store.root / "driver.json", {"pid": dead.pid, "start": started, "host": os.uname().nodename})
    mark = f"{dead.pid}:{started}:{repo.store.root.resolve()}"
    left = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark})
    try:
        done = repo.sebench("run")
        assert done.code == 0
        assert "nothing to do" in done.text
        assert left.wait(10) == -signal.SIGTERM
        assert not (repo.store.root / "driver.json").exists()
    finally:
        left.kill()
        left.wait()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_kills(extended: Repo, tmp_path: Path) -> None:
    """Training, rendering, scoring, their workers, Snakemake and the driver, at random moments."""
    seed = int(os.environ.get("SEBENCH_TEST_SEED", time.time()))
    chance = random.Random(seed)
    killed: list[str] = []
    expected = contents(extended.store)
    for store in range(5):  # a fast machine gives fewer chances in each
        if len(killed) >= 20:
            break
        repo = Repo.create(tmp_path / f"repo{store}")
        outside.extend(repo)
        repo.environment["OUTSIDE_SECONDS"] = "0.2"
        _make_with_kills(repo, chance, killed, most=len(killed) + 16)
        found = contents(repo.store)
        assert any(name.startswith("tables/tiny-") for name in found)
        assert [name for name, data in found.items() if expected.get(name) != data] == [], (seed, killed)
        assert repo.jobs() == []
        shutil.rmtree(repo.folder)
    print(f"seed {seed}, {len(killed)} kills: {', '.join(killed)}")
    assert len(killed) >= 20
    assert len(set(killed)) >= 5, killed


def _make_with_kills(repo: Repo, chance: random.Random, killed: list[str], most: int) -> None:
    """Give the same command until it succeeds, and kill a process every few seconds, `most` in all."""
    leaders = []
    said = repo.folder / "said.txt"
    for _ in range(100):
        with said.open("w") as file:
            driver = repo.popen("sebench", "run", "-c", "2", stdout=subprocess.DEVNULL, stderr=file)
        leaders.append(driver.pid)
        while driver.poll() is None:
            pause = time.monotonic() + chance.uniform(1.0, 8.0)
            while driver.poll() is None and time.monotonic() < pause:
                time.sleep(0.02)
            if driver.poll() is None and len(killed) < most:
                _kill_one(driver.pid, chance, killed)
        if driver.returncode == 0:
            break
    else:
        record = repo.store.root / "driver.json"
        last = [said.read_text(), record.read_text() if record.exists() else "no driver.json"]
        raise AssertionError(f"no end after {killed}; the last command said: {last}")
    assert [line for leader in leaders for _, line in session_members(leader)] == []


def _kill_one(leader: int, chance: random.Random, killed: list[str]) -> None:
    """SIGKILL a process of a session: mostly of a step, else Snakemake, a shell or the driver."""
    by_role: dict[str, list[int]] = {}
    for pid, line in session_members(leader):
        role = next((f"step {kind}" for kind in PHASES if f"-m sebench step {kind} " in line), "")
        role = role or next((name for name in ("snakemake", "multiprocessing") if name in line), "other")
        by_role.setdefault("driver" if pid == leader else role, []).append(pid)
    steps = sorted(role for role in by_role if role.startswith("step ") or role == "multiprocessing")
    roles = steps if steps and chance.random() < 0.7 else sorted(by_role)
    if roles:
        role = chance.choice(roles)
        if kill(chance.choice(by_role[role])):
            killed.append(role)

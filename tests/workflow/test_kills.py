"""SIGKILL at any moment, the same command again: the same bytes as without."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import outside
import pytest
from repo import Repo, assert_same, contents, kill, kill_session, session_members, wait_until

PHASES = ("corpus", "mixtures", "set", "run", "enhanced", "scores", "complexity", "table", "figure", "publication")


def test_a_killed_driver_in_mid_training(extended: Repo, tmp_path: Path) -> None:
    repo = extended.copy(tmp_path / "repo")
    repo.environment["PYTHONPATH"] = str(repo.folder / "outside")
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
    driver = repo.popen("sebench", "run", "-c", "2")
    try:
        wait_until((repo.store.root / "driver.json").exists, what="no driver")
        second = repo.sebench("run")
        if driver.poll() is None:
            assert second.code == 1
            assert f"process {driver.pid}" in second.err
    finally:
        driver.wait(120)
    assert repo.jobs() == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_kills(extended: Repo, tmp_path: Path) -> None:
    """Training, rendering, scoring, their workers, Snakemake and the driver, at random moments."""
    seed = int(os.environ.get("SEBENCH_TEST_SEED", time.time()))
    chance = random.Random(seed)
    killed: list[str] = []
    expected = contents(extended.store)
    stores = 0
    while len(killed) < 24:
        stores += 1
        repo = Repo.create(tmp_path / f"repo{stores}")
        outside.extend(repo)
        repo.environment["OUTSIDE_SECONDS"] = "0.2"
        _make_with_kills(repo, chance, killed)
        found = contents(repo.store)
        tables = {name for name in found if name.startswith("tables/")}
        assert tables
        assert [name for name, data in found.items() if expected.get(name) != data] == [], (seed, killed)
        assert repo.jobs() == []
        shutil.rmtree(repo.folder)
    print(f"seed {seed}, {stores} stores, {len(killed)} kills: {', '.join(killed)}")
    assert len({name.partition(" ")[0] for name in killed}) >= 3, killed


def _make_with_kills(repo: Repo, chance: random.Random, killed: list[str]) -> None:
    """Give the same command until it succeeds, and kill a process every few seconds."""
    leaders = []
    for _ in range(200):
        driver = repo.popen("sebench", "run", "-c", "2")
        leaders.append(driver.pid)
        while driver.poll() is None:
            pause = time.monotonic() + chance.uniform(0.3, 5.0)
            while driver.poll() is None and time.monotonic() < pause:
                time.sleep(0.02)
            if driver.poll() is None:
                _kill_one(driver.pid, chance, killed)
        if driver.returncode == 0:
            break
    else:
        raise AssertionError(f"no end after {killed}")
    assert [line for leader in leaders for _, line in session_members(leader)] == []


def _kill_one(leader: int, chance: random.Random, killed: list[str]) -> None:
    """SIGKILL a process of a session; first what kind, then which, so that few jobs are not hidden by many."""
    by_role: dict[str, list[int]] = {}
    for pid, line in session_members(leader):
        words = line.split()
        role = next((f"step {kind}" for kind in PHASES if f"sebench step {kind} " in line), "")
        role = role or next((name for name in ("snakemake", "multiprocessing") if name in line), "")
        role = "driver" if pid == leader else role or f"other {words[0] if words else ''}"
        by_role.setdefault(role, []).append(pid)
    if by_role:
        role = chance.choice(sorted(by_role))
        if kill(chance.choice(by_role[role])):
            killed.append(role)

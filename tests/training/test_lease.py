"""One writer per state folder: waiting, taking over, and waking up too late."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from machines import without_hard_links

from sebench.errors import RestartNeeded
from sebench.process.lease import ArtefactFinished, Lease, LeaseLost, newest_generation
from sebench.process.workers import process_start

HOLDER = """
import sys, time
from pathlib import Path
from sebench.process.lease import Lease, LeaseLost
folder = Path(sys.argv[1])
with Lease(folder, beat_seconds=0.05).acquire() as held:
    print("held", held.generation, flush=True)
    sys.stdin.readline()
    try:
        held.check()
    except LeaseLost:
        print("lost", flush=True)
        sys.exit(75)
    (folder / "published").write_text(str(held.generation))
"""


@pytest.fixture(params=["links", "no links"], autouse=True)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any) -> None:
    """Everything here holds where there are hard links and where there are none, in this process and in others."""
    if request.param == "no links":
        without_hard_links(monkeypatch, tmp_path_factory.mktemp("shim"))


def start_holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("held")
    return process


def edit_owner(folder: Path, generation: int, **values: Any) -> None:
    path = folder / f"lease-{generation:06d}.json"
    path = path if path.is_file() else path / "record"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_released_lease_is_taken_at_once(tmp_path: Path) -> None:
    with Lease(tmp_path).acquire() as first:
        assert first.generation == 1
        first.check()
        assert first.attempt_folder == tmp_path / "attempt-000001"
    started = time.monotonic()
    with Lease(tmp_path).acquire() as second:
        assert second.generation == 2
        assert second.previous_attempts() == [tmp_path / "attempt-000001"]
    assert time.monotonic() - started < 1.0


def test_a_waiter_is_told_of_an_owner_that_lives_and_of_no_other(tmp_path: Path) -> None:
    """An owner on another host may be dead: before its counter has moved, nobody may step aside for it."""
    told: list[dict[str, Any]] = []
    holder = start_holder(tmp_path)
    try:
        edit_owner(tmp_path, 1, machine="elsewhere", slurm_job_id="10")
        with pytest.raises(RestartNeeded):
            Lease(tmp_path, timeout=5, wait_seconds=1.0, beat_seconds=0.1).acquire(waiting=told.append)
        assert [owner["slurm_job_id"] for owner in told] == ["10"], "once, and not again and again"
        told.clear()
    finally:
        holder.kill()
        holder.wait()
    with Lease(tmp_path, timeout=0.5, beat_seconds=0.1).acquire(waiting=told.append) as held:
        assert held.generation == 2
    assert told == []


def test_waiter_gives_up_on_a_live_writer(tmp_path: Path) -> None:
    with Lease(tmp_path, beat_seconds=0.02).acquire() as held:
        with pytest.raises(RestartNeeded, match=f"process {os.getpid()}"):
            Lease(tmp_path, timeout=0.3, wait_seconds=0.8, beat_seconds=0.05).acquire()
        held.check()


def test_waiter_stops_when_the_artefact_is_finished(tmp_path: Path) -> None:
    with Lease(tmp_path).acquire(), pytest.raises(ArtefactFinished):
        Lease(tmp_path, beat_seconds=0.02).acquire(finished=lambda: True)


def test_waiter_is_let_in_when_the_writer_releases(tmp_path: Path) -> None:
    held = Lease(tmp_path, beat_seconds=0.02).acquire()
    threading.Timer(0.3, held.release).start()
    with Lease(tmp_path, beat_seconds=0.02, wait_seconds=10).acquire() as second:
        assert second.generation == 2


def test_killed_writer_is_replaced_at_once(tmp_path: Path) -> None:
    process = start_holder(tmp_path)
    process.kill()  # not reaped yet: a zombie counts as dead
    while Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
        time.sleep(0.01)
    with Lease(tmp_path, wait_seconds=0).acquire() as held:
        assert held.generation == 2
    process.wait()


def test_reused_pid_is_not_mistaken_for_the_writer(tmp_path: Path) -> None:
    abandoned = Lease(tmp_path, beat_seconds=0.02).acquire()
    # Alive, but started at another time; a parent such as `timeout` may have started in the same hundredth of a second.
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert process_start(other.pid) not in ("", process_start(os.getpid()))
        edit_owner(tmp_path, 1, pid=other.pid)
        with Lease(tmp_path, wait_seconds=0).acquire() as held:
            assert held.generation == 2
            with pytest.raises(LeaseLost):
                abandoned.check()
    finally:
        other.communicate(b"\n")
    abandoned.release()


def test_pid_means_nothing_on_another_host(tmp_path: Path) -> None:
    held = Lease(tmp_path, beat_seconds=0.02).acquire()
    edit_owner(tmp_path, 1, machine="elsewhere", pid=2**22 + 1)
    with pytest.raises(RestartNeeded):
        Lease(tmp_path, timeout=0.5, wait_seconds=0.2, beat_seconds=0.05).acquire()
    held.release()


def test_stopped_writer_wakes_up_and_publishes_nothing(tmp_path: Path) -> None:
    process = start_holder(tmp_path)
    os.kill(process.pid, signal.SIGSTOP)
    with Lease(tmp_path, timeout=0.4, wait_seconds=20, beat_seconds=0.05).acquire() as held:
        assert held.generation == 2
        os.kill(process.pid, signal.SIGCONT)
        output, _ = process.communicate("go\n", timeout=20)
        assert output.strip() == "lost"
        assert process.returncode == 75
        assert not (tmp_path / "published").exists()
        held.check()


def test_of_two_that_see_a_dead_writer_one_wins(tmp_path: Path) -> None:
    for trial in range(20):
        folder = tmp_path / str(trial)
        Lease(folder).acquire().release()
        barrier = threading.Barrier(4)
        won: list[int] = []

        def compete(
            folder: Path = folder,
            barrier: threading.Barrier = barrier,
            won: list[int] = won,
        ) -> None:
            barrier.wait()
            held = Lease(folder)._claim(2)
            if held is not None:
                won.append(held.generation)
                held.release()

        threads = [threading.Thread(target=compete) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert won == [2]
        assert newest_generation(folder) == 2
        assert not list(folder.glob(".lease-*"))

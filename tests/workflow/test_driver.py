"""One driver at a time on a store, and a lock that is only taken from the dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from machines import without_hard_links

from sebench.artefacts import Node, Store
from sebench.errors import SebenchError
from sebench.process.once import read_record, remove_record
from sebench.run import driver


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "results").mkdir()
    return Store(tmp_path / "results")


@pytest.fixture(params=["links", "no links"], autouse=True)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if request.param == "no links":
        without_hard_links(monkeypatch, tmp_path / "shim")


def record(store: Store, **changes: object) -> Path:
    path = store.root / "driver.json"
    values = {"pid": os.getpid(), "start": driver.process_start(os.getpid()), "host": os.uname().nodename}
    path.write_text(json.dumps({**values, **changes}))
    return path


def test_a_free_store_is_claimed_and_nobody_died(store: Store) -> None:
    assert driver.claim(store) is False
    recorded = json.loads(read_record(store.root / "driver.json") or "")
    assert recorded["pid"] == os.getpid()
    assert [path.name for path in store.root.iterdir()] == ["driver.json"]


def test_a_living_driver_is_left_alone(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        path = record(store, pid=process.pid, start=driver.process_start(process.pid))
        before = path.read_text()
        with pytest.raises(driver.DriverBusy, match=f"process {process.pid}"):
            driver.claim(store)
        assert path.read_text() == before
        process.communicate(b"\n")


def test_a_dead_driver_is_replaced(store: Store) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    record(store, pid=process.pid, start="1")
    assert driver.claim(store) is True
    assert json.loads(read_record(store.root / "driver.json") or "")["pid"] == os.getpid()


def test_a_death_is_known_until_a_driver_has_cleared_up(store: Store) -> None:
    """The one that replaced the dead one may be killed before it removed Snakemake's lock."""
    record(store, start="1")
    assert driver.claim(store) is True
    remove_record(store.root / "driver.json")  # as if the second one had been killed between two steps of its claim
    assert driver.claim(store) is True
    driver.release(store)
    assert list(store.root.iterdir()) == []
    assert driver.claim(store) is False


def test_a_number_that_another_process_has_now_is_a_dead_driver(store: Store) -> None:
    record(store, start="1")
    assert driver.claim(store) is True


def test_a_driver_on_another_host_cannot_be_judged(store: Store) -> None:
    record(store, host="elsewhere", start="1")
    with pytest.raises(driver.DriverBusy, match=r"elsewhere.*remove .*driver\.json"):
        driver.claim(store)


COMPETITOR = """
import sys, threading
from pathlib import Path
from sebench.run import driver
from sebench.artefacts import Node, Store
from sebench.errors import SebenchError
print("ready", flush=True)
sys.stdin.readline()
try:
    driver.claim(Store(sys.argv[1]))
    print("won", flush=True)
except driver.DriverBusy:
    print("refused", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("left", [False, True], ids=["free", "left by a dead one"])
def test_of_several_drivers_that_start_together_one_works(store: Store, left: bool) -> None:
    if left:
        record(store, start="1")
    command = [sys.executable, "-c", COMPETITOR, str(store.root)]
    started = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(4)]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.stdout.readline().strip() for process in started if process.stdout is not None]
    finally:
        for process in started:
            process.communicate("end\n", timeout=20)
    assert sorted(said) == ["refused"] * 3 + ["won"]


def test_what_is_no_record_is_refused_by_name(store: Store) -> None:
    (store.root / "driver.json").write_text("[]")
    with pytest.raises(driver.DriverBusy, match=r"driver\.json is no driver's record; .*remove it"):
        driver.claim(store)


def test_without_a_terminal_silence_is_broken(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(driver, "QUIET_SECONDS", 0.0)
    node = Node("complexity", "stage1", {"model": {}})
    batch = Node("sizes", "models", {"pieces": [node.key], "generation": 0})
    store.freeze(batch)
    log = store.root / "logs" / "complexity" / f"{batch.stem}.log"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        moments = iter(range(100))

        def pass_time(seconds: float) -> None:
            moment = next(moments)
            if moment == 1:
                log.parent.mkdir(parents=True)
                log.write_text("begun")
            elif moment == 2:
                output = store.outputs(node)["complexity.json"]
                output.parent.mkdir(parents=True)
                output.write_text("{}")
                process.communicate(b"\n")

        monkeypatch.setattr("time.sleep", pass_time)
        driver._watch(process, [node], store)
    said = [line.partition("] ")[2] or line for line in capsys.readouterr().out.splitlines()]
    assert said == [
        f"1 artefacts to make; starting Snakemake, whose log is {store.root}/logs/snakemake.log",
        "0/1 at work: Snakemake plans",
        "0/1 at work: Snakemake plans",
        f"0/1 at work: complexity {batch.stem}",
        f"1/1 complexity {node.stem}",
    ]


def test_a_lock_goes_although_the_first_try_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lock = tmp_path / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    tries = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        tries.append(command)
        if len(tries) == 2:
            lock.unlink()
        return subprocess.CompletedProcess(command, -9 if len(tries) == 1 else 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    driver.unlock({})
    assert len(tries) == 2
    lock.touch()
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", "no rights")
    )
    with pytest.raises(SebenchError, match=r"the lock of a Snakemake that was killed stays in .*: no rights"):
        driver.unlock({})

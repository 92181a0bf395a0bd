"""One metric that fails is a hole for that metric: exceptions, values beyond bounds, native code that crashes or never
returns.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sebench.config.items import get
from sebench.files import read_parquet
from sebench.metrics import base
from sebench.metrics.base import MissingPackageError, Unavailable, told_implementation
from sebench.process.isolated import IsolatedPool, NoAnswer, WorkerDied
from sebench.process.workers import state_and_processor_time
from sebench.scoring import step
from sebench.scoring.step import part_path, run
from sebench.training.labels import Labels

sys.path.insert(0, str(Path(__file__).parent))


def outside(cls: str, **params: object) -> dict:
    found = get("metric", f"outside_metrics:{cls}")
    return {**found.identity(params), "implementation": f"sebench {found.path}"}


def scores_of(world, *items: dict, threads: int = 1):
    node = world.scores(list(items))
    run(node, world.store, threads)
    frame = read_parquet(world.store.outputs(node)["scores.parquet"])
    return {name: rows.reset_index(drop=True) for name, rows in frame.groupby("metric")}


@pytest.mark.parametrize("threads", [1, 2])
def test_native_code_that_crashes_costs_one_score(world, make_item, threads):
    found = scores_of(world, outside("Crashes"), make_item("delta_snr"), outside("Level"), threads=threads)
    assert found["Crashes"]["status"].tolist() == ["ok", "failed", "failed", "ok", "ok", "ok"]
    assert found["Crashes"]["reason"][2] == "Crashes: the process that computed it was ended by SIGSEGV, twice"
    for name in ("delta_snr", "Level"):
        assert found[name]["status"].tolist() == ["ok", "failed", "ok", "ok", "ok", "ok"]


def test_a_crash_that_is_not_the_utterances_own_costs_nothing(world, tmp_path):
    found = scores_of(world, outside("CrashesOnce", mark=str(tmp_path / "mark")))
    assert found["CrashesOnce"]["status"].tolist() == ["ok", "failed", "ok", "ok", "ok", "ok"]


def test_native_code_that_never_returns_costs_one_score(world, make_item, monkeypatch):
    monkeypatch.setattr(step, "time_limit", lambda samples, rate: 0.2 if samples == 19200 else 60)
    found = scores_of(world, outside("Endless"), make_item("delta_snr"))
    assert found["Endless"]["status"].tolist() == ["ok", "failed", "failed", "ok", "ok", "ok"]
    assert found["Endless"]["reason"][2] == "Endless: no answer within 0.2 s of processor time, twice"
    assert found["delta_snr"]["status"].tolist() == ["ok", "failed", "ok", "ok", "ok", "ok"]


def test_a_process_that_was_killed_is_no_score_and_the_other_metrics_are_kept(world, make_item):
    node = world.scores([outside("Killed"), make_item("si_sdr")])
    with pytest.raises(Unavailable, match=r"SIGKILL.*memory"):
        run(node, world.store, 1)
    killed, kept = (part_path(node, world.store, item) for item in node.spec["metrics"])
    assert kept.exists()
    assert not killed.exists()
    assert not world.store.outputs(node)["scores.parquet"].exists()


def test_exceptions_and_values_beyond_bounds_are_holes(world):
    found = scores_of(world, outside("Raises"), outside("Beyond"), outside("Unbuilt"), outside("Level"))
    assert found["Raises"]["reason"][2] == "raises: ZeroDivisionError: no frames"
    assert found["Beyond"]["reason"][2] == "beyond gave 5.2, and its values are 0 to 5"
    for name in ("Raises", "Beyond"):
        assert found[name]["status"].tolist() == ["ok", "failed", "failed", "ok", "ok", "ok"]
    assert found["Beyond"]["value"][0] == 5.0000001
    assert set(found["Unbuilt"]["reason"]) == {"Unbuilt: RuntimeError: no such mode"}
    assert found["Level"]["status"].tolist().count("ok") == 5


def test_a_module_that_is_missing_is_said_after_the_other_metrics(world, make_item):
    node = world.scores([outside("NeedsModule"), make_item("si_sdr")])
    with pytest.raises(MissingPackageError, match=r"'needs_module' cannot be computed.*no_such_module_anywhere"):
        run(node, world.store, 2)
    assert part_path(node, world.store, node.spec["metrics"][1]).exists()


def test_a_package_that_was_planned_as_absent_is_a_hole(world, make_item, monkeypatch):
    monkeypatch.setattr(base, "installed", lambda package: package != "speechmos")
    item = {**make_item("dnsmos_p808"), "implementation": "speechmos absent"}
    found = scores_of(world, item, make_item("si_sdr"))
    assert set(found["dnsmos_p808"]["status"]) == {"failed"}
    assert "pip install speechmos" in found["dnsmos_p808"]["reason"][0]
    assert found["si_sdr"]["status"].tolist().count("ok") == 5


def test_an_outside_metric_is_known_by_its_code(world, make_item):
    item = outside("Level")
    found = scores_of(world, item, make_item("si_sdr"))
    assert set(found["Level"]["implementation"]) == {f"outside_metrics:Level (code {item['code'][:8]})"}
    assert set(found["si_sdr"]["implementation"]) == {"sebench si_sdr"}
    assert told_implementation({**item, "implementation": "pesq 0.0.4"}).endswith(f"{item['code'][:8]}, pesq 0.0.4)")


def test_labels_of_native_code_that_crashes(tmp_path):
    signal_of = np.random.default_rng(0).standard_normal
    with Labels(outside("Crashes"), 16000, tmp_path / "labels", "me", workers=1) as labels:
        asked = [labels.ask(s, s) for s in (signal_of(n).astype("f4") for n in (16000, 19200, 16001))]
        assert [label.value() for label in asked] == [0.5, None, 0.5]


def double(number: int) -> int:
    if number < 0:
        raise ValueError(number)
    return 2 * number


def wait(seconds: float) -> None:
    time.sleep(seconds)


def doze() -> None:
    while True:
        time.sleep(0.02)


def spin() -> None:
    while True:
        pass


def stop(mark: Path) -> str:
    mark.write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
    return "woken"


def end_after_a_child(status: int) -> None:
    if os.fork():
        os._exit(status)
    time.sleep(3)
    os._exit(0)


def end(status: int) -> None:
    os._exit(status)


def nothing() -> None:
    pass


def unfit() -> None:
    raise RuntimeError("no such weights")


def test_the_pool_hands_back_results_and_exceptions():
    with IsolatedPool(2, nothing) as pool:
        asked = [pool.submit(60, double, n) for n in range(20)]
        wrong, ended = pool.submit(60, double, -1), pool.submit(60, end, 3)
        after = pool.submit(60, double, 5)
        assert [future.result() for future in asked] == list(range(0, 40, 2))
        with pytest.raises(ValueError, match="-1"):
            wrong.result()
        with pytest.raises(WorkerDied, match="exit status 3") as died:
            ended.result()
        assert died.value.crashed
        assert after.result() == 10
    with IsolatedPool(1, unfit) as pool, pytest.raises(RuntimeError, match="no such weights"):
        pool.submit(60, double, 1).result()


def test_closing_the_pool_ends_what_runs_and_cancels_the_rest():
    pool = IsolatedPool(1, nothing)
    running, never = pool.submit(60, wait, 60), pool.submit(60, double, 1)
    while not running.running():
        time.sleep(0.01)
    pool.close()
    assert isinstance(running.exception(), WorkerDied)
    assert not running.exception().crashed
    assert never.cancelled()
    assert WorkerDied(-signal.SIGSEGV).crashed


@pytest.mark.parametrize(
    ("limit", "task", "told"),
    [
        (0.2, (spin,), "0.2 s of processor time"),
        (0.05, (wait, 60), "0.5 s, in which it slept"),
        (0.05, (doze,), "0.5 s, in which it slept"),
    ],
)
def test_what_never_returns_is_ended(limit: float, task: tuple, told: str) -> None:
    with IsolatedPool(1, nothing) as pool:
        endless, after = pool.submit(limit, *task), pool.submit(60, double, 4)
        with pytest.raises(NoAnswer, match=f"^no answer within {told}$") as ended:
            endless.result(30)
        assert ended.value.crashed
        assert after.result(30) == 8


def test_a_dead_process_is_seen_while_its_child_keeps_the_pipe() -> None:
    with IsolatedPool(1, nothing) as pool:
        started = time.monotonic()
        with pytest.raises(WorkerDied, match="exit status 3"):
            pool.submit(0.4, end_after_a_child, 3).result(30)
        assert time.monotonic() - started < 2.5


def test_a_process_that_never_starts_is_ended() -> None:
    with IsolatedPool(1, wait, (60,)) as pool, pytest.raises(NoAnswer):
        pool.submit(0.05, double, 1).result(30)


def test_the_time_of_a_stopped_process_does_not_count(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with IsolatedPool(1, nothing) as pool:
        stopped = pool.submit(0.05, stop, mark)
        while not mark.exists() or state_and_processor_time(int(mark.read_text() or -1))[0] != "T":
            time.sleep(0.01)
        time.sleep(1)  # it may sleep for half of that
        assert not stopped.done()
        os.kill(int(mark.read_text()), signal.SIGCONT)
        assert stopped.result(30) == "woken"


def test_the_time_in_which_the_whole_job_is_stopped_does_not_count() -> None:
    script = (
        "from sebench.process.isolated import IsolatedPool\ntask = 'import time; print(\"begun\"); time.sleep(1.6)'\n"
        "with IsolatedPool(1, bool) as pool:\n    print(pool.submit(0.1, exec, task).result())\n"
    )
    with subprocess.Popen([sys.executable, "-uc", script], stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "begun\n"
        job.send_signal(signal.SIGSTOP)
        time.sleep(1.2)  # it may sleep for one second
        job.send_signal(signal.SIGCONT)
        assert job.stdout.read() == "None\n"

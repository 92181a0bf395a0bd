"""Interrupted and resumed = never interrupted, bit for bit."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import pytest
import tiny_runs
from tiny_runs import Blow, contents, make_run

from sebench.artefacts import Node, Store
from sebench.training.checkpoint import latest

CONTEXT = multiprocessing.get_context("forkserver")
PRELOAD = "tiny_runs pyarrow.dataset sebench.synthesis.store sebench.training.engine sebench.training.step"
CONTEXT.set_forkserver_preload(PRELOAD.split())


@pytest.fixture(scope="module", autouse=True)
def server() -> None:
    """Start the process that imports torch once and from which the others are forked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # Python 3.11 does not hand its path on
        forkserver.ensure_running()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Node, dict[str, bytes]]:
    store = Store(tmp_path_factory.mktemp("plain"))
    node = make_run(store)
    assert child(store, node) == 0
    return store, node, contents(store, node)


def child(store: Store, node: Node, blow: Blow | None = None, save_seconds: float = 20.0) -> int:
    process = CONTEXT.Process(target=tiny_runs.run_in_child, args=(str(store.root), node.key, blow, save_seconds))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), signal.SIGTERM, signal.SIGINT]
)
def test_every_step(number: signal.Signals, plain: tuple[Store, Node, dict[str, bytes]], tmp_path: Path) -> None:
    _, node, expected = plain
    steps = range(node.spec["stage"]["steps"])
    for step in steps[:: 1 if number == signal.SIGKILL else 4]:
        store = Store(tmp_path / str(step))
        assert make_run(store).id == node.id
        code = child(store, node, Blow(number, step), save_seconds=0.0 if step % 2 else 20.0)
        assert code == (-signal.SIGKILL if number == signal.SIGKILL else 75)
        assert not store.outputs(node)["run.json"].exists()
        if number != signal.SIGKILL:
            found = latest(store.state(node))
            assert found is not None
            assert found.meta["step"] == step + 1
        assert child(store, node) == 0
        assert contents(store, node) == expected, f"interrupted in step {step}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_in_a_validation(number: signal.Signals, plain: tuple[Store, Node, dict[str, bytes]], tmp_path: Path) -> None:
    _, node, expected = plain
    store = Store(tmp_path)
    make_run(store)
    assert child(store, node, Blow(number, 0, in_validation=True)) != 0
    assert child(store, node) == 0
    assert contents(store, node) == expected


@pytest.mark.parametrize(
    "blow",
    [
        Blow(signal.SIGKILL, 0, in_preparation=True),
        Blow(signal.SIGTERM, 0, in_preparation=True),
        Blow(signal.SIGKILL, 4),
        Blow(signal.SIGTERM, 4),
    ],
)
def test_input_statistics(blow: Blow, tmp_path: Path) -> None:
    """They are measured once; interrupted in it, from the start."""
    stores = [Store(tmp_path / name) for name in ("plain", "interrupted")]
    nodes = [make_run(store, model=tiny_runs.item("TinyMeasured")) for store in stores]
    assert child(stores[0], nodes[0]) == 0
    assert child(stores[1], nodes[1], blow, save_seconds=0.0) == (-9 if blow.number == signal.SIGKILL else 75)
    found = latest(stores[1].state(nodes[1]))
    measured = 0 if found is None else int(found.tensors["module/model/statistics.count"])
    assert (measured > 0) == (not blow.in_preparation)
    again = Blow(signal.SIGKILL, 0, in_preparation=True) if measured else None  # it would die of looking at the set
    assert child(stores[1], nodes[1], again) == 0
    assert contents(stores[1], nodes[1]) == contents(stores[0], nodes[0])


def test_killed_again_and_again(plain: tuple[Store, Node, dict[str, bytes]], tmp_path: Path) -> None:
    _, node, expected = plain
    store = Store(tmp_path)
    make_run(store)
    for step in (1, 2, 5, 7):
        assert child(store, node, Blow(signal.SIGKILL, step), save_seconds=0.0) == -signal.SIGKILL
    assert len(list(store.state(node).rglob("checkpoint-*.safetensors"))) <= 2
    assert child(store, node) == 0
    assert contents(store, node) == expected
    assert not list(store.state(node).glob("attempt-*"))


def test_torn_and_damaged_checkpoints_are_passed_over(
    plain: tuple[Store, Node, dict[str, bytes]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, node, expected = plain
    store = Store(tmp_path)
    make_run(store)
    child(store, node, Blow(signal.SIGKILL, 5), save_seconds=0.0)
    good, torn = sorted(store.state(node).rglob("checkpoint-*.safetensors"))
    torn.write_bytes(torn.read_bytes()[:-100])
    found = latest(store.state(node))
    assert found is not None
    assert found.meta["step"] == 4
    assert "passing over" in caplog.text
    data = bytearray(good.read_bytes())
    data[-1] ^= 1
    good.write_bytes(data)
    assert latest(store.state(node)) is None
    assert child(store, node) == 0
    assert contents(store, node) == expected


def test_deleted_files_come_back(plain: tuple[Store, Node, dict[str, bytes]], tmp_path: Path) -> None:
    source, node, expected = plain
    shutil.copytree(source.root, tmp_path, dirs_exist_ok=True)
    store = Store(tmp_path)
    for path in store.outputs(node).values():
        path.unlink()
    code = (
        "import sys, time; from sebench.artefacts import Store; from sebench.training.step import run\n"
        "store = Store(sys.argv[1]); started = time.monotonic(); run(store.load(sys.argv[2]), store)\n"
        "assert 'torch' not in sys.modules; print(time.monotonic() - started)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), node.key], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.0
    assert contents(store, node) == expected

    shutil.rmtree(store.state(node))
    shutil.rmtree(store.folder(node))
    assert child(store, node) == 0
    assert contents(store, node) == expected


def test_a_signal_from_outside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    node = make_run(store, steps=100_000, validate_every=100_000)
    code = "import sys, tiny_runs\ntiny_runs.run_in_child(sys.argv[1], sys.argv[2], None, 20.0)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), node.key], env=environment)
    give_up = time.monotonic() + 60
    while not (store.state(node) / "progress.json").exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75
    found = latest(store.state(node))
    assert found is not None
    assert found.meta["step"] > 0

"""Two processes on the CPU (gloo) train what one trains on the joined batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_runs import contents, item, make_run, weights_path

from sebench.artefacts import Node, Store
from sebench.errors import DataError
from sebench.files import read_json
from sebench.stages import supervised
from sebench.training import kinds, step
from sebench.training import team as parallel
from sebench.training.checkpoint import read

HERE = Path(__file__).parent
STEPS = 6


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    # the followers are processes of their own: they find the tiny models by path
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]))
    return Store(tmp_path / "store")


def two(store: Store, **changes: object) -> Node:
    return make_run(store, devices=2, **{"steps": STEPS, "batch_size": 4, **changes})  # type: ignore[arg-type]


def test_the_mean_gradient_is_that_of_the_joined_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[torch.Tensor]] = []
    norm_of = supervised.norm_of

    def keeping(parameters: list[torch.nn.Parameter], clip_norm: float | None) -> float:
        seen.append([parameter.grad.clone() for parameter in parameters if parameter.grad is not None])
        return norm_of(parameters, clip_norm)

    monkeypatch.setattr(supervised, "norm_of", keeping)
    step.run(two(store, model=item("TinyPlain")), store)
    together, seen[:] = list(seen), []
    step.run(make_run(store, steps=STEPS, batch_size=4, model=item("TinyPlain")), store)
    assert len(together) == len(seen) == STEPS
    for one, other in zip(together, seen, strict=True):
        assert one
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
            assert a.abs().max() > 0


@pytest.mark.parametrize("model", ["TinyPlain", "TinyMeasured"])
def test_weights_and_reported_losses_agree(store: Store, model: str) -> None:
    plain = item(model)
    one, other = make_run(store, steps=STEPS, batch_size=4, model=plain), two(store, model=plain)
    assert one.id != other.id, "the number of devices is part of what a run is"
    for node in (one, other):
        step.run(node, store)
    alone, together = (read(weights_path(store, node)).tensors for node in (one, other))
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=1e-4, atol=1e-5)
    losses = [[row["loss"] for row in read_json(store.outputs(node)["history.json"])] for node in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_share_holds_each_row_once(store: Store) -> None:
    node = make_run(store, batch_size=4)
    context = step.context_of(node, store, torch.device("cpu"), parallel.ALONE)
    batch = kinds.build_stage(context).batches.batch(0)  # type: ignore[attr-defined]
    parts = [batch.rows(0, 2), batch.rows(2, 4)]
    assert torch.equal(torch.cat([part.noisy for part in parts]), batch.noisy)
    assert torch.equal(torch.cat([part.lengths for part in parts]), batch.lengths)  # type: ignore[misc]


@pytest.mark.slow
def test_interrupted_and_resumed_is_never_interrupted(store: Store, tmp_path: Path) -> None:
    node = two(store, steps=30)
    step.run(node, store)
    other = Store(tmp_path / "other")
    again = two(other, steps=30)
    program = (
        "import sys, time; from sebench.artefacts import Store; from sebench.stages import supervised\n"
        "from sebench.training import engine, step\n"
        "engine.SAVE_SECONDS = 0\n"
        "advance = supervised.Supervised.step\n"
        "def slow(self, number):\n    time.sleep(0.1)\n    return advance(self, number)\n"
        "supervised.Supervised.step = slow\n"
        "store = Store(sys.argv[1]); step.run(store.load(sys.argv[2]), store)\n"
    )
    for number in (signal.SIGKILL, signal.SIGTERM):
        child = subprocess.Popen([sys.executable, "-c", program, str(other.root), again.key])
        progress = other.state(again) / "progress.json"
        before = read_json(progress)["step"] if progress.exists() else 0
        give_up = time.monotonic() + 60
        while not progress.exists() or read_json(progress)["step"] < before + 4:
            assert time.monotonic() < give_up
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(number)
        assert child.wait(60) != 0
    step.run(again, other)
    assert contents(other, again) == contents(store, node)


def test_a_follower_that_fails_ends_the_run(store: Store) -> None:
    """It does not find the package of its model; rank 0, which does, must not wait for its gradients for ever."""
    node = two(store)
    program = (
        "import sys; sys.path.append(sys.argv[3])\n"
        "from sebench.artefacts import Store; from sebench.training import step\n"
        "store = Store(sys.argv[1]); step.run(store.load(sys.argv[2]), store)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.environ["PYTHONPATH"].removeprefix(str(HERE)).lstrip(os.pathsep)}
    command = [sys.executable, "-c", program, str(store.root), node.key, str(HERE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "a follower of this run ended" in done.stderr
    assert "tiny_runs" in done.stderr


def test_a_follower_that_is_killed_ends_the_run(store: Store) -> None:
    """Of three ranks the last dies, which no other rank waits for in particular."""
    node = make_run(store, devices=3, steps=2000, batch_size=3, validate_every=1000)
    program = (
        "import sys; from sebench.artefacts import Store; from sebench.training import step\n"
        "store = Store(sys.argv[1]); step.run(store.load(sys.argv[2]), store)\n"
    )
    command = [sys.executable, "-c", program, str(store.root), node.key]
    rank0 = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    give_up = time.monotonic() + 90
    while not (store.state(node) / "progress.json").exists():
        assert time.monotonic() < give_up
        time.sleep(0.05)
    children = Path(f"/proc/{rank0.pid}/task/{rank0.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    assert "ended with code -9" in rank0.communicate(timeout=60)[1]
    assert rank0.returncode == 1


def test_a_loss_that_is_not_finite_names_the_utterance(store: Store) -> None:
    node = two(store, bad=3, batch_size=4)
    step.run(node, store)
    report = read_json(store.outputs(node)["run.json"])
    assert report["status"] == "failed"
    assert report["mixtures"] == ["train-3"]


@pytest.mark.parametrize(
    ("devices", "batch", "there", "message"), [(2, 3, None, "2 divides"), (4, 8, 2, "2 are there")]
)
def test_what_cannot_be_shared_is_refused(devices: int, batch: int, there: int | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parallel.check_devices(devices, batch, there)

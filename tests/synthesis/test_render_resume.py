"""Rendering that is interrupted, fails or loses its lease, and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sebench.artefacts import Node, Store
from sebench.errors import DataError, RestartNeeded
from sebench.files import read_parquet
from sebench.synthesis import render
from sebench.synthesis.mixture import render_components
from sebench.synthesis.verify import verify_set


def index_of(store: Store, node: Node) -> pd.DataFrame:
    return read_parquet(store.outputs(node)["index.parquet"])


def shards_of(store: Store, node: Node) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.state(node).glob("shard-*"))}


def test_finished_set_publishes_again_with_the_same_bytes(
    make_set: Callable[..., tuple[Store, Node]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, node = make_set(5)
    render.run(node, store)
    path = store.outputs(node)["index.parquet"]
    first = path.read_bytes()
    path.unlink()
    monkeypatch.setattr(render, "_render", None)
    render.run(node, store)
    assert path.read_bytes() == first
    assert not list(store.state(node).glob("attempt-*"))


def test_only_missing_and_damaged_shards_are_rendered_again(
    make_set: Callable[..., tuple[Store, Node]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "SHARD_ROWS", 2)
    store, node = make_set(8)
    render.run(node, store)
    before, index = shards_of(store, node), store.outputs(node)["index.parquet"].read_bytes()
    state = store.state(node)
    (state / "index.parquet").unlink()
    (state / "shard-00001.f32").unlink()
    (state / "shard-00002.f32").write_bytes(b"\0" * len(before["shard-00002.f32"]))
    rendered = []
    original = render._render_shard

    def counted(shard: render.Shard) -> render.Shard:
        rendered.append(shard.number)
        return original(shard)

    monkeypatch.setattr(render, "_render_shard", counted)
    render.run(node, store)
    assert rendered == [1, 2]
    assert shards_of(store, node) == before
    assert store.outputs(node)["index.parquet"].read_bytes() == index


def test_an_error_in_one_row_keeps_the_finished_shards(
    make_set: Callable[..., tuple[Store, Node]], corpus_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "SHARD_ROWS", 2)
    store, node = make_set(6)
    original = render_components

    def failing(row: dict, *rest: Any) -> Any:
        if row["index"] == 5:
            raise DataError("disk on fire")
        return original(row, *rest)

    monkeypatch.setattr(render, "render_components", failing)
    with pytest.raises(DataError, match="on fire"):
        render.run(node, store)
    assert not store.complete(node)
    assert [path.name for path in sorted(store.state(node).glob("shard-*.f32"))] == [
        "shard-00000.f32",
        "shard-00001.f32",
    ]
    monkeypatch.setattr(render, "render_components", original)
    render.run(node, store)
    verify_set(index_of(store, node), store.state(node))


CHILD = """
import sys, time
from sebench.artefacts import Store
from sebench.synthesis import render
render.SHARD_ROWS = 2
original = render._render_shard
def slow(shard):
    time.sleep(0.2)
    return original(shard)
render._render_shard = slow
store = Store(sys.argv[1])
render.run(store.load(sys.argv[2]), store)
"""


def test_killed_and_resumed_is_never_interrupted(
    make_set: Callable[..., tuple[Store, Node]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "SHARD_ROWS", 2)
    whole, node = make_set(12, "whole")
    render.run(node, whole)
    killed, same = make_set(12, "killed")
    state = killed.state(same)
    environment = {**os.environ, "PYTHONPATH": str(Path(render.__file__).parents[2])}
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(killed.root), same.key], env=environment)
    give_up = time.monotonic() + 60
    while not (state / "shard-00001.parquet").exists() and child.poll() is None and time.monotonic() < give_up:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (state / "shard-00001.parquet").exists()
    assert not (state / "index.parquet").exists()
    kept = (state / "shard-00001.f32").stat().st_mtime_ns
    render.run(same, killed, threads=2)
    assert (state / "shard-00001.f32").stat().st_mtime_ns == kept
    assert index_of(killed, same).equals(index_of(whole, node))
    assert [data for name, data in shards_of(killed, same).items() if name.endswith("f32")] == [
        data for name, data in shards_of(whole, node).items() if name.endswith("f32")
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_keeps_what_it_has_and_asks_to_be_started_again(
    make_set: Callable[..., tuple[Store, Node]], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(render, "SHARD_ROWS", 2)
    store, node = make_set(8)
    original = render._render_shard

    def interrupted(shard: render.Shard) -> render.Shard:
        if shard.number == 1:
            os.kill(os.getpid(), number)
        return original(shard)

    monkeypatch.setattr(render, "_render_shard", interrupted)
    with pytest.raises(RestartNeeded, match=number.name):
        render.run(node, store)
    assert len(list(store.state(node).glob("shard-*.f32"))) == 2
    monkeypatch.setattr(render, "_render_shard", original)
    render.run(node, store)
    verify_set(index_of(store, node), store.state(node))


def test_a_writer_that_lost_its_lease_publishes_nothing(
    make_set: Callable[..., tuple[Store, Node]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sebench.process.lease import LeaseLost

    monkeypatch.setattr(render, "SHARD_ROWS", 2)
    store, node = make_set(6)
    original = render._render_shard

    def taken_over(shard: render.Shard) -> render.Shard:
        if shard.number == 1:
            (store.state(node) / "lease-000099.json").write_text("{}")
        return original(shard)

    monkeypatch.setattr(render, "_render_shard", taken_over)
    with pytest.raises(LeaseLost):
        render.run(node, store)
    assert sorted(path.name for path in store.state(node).glob("shard-*.f32")) == ["shard-00000.f32"]
    assert not store.complete(node)

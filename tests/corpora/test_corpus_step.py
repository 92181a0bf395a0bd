"""Step `corpus`: publishes, publishes again at once, and refuses files that are not those planned."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from sebench.artefacts import Node, Store
from sebench.corpora.builtin import Builtin
from sebench.corpora.fingerprint import fingerprint
from sebench.corpora.folder import Folder
from sebench.corpora.step import run
from sebench.errors import DataError

BUILTIN = {
    "type": "builtin",
    "version": Builtin.version,
    "params": {
        "train_utterances": 1,
        "valid_utterances": 1,
        "test_utterances": 1,
        "noise_files": 1,
        "noise_seconds": 1.0,
    },
}


def outputs(store: Store, node: Node) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in store.outputs(node).items()}


@pytest.fixture
def planned(folder_root: Path, tmp_path: Path) -> tuple[Node, Store]:
    spec = {
        "item": {"type": "folder", "version": Folder.version, "params": {}},
        "fingerprint": fingerprint(folder_root, Folder().files(folder_root)),
        "packages": {},
    }
    node, store = Node("corpus", "folder", spec), Store(tmp_path / "results")
    store.set_location(node.id, folder_root)
    return node, store


def test_a_folder_is_published_and_published_again_with_the_same_bytes(planned: tuple[Node, Store]):
    node, store = planned
    run(node, store, 1)
    first = outputs(store, node)
    for path in store.outputs(node).values():  # as Snakemake does before it starts a job
        path.unlink()
    run(node, store, 2)
    assert outputs(store, node) == first
    shutil.rmtree(store.state(node))
    run(node, store, 2)
    assert outputs(store, node) == first
    assert (store.folder(node) / "provenance.json").exists()


def test_files_that_changed_since_planning_stop_the_step(planned: tuple[Node, Store], folder_root: Path, write):
    node, store = planned
    run(node, store, 1)
    write(folder_root / "speech/train/a/new.wav")
    with pytest.raises(DataError, match=f"{folder_root} changed since this was planned"):
        run(node, store, 1)


def test_a_root_that_is_unknown_or_gone_stops_the_step(planned: tuple[Node, Store], folder_root: Path):
    node, store = planned
    shutil.rmtree(folder_root)
    with pytest.raises(DataError, match="is no folder"):
        run(node, store, 1)
    store.location_path(node.id).unlink()
    with pytest.raises(DataError, match="no root folder is known"):
        run(node, store, 1)


def test_generated_audio_comes_back_when_its_state_was_deleted(tmp_path: Path):
    node, store = Node("corpus", "builtin", {"item": BUILTIN, "fingerprint": "", "packages": {}}), Store(tmp_path)
    run(node, store, 1)
    first, audio = outputs(store, node), store.location(node)
    assert audio == store.state(node) / "audio"
    started = time.perf_counter()
    run(node, store, 1)
    assert time.perf_counter() - started < 0.5
    victim = next(audio.rglob("white*.flac"))
    data = victim.read_bytes()
    victim.unlink()
    run(node, store, 1)
    assert victim.read_bytes() == data
    assert outputs(store, node) == first

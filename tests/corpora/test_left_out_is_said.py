"""What a corpus left out is counted by plan, run and footer; sounds that were trained on are not tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpora import make_folder_corpus

from sebench.artefacts import Node, Store
from sebench.corpora import separation
from sebench.corpora.folder import Folder
from sebench.errors import DataError
from sebench.files import write_json, write_parquet
from sebench.plan.nodes import separation_node
from sebench.plan.summary import said_of_files
from sebench.tables.aggregate import TableReader
from sebench.tables.step import _said_of_files


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def corpus(store: Store, name: str) -> Node:
    node = Node("corpus", name, {"item": {"type": name}, "fingerprint": "", "packages": {}})
    store.freeze(node)
    return node


def test_said_of_files_are_counted_with_the_place_of_the_list(store: Store):
    whole, lossy = corpus(store, "whole"), corpus(store, "lossy")
    write_json(store.outputs(whole)["rejected.json"], [])
    write_json(store.outputs(lossy)["rejected.json"], [{"path": "a.wav", "reason": "silent"}] * 3)
    place = store.outputs(lossy)["rejected.json"]
    assert list(said_of_files([whole, lossy, corpus(store, "new")], store)) == [
        f"{lossy.stem}: 3 files left out, listed with reasons in {place}"
    ]
    mixtures = Node("mixtures", "m", {}, {"corpus": lossy.key})
    table = Node("table", "t", {}, {"a": mixtures.key, "b": whole.key})
    store.freeze(mixtures)
    store.freeze(table)
    assert store.ancestors(table, "corpus") == sorted([whole, lossy], key=lambda node: node.key)
    assert _said_of_files(TableReader(table, store, partial=True)) == [
        f"Left out of {lossy.stem}: 3 files, listed with reasons in corpora/{lossy.stem}/rejected.json"
    ]
    write_json(place, [{"path": "a.wav", "reason": "silent"}])
    (line,) = _said_of_files(TableReader(table, store, partial=True))
    assert line.startswith(f"Left out of {lossy.stem}: 1 file, listed")


def test_what_another_corpus_gives_to_training_is_not_tested(store: Store, tmp_path: Path):
    root = make_folder_corpus(tmp_path / "recordings")
    frame = Folder().build(root, root, 1).frame
    exchanged = frame.assign(split=frame["split"].map({"train": "test", "test": "train", "valid": "valid"}))
    nodes = {name: corpus(store, name) for name in ("one", "other", "apart")}
    apart = frame[frame["role"] == "noisy"]
    for name, manifest in (("one", frame), ("other", exchanged), ("apart", apart)):
        write_parquet(store.outputs(nodes[name])["manifest.parquet"], manifest.reset_index(drop=True))

    def compare(*tested: str) -> bool:
        node = separation_node([nodes["one"]], [nodes[name] for name in tested])
        assert node is not None
        store.freeze(node)
        separation.run(node, store)
        return store.complete(node)

    assert separation_node([nodes["one"]], [nodes["one"]]) is None, "its own splits are compared before mixing"
    assert separation_node([nodes["one"], nodes["other"]], []) is None
    assert compare("one", "apart")
    with pytest.raises(DataError, match=r"training by another corpus:\n.*one-\w+: train and other-\w+: test"):
        compare("one", "other")

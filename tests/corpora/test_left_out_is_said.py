"""What a corpus left out is counted by plan, run and footer; a test set of sounds that were trained on is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpora import make_folder_corpus

from sebench.artefacts import Node, Store
from sebench.corpora.folder import Folder
from sebench.corpora.separation import refuse_trained_on
from sebench.errors import DataError
from sebench.files import write_json, write_parquet
from sebench.plan.summary import files_left_out
from sebench.tables.aggregate import Reader
from sebench.tables.step import _left_out


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def corpus(store: Store, name: str) -> Node:
    node = Node("corpus", name, {"item": name})
    store.freeze(node)
    return node


def test_files_left_out_are_counted_with_the_place_of_the_list(store: Store):
    whole, lossy = corpus(store, "whole"), corpus(store, "lossy")
    write_json(store.outputs(whole)["rejected.json"], [])
    write_json(store.outputs(lossy)["rejected.json"], [{"path": "a.wav", "reason": "silent"}] * 3)
    place = store.outputs(lossy)["rejected.json"]
    assert list(files_left_out([whole, lossy, corpus(store, "new")], store)) == [
        f"{lossy.stem}: 3 files left out, listed with reasons in {place}"
    ]
    mixtures = Node("mixtures", "m", {}, {"corpus": lossy.key})
    table = Node("table", "t", {}, {"a": mixtures.key, "b": whole.key})
    store.freeze(mixtures)
    store.freeze(table)
    assert store.ancestors(table, "corpus") == sorted([whole, lossy], key=lambda node: node.key)
    assert _left_out(Reader(table, store, partial=True)) == [
        f"Left out of {lossy.stem}: 3 files, listed with reasons in corpora/{lossy.stem}/rejected.json"
    ]


def test_a_test_set_of_what_another_corpus_trained_on_is_refused(store: Store, tmp_path: Path):
    root = make_folder_corpus(tmp_path / "recordings")
    frame = Folder().build(root, root, 1).frame
    exchanged = frame.assign(split=frame["split"].map({"train": "test", "test": "train", "valid": "valid"}))
    nodes = {name: corpus(store, name) for name in ("one", "other", "apart")}
    apart = frame[frame["role"] == "noisy"]
    for name, manifest in (("one", frame), ("other", exchanged), ("apart", apart)):
        write_parquet(store.outputs(nodes[name])["manifest.parquet"], manifest.reset_index(drop=True))
    sets = {name: Node("set", name, {}, {"corpus": node.key}) for name, node in nodes.items()}
    run = Node("run", "r", {}, {"train": sets["one"].key})
    for node in (*sets.values(), run):
        store.freeze(node)

    def enhanced(name: str) -> Node:
        return Node("enhanced", name, {}, {"run": run.key, "set": sets[name].key})

    refuse_trained_on(enhanced("one"), store, sets["one"])  # its own splits were compared before mixing
    refuse_trained_on(enhanced("apart"), store, sets["apart"])
    with pytest.raises(DataError, match=r"trained on, from another corpus:\n.*one-\w+: train and other-\w+: test"):
        refuse_trained_on(enhanced("other"), store, sets["other"])

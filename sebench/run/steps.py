"""One step of the DAG: `sebench step KIND STEM` reads a frozen node and calls the function that makes it."""

from __future__ import annotations

import importlib

from sebench.artefacts import Node, Store
from sebench.config import own_code
from sebench.kinds import KINDS
from sebench.run.restore import restore


def run_step(kind: str, stem: str, results: str, threads: int) -> None:
    """Make one artefact.

    Args:
        kind: a key of `KINDS`.
        stem: the node's id, or its folder's name, which ends in the id.
        results: root of the store.
        threads: cores granted to this step.
    """
    store = Store(results)
    own_code.extend([*store.python_path(), *own_code.added()])
    make(store.load_stem(kind, stem), store, threads)


def make(node: Node, store: Store, threads: int) -> None:
    """Make one artefact in this process; what is gone of its parents' large files is made again first."""
    for key in node.parents.values():
        if KINDS[key.partition(":")[0]].whole:
            restore(store.load(key), store, threads)
    importlib.import_module(f"sebench.{KINDS[node.kind].step}").run(node, store, threads)

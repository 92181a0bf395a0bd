"""One step of the DAG: `sebench step KIND STEM` reads a frozen node and calls the function that makes it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from sebench.artefacts import Store
from sebench.config import own_code
from sebench.run.restore import RESTORED, restore

#: kind -> where `run(node, store, threads)` is
FUNCTIONS: Mapping[str, str] = {
    "corpus": "sebench.corpora.step",
    "mixtures": "sebench.synthesis.plan",
    "set": "sebench.synthesis.render",
    "separation": "sebench.corpora.separation",
    "run": "sebench.training.step",
    "choice": "sebench.training.choice",
    "enhanced": "sebench.enhancement.step",
    "scores": "sebench.scoring.step",
    "predictions": "sebench.enhancement.predictions",
    "complexity": "sebench.models.complexity",
    "table": "sebench.tables.step",
    "figure": "sebench.report.step",
    "publication": "sebench.tables.publication",
}


def run_step(kind: str, stem: str, results: str, threads: int) -> None:
    """Make one artefact; what is gone of its parents' large files is made again first.

    Args:
        kind: a key of `FUNCTIONS`.
        stem: the node's id, or its folder's name, which ends in the id.
        results: root of the store.
        threads: cores granted to this step.
    """
    store = Store(results)
    own_code.extend([*store.python_path(), *own_code.added()])
    node = store.load_stem(kind, stem)
    for key in node.parents.values():
        if key.partition(":")[0] in RESTORED:
            restore(store.load(key), store, threads)
    importlib.import_module(FUNCTIONS[kind]).run(node, store, threads)

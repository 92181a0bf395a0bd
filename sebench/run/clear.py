"""Clearing a run that failed, with all that was made from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from sebench.artefacts import Node, Store
from sebench.config.specs import ScoresSpec
from sebench.errors import SebenchError
from sebench.files import read_json, visible
from sebench.kinds import KINDS
from sebench.scoring.step import part_path


def clear_failure(store: Store, run: Node) -> Iterator[Path]:
    """Remove a failed run's files and those of everything made from it; yields what was removed.

    Raises:
        SebenchError: the run did not fail.
    """
    path = store.outputs(run)["run.json"]
    if not path.exists() or read_json(path)["status"] == "ok":
        raise SebenchError(f"{run.stem} did not fail: there is nothing to clear")
    for node in [run, *descendants(store, run)]:
        for part in score_parts(store, node):
            part.unlink(missing_ok=True)
        for folder in (store.folder(node), store.state(node)):
            if folder.exists():
                if node.kind == "publication":
                    for marker in store.outputs(node).values():
                        marker.unlink(missing_ok=True)
                        yield marker
                    break
                shutil.rmtree(folder)
                yield folder


def score_parts(store: Store, node: Node) -> list[Path]:
    """Where a score file's values lie metric by metric; none for other nodes."""
    return [part_path(node, store, item) for item in ScoresSpec.of(node.spec).metrics] if node.kind == "scores" else []


def descendants(store: Store, node: Node) -> list[Node]:
    """Every frozen node that is made from this one, directly or not."""
    frozen = [
        store.load(f"{kind}:{path.stem}") for kind in KINDS for path in visible(store.root / "frozen" / kind, "*.yaml")
    ]
    found = {node.key: node}
    while True:
        more = [n for n in frozen if n.key not in found and any(key in found for key in n.parents.values())]
        if not more:
            return [n for key, n in found.items() if key != node.key]
        found.update({n.key: n for n in more})

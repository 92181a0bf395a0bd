"""Finding a run by what a person types, and clearing one that failed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from sebench.artefacts import KINDS, Node, Store
from sebench.errors import SebenchError, nearest
from sebench.files import read_json, visible


def find_run(store: Store, what: str) -> Node:
    """The run that is meant by its folder, the folder's name, its id, or the beginning of either.

    Raises:
        SebenchError: none or several; says which there are.
    """
    name = Path(what).name
    stems = sorted(path.name for path in (store.root / "runs").glob("*-*"))
    found = [stem for stem in stems if stem == name or stem.rpartition("-")[2] == name]
    found = found or [stem for stem in stems if stem.startswith(name) or stem.rpartition("-")[2].startswith(name)]
    if len(found) != 1:
        reason = "several runs begin so" if found else "no such run"
        near = nearest(name, stems)
        listed = ", ".join(found or stems) or f"none in {store.root}"
        raise SebenchError(f"{what}: {reason}; runs: {listed}" + (f"; nearest: {near}" if near else ""))
    return store.load_stem("run", found[0])


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
    from sebench.metrics.step import part_path

    return [part_path(node, store, item) for item in node.spec["metrics"]] if node.kind == "scores" else []


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

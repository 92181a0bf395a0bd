"""Which missing nodes one job makes: what is short and belongs together, such as all conditions of a run.

Nodes stay what they are: each has its own id and its own folder. A batch is a node of its own (`KINDS` says which kinds
are batches), whose spec lists its pieces. It is planned for what is missing now: a piece that was deleted alone is a
batch alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

from sebench.artefacts import Node, Store
from sebench.kinds import KINDS

_PLACES = {kind: place for place, kind in enumerate(KINDS)}


def family(node: Node, find: Callable[[str], Node]) -> tuple[str, str, str] | None:
    """What a node has in common with those that one job makes: the batch's kind, what it is about, and its readable
    name. None for a node that has a job of its own.

    Args:
        find: a node by its key "kind:id".
    """
    match node.kind:
        case "mixtures" if node.spec["split"] == "test":
            corpus = node.parents["corpus"]
            return "test_data", corpus, f"{find(corpus).name}-test"
        case "mixtures":
            return "data", node.key, node.name
        case "set":
            return family(find(node.parents["mixtures"]), find)
        case "enhanced":
            by = node.parents.get("run")
            return "evaluation", by or node.spec["external"]["sha256"], find(by).name if by else node.name
        case "scores" if "enhanced" in node.parents:
            return family(find(node.parents["enhanced"]), find)
        case "scores":
            corpus = find(node.parents["set"]).parents["corpus"]
            return "noisy", corpus, f"noisy-{find(corpus).name}"
        case "predictions":
            by = node.parents["run"]
            return "prediction", by, find(by).name
        case "complexity":
            return "sizes", "", "models"
    return None


def batches(missing: Iterable[Node], find: Callable[[str], Node], store: Store) -> dict[str, Node]:
    """The batch that each missing node is made in, by the node's key; nodes that have a job of their own are not in it.

    What could be made now is not in one batch with what waits for another job: that one may fail.

    Args:
        missing: nodes that are not complete, parents first.
        find: a node by its key "kind:id".
    """
    families: dict[str, tuple[str, str, str]] = {}
    absent: set[str] = set()
    ready: set[str] = set()
    gathered: dict[tuple[str, str, bool], list[Node]] = {}
    names: dict[tuple[str, str, bool], str] = {}
    for node in missing:
        absent.add(node.key)
        found = family(node, find)
        if found is None:
            continue
        kind, about, name = families[node.key] = found
        waited = [key for key in node.parents.values() if key in absent]
        if all(key in ready and families.get(key) == found for key in waited):
            ready.add(node.key)
        place = (kind, about, node.key in ready)
        gathered.setdefault(place, []).append(node)
        names.setdefault(place, name)
    made: dict[str, Node] = {}
    for place, pieces in gathered.items():
        batch = _batch(place[0], names[place], pieces, store)
        made |= dict.fromkeys((piece.key for piece in pieces), batch)
    return made


def _batch(kind: str, name: str, pieces: list[Node], store: Store) -> Node:
    keys = sorted((piece.key for piece in pieces), key=lambda key: (_PLACES[key.partition(":")[0]], key))
    hints = {"threads": max(int(piece.hints.get("threads", 1)) for piece in pieces)}
    # Pieces that were made and deleted again are another batch: the marker of the first is still there.
    generations = (Node(kind, name, {"pieces": keys, "generation": n}, hints=hints) for n in count())
    return next(batch for batch in generations if not store.complete(batch))

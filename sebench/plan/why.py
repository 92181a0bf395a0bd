"""`sebench plan --why`: for each new run, the key that made it new, against the most similar run in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sebench.artefacts import Node, Store
from sebench.errors import DataError
from sebench.files import visible
from sebench.plan.plan import Plan


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings and lists as one mapping of dotted keys."""
    if isinstance(value, dict) and value:
        return {k: v for key, part in value.items() for k, v in flat(part, f"{prefix}{key}.").items()}
    if isinstance(value, list) and value:
        return {k: v for index, part in enumerate(value) for k, v in flat(part, f"{prefix}{index}.").items()}
    return {prefix.rstrip("."): value}


def description(node: Node, nodes: Mapping[str, Node], store: Store) -> dict[str, Any]:
    """A run's spec with its parents' specs in place of their ids."""
    result = flat(dict(node.spec))
    for role, key in node.parents.items():
        parent = nodes.get(key)
        if parent is None:
            try:
                parent = store.load(key)
            except DataError:
                result[f"{role}"] = key
                continue
        result.update({f"{role}.{k}": v for k, v in description(parent, nodes, store).items()})
    return result


def reasons(plan: Plan, store: Store) -> Iterator[str]:
    """Lines for every new run of the plan."""
    nodes = plan.nodes.by_key
    done = list(_frozen_runs(store))
    described = {node.key: description(node, {}, store) for node in done}
    if all(store.complete(run) for planned in plan.cells for run in planned.chain):
        yield "no cell is new: every run is there"
    for planned in plan.cells:
        for run in planned.chain:
            if store.complete(run):
                continue
            head = f"{planned.cell.label} seed {planned.cell.seed}: {run.stem}"
            others = {key: value for key, value in described.items() if key != run.key}
            if run.key in described:
                yield f"{head}: was planned before and is not finished"
                continue
            if not others:
                yield f"{head}: nothing was computed in this store yet"
                continue
            mine = description(run, nodes, store)
            same_model = {
                node.key: others[node.key]
                for node in done
                if node.key in others and node.spec["model"]["type"] == run.spec["model"]["type"]
            }
            nearest = min((same_model or others).items(), key=lambda pair: _distance(mine, pair[1]))
            yield f"{head}: differs from {nearest[0]} in"
            for key in sorted(mine.keys() | nearest[1].keys()):
                old, new = nearest[1].get(key, "(absent)"), mine.get(key, "(absent)")
                if old != new:
                    yield f"    {key}: {old} -> {new}"


def _distance(one: dict[str, Any], other: dict[str, Any]) -> int:
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())


def _frozen_runs(store: Store) -> Iterator[Node]:
    for path in visible(store.root / "frozen" / "run", "*.yaml"):
        node = store.load(f"run:{path.stem}")
        if store.complete(node):
            yield node

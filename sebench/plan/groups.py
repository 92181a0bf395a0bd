"""Which jobs are one submission on a cluster: short ones that belong together.

A group's name ends in what its members have in common; Snakemake merges the unconnected parts of a group (the
conditions of one run) as far as `group-components` of the profile says, under the group's family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sebench.artefacts import Node
from sebench.kinds import KINDS


def group(node: Node, find: Callable[[str], Node]) -> tuple[str, str] | None:
    """Family and name of the group that a node's job belongs to; None for a job that is submitted alone.

    Args:
        find: a node by its key "kind:id".
    """
    if node.kind == "mixtures":
        return "data", f"data-{node.id}"
    if node.kind == "set":
        return "data", f"data-{find(node.parents['mixtures']).id}"
    if node.kind == "complexity":
        return "complexity", "complexity"
    if node.kind == "enhanced":
        if "external" in node.spec:
            return "evaluation", f"evaluation-{node.spec['external']['sha256'][:10]}"
        return "evaluation", f"evaluation-{node.parents['run'].partition(':')[2]}"
    if node.kind == "predictions":
        return "evaluation", f"predictions-{node.parents['run'].partition(':')[2]}"
    if node.kind == "scores":
        if "enhanced" not in node.parents:
            return "noisy", "noisy"
        return group(find(node.parents["enhanced"]), find)
    return None


def submissions(nodes: Iterable[Node], find: Callable[[str], Node], members: int) -> int:
    """How many jobs a cluster is sent for these nodes.

    Args:
        nodes: to be made.
        find: a node by its key.
        members: the largest number of connected parts of a group in one submission (`group-components`).
    """
    alone = 0
    parts: dict[str, set[str]] = {}
    for node in nodes:
        if KINDS[node.kind].local:
            continue
        found = group(node, find)
        if found is None:
            alone += 1
            continue
        # The score of an enhanced set is one part with it where both are to be made.
        part = node.parents.get("enhanced") or node.parents.get("mixtures") or node.key
        parts.setdefault(found[1], set()).add(part)
    return alone + sum(-(-len(found) // members) for found in parts.values())

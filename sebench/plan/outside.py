"""What code from outside a plan's ids depend on, file by file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from sebench.artefacts import Node
from sebench.config.code import code_of
from sebench.config.source import module_path

#: Kinds of nodes that are computed by items.
COMPUTED = frozenset({"corpus", "run", "enhanced", "scores", "complexity", "table", "figure"})


def outside_code(nodes: Iterable[Node]) -> Iterator[str]:
    """A line for each file or distribution that counts, with the items that it counts for, if there are any."""
    types = dict.fromkeys(path for node in nodes if node.kind in COMPUTED for path in _outside(node.spec))
    counts: dict[str, list[str]] = defaultdict(list)
    for path in types:
        code = code_of(path)
        files = {found for name in code.modules if (found := module_path(name)) is not None} | code.files
        for what in (
            *sorted(map(str, files)),
            *(f"{distribution}, by its version" for distribution in sorted(code.packages)),
            *(f"{call}, which cannot be followed and does not count" for call in sorted(code.unseen)),
        ):
            counts[what].append(path)
    if counts:
        yield "code from outside that ids depend on (sebench, what it requires and Python are not told):"
        yield from (f"  {what}: for {', '.join(items)}" for what, items in counts.items())


def _outside(value: Any) -> Iterator[str]:
    """`package.module:Class` of each item in a spec that is known by its code."""
    if isinstance(value, dict):
        if "code" in value:
            yield value["figure" if "figure" in value else "type"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _outside(part)

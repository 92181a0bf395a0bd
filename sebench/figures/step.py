"""Make a figure: PNG, SVG and the numbers behind it."""

from __future__ import annotations

import time

from sebench.artefacts import Node, Store
from sebench.config import items
from sebench.config.facts import FIGURE
from sebench.figures.style import encoded
from sebench.files import write_bytes, write_text


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Write figure.png, figure.svg and figure.csv.

    Raises:
        ItemError: the kind of figure is not here, or not what it was when this was planned.
    """
    del threads
    started = time.time()
    content = dict(node.spec)
    known = ("version", "code")
    kind = items.build({"type": content["figure"], **{key: content.get(key) for key in known}}, FIGURE)
    content = {key: value for key, value in content.items() if key not in ("figure", *known)}
    figure, numbers = kind.make(node, store, kind.spec.model_validate(content))
    for suffix in ("png", "svg"):
        write_bytes(store.outputs(node)[f"figure.{suffix}"], encoded(figure, suffix))
    write_text(store.outputs(node)["figure.csv"], numbers)
    store.write_provenance(node, started)

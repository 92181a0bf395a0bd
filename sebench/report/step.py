"""Make a figure: PNG, SVG and the numbers behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from sebench.artefacts import Node, Store
from sebench.config.figures import read_spec
from sebench.files import write_bytes, write_text
from sebench.report import distributions, epochs, scatter, spectrograms, sweep
from sebench.report.style import encoded

#: Kind of figure -> what gives it and its numbers.
MAKERS: Mapping[str, Callable[[Node, Store, Any], tuple[Any, str]]] = {
    "spectrograms": spectrograms.make,
    "sweep": sweep.make,
    "distributions": distributions.make,
    "scatter": scatter.make,
    "epochs": epochs.make,
}


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Write figure.png, figure.svg and figure.csv."""
    del threads
    started = time.time()
    spec = read_spec.validate_python(dict(node.spec))
    figure, numbers = MAKERS[spec.figure](node, store, spec)
    for suffix in ("png", "svg"):
        write_bytes(store.outputs(node)[f"figure.{suffix}"], encoded(figure, suffix))
    write_text(store.outputs(node)["figure.csv"], numbers)
    store.write_provenance(node, started)

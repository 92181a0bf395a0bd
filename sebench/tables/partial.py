"""Tables of what there is, when some jobs failed: beside the rules' own outputs, never onto them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sebench.artefacts import Node, Store
from sebench.tables.step import write_partial as write_one


def write_partial(publication: Node, nodes: Mapping[str, Node], store: Store) -> Path:
    """Write every table of a publication to its folder's `partial/`, with holes for what is missing."""
    folder = store.folder(publication) / "partial"
    for name, key in publication.parents.items():
        if key.startswith("table:"):
            write_one(nodes[key], store, folder / name)
    return folder

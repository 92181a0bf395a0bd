"""Tables of what there is, when some jobs failed: beside the rules' own outputs, never onto them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from sebench.artefacts import Node, Store
from sebench.tables.step import write_partial as write_one

FOLDER = "partial"


def write_partial(publication: Node, nodes: Mapping[str, Node], store: Store) -> Path:
    """Write every table of a publication to its folder's `partial/`, with holes for what is missing."""
    folder = store.folder(publication) / FOLDER
    for name, key in publication.parents.items():
        if key.startswith("table:"):
            write_one(nodes[key], store, folder / name)
    return folder


def remove_partial(publication: Node, store: Store) -> None:
    """Remove the partial tables of an earlier attempt: the whole ones are there."""
    shutil.rmtree(store.folder(publication) / FOLDER, ignore_errors=True)

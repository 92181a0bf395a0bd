"""Finding a rendered set by what a person types."""

from __future__ import annotations

from pathlib import Path

from sebench.artefacts import Node, Store
from sebench.errors import SebenchError, absent


def find_set(store: Store, what: str) -> Node:
    """The set that is meant by its folder, the folder's name, or its id.

    Raises:
        SebenchError: none; says which there are.
    """
    name = Path(what).name
    stems = store.stems("set")
    found = [stem for stem in stems if name in (stem, stem.rpartition("-")[2])]
    if not found:
        raise SebenchError(f"{absent('rendered set', what, stems)} (in {store.root})")
    return store.load_stem("set", found[0])

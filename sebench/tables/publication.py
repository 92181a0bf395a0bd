"""The readable copy of a study's current tables and figures: `results/tables/<study>-<scale>-<corpus>/`."""

from __future__ import annotations

import shutil

from sebench.artefacts import Node, Store
from sebench.files import replacing, write_text


def run(node: Node, store: Store, threads: int) -> None:
    """Copy every parent's files to the study's folder under the names the study gives them.

    Files of an earlier publication that this one does not have are removed; the marker that names this
    publication is written last.
    """
    del threads
    folder = store.folder(node)
    wanted = set()
    for name, key in node.parents.items():
        parent = store.load(key)
        for path in store.outputs(parent).values():
            target = folder / f"{name}{path.suffix}"
            wanted.add(target.name)
            with replacing(target) as temporary:
                shutil.copyfile(path, temporary)
        provenance = store.folder(parent) / "provenance.json"
        if provenance.exists():
            wanted.add(f"{name}.provenance.json")
            with replacing(folder / f"{name}.provenance.json") as temporary:
                shutil.copyfile(provenance, temporary)
    for path in folder.iterdir():
        if path.is_file() and path.name not in wanted:
            path.unlink()
    (marker,) = store.outputs(node).values()
    write_text(marker, "\n".join(sorted(wanted)) + "\n")

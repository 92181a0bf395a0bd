"""Finding a run by what a person types."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sebench.artefacts import Node, Store
from sebench.config.specs import ChoiceSpec
from sebench.errors import DataError, SebenchError, nearest
from sebench.training.choice import chosen_run

#: So many runs are listed at most; what is typed is mostly close to one of them.
LISTED = 12


def find_run(store: Store, what: str) -> Node:
    """The run that is meant by its folder, the folder's name, its id, the beginning of either, or its row's label.

    A label means the last stage of the row, or the run that a choice chose.

    Raises:
        SebenchError: none or several; says which there are.
    """
    name = Path(what).name
    stems = store.stems("run")
    found = [stem for stem in stems if stem == name or stem.rpartition("-")[2] == name]
    if found:
        return store.load_stem("run", found[0])
    labels = _labels(store, stems)
    found = sorted(stem for stem, told in labels.items() if what in told)
    reason = "several runs belong to a row of this label"
    if not found:
        found = [stem for stem in stems if name and (stem.startswith(name) or stem.rpartition("-")[2].startswith(name))]
        reason = "several runs begin so"
    if len(found) == 1:
        return store.load_stem("run", found[0])
    if found:
        raise SebenchError(f"{what}: {reason}; give the id of one: {_listed(found, labels)}")
    known = [*stems, *{label for told in labels.values() for label in told}]
    near = nearest(name, known) or nearest(what, known)
    hint = f"; did you mean {near!r}?" if near else ""
    raise SebenchError(f"{what}: no such run; runs: {_listed(stems, labels) or f'none in {store.root}'}{hint}")


def _labels(store: Store, stems: Iterable[str]) -> dict[str, set[str]]:
    """Of each run the labels of the rows that it is the last stage of, and of those that chose it."""
    nodes = {}
    for stem in stems:
        with contextlib.suppress(DataError):  # of a run whose frozen file is gone nothing is known but its name
            nodes[stem] = store.load_stem("run", stem)
    told = {stem: {str(node.hints.get("label", ""))} for stem, node in nodes.items()}
    stem_of = {node.key: stem for stem, node in nodes.items()}
    for stem, node in nodes.items():
        for role, key in node.parents.items():
            if role.startswith("init:") and key in stem_of:  # an earlier stage of the same row has its label too
                told[stem_of[key]] -= {str(nodes[stem].hints.get("label", ""))}
    for path in sorted((store.root / "frozen" / "choice").glob("*.yaml")):
        with contextlib.suppress(DataError):  # not chosen yet
            choice = store.load(f"choice:{path.stem}")
            for seed in ChoiceSpec.of(choice.spec).seeds:
                run, _ = chosen_run(choice, store, seed)
                if run is not None and run.key in stem_of:
                    told[stem_of[run.key]].add(str(choice.hints.get("label", "")))
    return {stem: labels - {""} for stem, labels in told.items()}


def _listed(stems: Sequence[str], labels: Mapping[str, set[str]]) -> str:
    shown = [f"{stem} ({', '.join(sorted(labels[stem]))})" if labels.get(stem) else stem for stem in stems[:LISTED]]
    return ", ".join(shown) + (f" and {len(stems) - LISTED} more" if len(stems) > LISTED else "")

"""`sebench gc`: what no current study needs, what killed processes left, and their sizes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sebench.artefacts import Node, Store, content_id
from sebench.config.entries import Config
from sebench.files import visible
from sebench.kinds import KINDS
from sebench.plan.build import build_plan
from sebench.plan.nodes import CorpusMissing, CorpusUnfit
from sebench.process.once import leftovers
from sebench.run.clear import score_parts
from sebench.training.step import LABELS


@dataclass(frozen=True)
class Unneeded:
    """A folder or file of the store that no study refers to; with `files`, only these files of the folder."""

    path: Path
    size: int
    files: tuple[Path, ...] = ()


def needed_ids(config: Config, store: Store, corpora: list[str | None]) -> tuple[set[str], list[str]]:
    """Ids that any study needs, at any scale, on its own corpus or a named one; and what could not be planned.

    Parts of score files, and the labels of predictors, are named by keys of their own, which are among the ids.
    """
    ids: set[str] = set()
    unknown = []
    for study in config.sections["studies"]:
        for scale in config.sections["scales"]:
            for corpus in corpora:
                try:
                    plan = build_plan(config, study, scale, corpus, store)
                except CorpusUnfit:  # nothing can have been made of this pair
                    continue
                except CorpusMissing as error:
                    unknown.append(str(error))
                    continue
                unknown += [f"{cell.reason}; {cell.hint}" for cell in plan.excluded if cell.hint]
                for node in plan.nodes.by_key.values():
                    ids.add(node.id)
                    ids.update(_kept_beside(store, node))
    return ids, list(dict.fromkeys(unknown))


def unneeded(config: Config, store: Store) -> tuple[list[Unneeded], list[str]]:
    """What may go, largest first; and notes on what was kept because it cannot be judged."""
    corpora: list[str | None] = [None, *config.sections["corpora"]]
    ids, notes = needed_ids(config, store, corpora)
    absent = set(_descendants_of_absent(config, store)) if notes else set()
    found = []
    for path, node_id in _stored(store):
        if node_id not in ids and node_id not in absent:
            found.append(Unneeded(path, _size(path)))
    found += _unneeded_responses(store, ids | absent)
    found += _of_killed_processes(store, {item.path for item in found})
    return sorted(found, key=lambda item: -item.size), notes


def _stored(store: Store) -> Iterator[tuple[Path, str]]:
    for kind in KINDS.values():
        for path in visible(store.root / "frozen" / kind.name, "*.yaml"):
            yield path, path.stem
        if kind.name != "publication":
            for path in sorted((store.root / kind.folder).glob("*-*")):
                yield path, path.name.rpartition("-")[2]
    for path in sorted((store.root / "state").glob("*-*")):
        if path.name.partition("-")[0] in KINDS:
            yield path, path.name.rpartition("-")[2]
    for path in sorted((store.root / "state" / "score-parts").glob("*.parquet")):
        yield path, path.stem
    for path in sorted((store.root / "state" / LABELS).glob("*")):
        yield path, path.name


def _of_killed_processes(store: Store, going: set[Path]) -> Iterator[Unneeded]:
    """What drivers and holders of leases left behind, but for folders that go as a whole."""
    for folder in (store.root, *sorted((store.root / "state").glob("*-*"))):
        if folder not in going:
            yield from (Unneeded(path, _size(path)) for path in leftovers(folder))


def _kept_beside(store: Store, node: Node) -> Iterator[str]:
    """Names of what a node uses in the store that is no node: parts of scores, and the labels of a metric."""
    yield from (part.stem for part in score_parts(store, node))
    if node.kind == "run" and "labels" in node.spec["stage"]:
        yield content_id(node.spec["stage"]["labels"])


def _unneeded_responses(store: Store, ids: set[str]) -> Iterator[Unneeded]:
    """Simulated impulse responses of rooms that none of these sets has."""
    kept = store.root / "state" / "rooms"
    files = sorted(kept.glob("*/*.npz"))
    if not files:
        return
    from sebench.files import read_parquet
    from sebench.synthesis.responses import Responses  # NumPy

    responses = Responses(kept)
    needed: set[Path] = set()
    for path in visible(store.root / "frozen" / "set", "*.yaml"):
        node = store.load(f"set:{path.stem}")
        plan = store.outputs(store.parent(node, "mixtures"))["mixtures.parquet"]
        if node.id in ids and plan.exists():
            frame = read_parquet(plan)
            simulated = frame["room"][(frame["room"] != "") & (frame["rir_path"] == "")]
            needed.update(responses.path(room, int(node.spec["sample_rate"])) for room in simulated)
    spare = tuple(path for path in files if path not in needed)
    if spare:
        yield Unneeded(kept, sum(path.stat().st_size for path in spare), spare)


def _descendants_of_absent(config: Config, store: Store) -> Iterator[str]:
    """Ids of everything made from a corpus, or by an external model, whose files are not here now: it cannot be
    judged, so it is kept."""
    here = {node.id for node in _present_corpora(config, store)}
    # An entry without its file could mean any file.
    no_file = {entry.type for entry in _external_without_file(config)}
    doubtful: set[str] = set()
    frozen = [
        store.load(f"{kind}:{path.stem}") for kind in KINDS for path in visible(store.root / "frozen" / kind, "*.yaml")
    ]
    for _ in KINDS:
        for node in frozen:
            from_absent = node.kind == "corpus" and node.spec["fingerprint"] and node.id not in here
            by_absent = node.spec.get("external", {}).get("type") in no_file
            if from_absent or by_absent or any(key.partition(":")[2] in doubtful for key in node.parents.values()):
                doubtful.add(node.id)
                doubtful.update(_kept_beside(store, node))
    yield from doubtful


def _external_without_file(config: Config) -> Iterator[Any]:
    from sebench.plan.external import ExternalMissing, external_item

    for name, named in config.sections["external"].items():
        try:
            external_item(config, name)
        except ExternalMissing:
            yield named.entry


def _present_corpora(config: Config, store: Store) -> Iterator[Node]:
    from sebench.plan.nodes import corpus_node

    for name in config.sections["corpora"]:
        try:
            yield corpus_node(config, store, name)
        except CorpusMissing:
            continue


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def delete(items: list[Unneeded]) -> None:
    """Remove folders and files."""
    for item in items:
        if item.files:
            for path in item.files:
                path.unlink(missing_ok=True)
        elif item.path.is_dir():
            shutil.rmtree(item.path)
        else:
            item.path.unlink(missing_ok=True)

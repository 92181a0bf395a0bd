"""Step `corpus`: build a manifest, and for a generated corpus its audio."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sebench.artefacts import Node, Store
from sebench.config.specs import CorpusSpec
from sebench.corpora.fingerprint import fingerprint
from sebench.errors import DataError
from sebench.files import read_parquet, write_bytes, write_json, write_parquet

if TYPE_CHECKING:
    from sebench.corpora.base import Corpus
    from sebench.corpora.manifest import Manifest

_log = logging.getLogger(__name__)


def cache_path(store: Store) -> Path:
    """Where block hashes of corpus files are kept between starts."""
    return store.root / "state" / "fingerprints.json"


def run(node: Node, store: Store, threads: int) -> None:
    """Write `manifest.parquet`, `rejected.json` and `provenance.json`.

    Finished work is kept in the node's state folder and published again from there; where audio that was generated
    is gone, it is generated again.

    Raises:
        DataError: the files are not what was planned, or not what the corpus must be.
    """
    from sebench.config.items import build
    from sebench.corpora.pairs import confirmed

    started = time.time()
    spec = CorpusSpec.of(node.spec)
    corpus: Corpus = build(spec.item, kind="corpus")
    corpus.align = spec.align
    root = store.location(node)
    if corpus.needs_root:
        _confirm(corpus, spec, node, store, root)
    kept = {name: store.state(node) / name for name in store.outputs(node)}
    finished = all(path.exists() for path in kept.values()) and _present(kept["manifest.parquet"], root)
    if not finished:
        manifest = confirmed(corpus, root, corpus.build(root, root, max(1, threads)), max(1, threads))
        rejected = _all_rejected(corpus, root, manifest)
        if spec.strict and rejected:
            raise DataError(f"{root}: `strict` is set, and {_left_out(rejected)}")
        write_parquet(kept["manifest.parquet"], manifest.frame)
        write_json(kept["rejected.json"], rejected)
    for name, target in store.outputs(node).items():
        data = kept[name].read_bytes()
        if name == "manifest.parquet" and target.exists() and target.read_bytes() != data:
            _log.warning("%s: replaced: building %s again gave another manifest", target, corpus.name)
        write_bytes(target, data)
    store.write_provenance(node, started, root=str(root), reused=finished)


def _all_rejected(corpus: Corpus, root: Path, manifest: Manifest) -> list[dict[str, str]]:
    """What the corpus left out, and what lies beside its files and could not even be considered."""
    from sebench.corpora.audio import SUFFIXES
    from sebench.corpora.recording import unusable_in, warn

    if not corpus.needs_root:
        return manifest.rejected
    files = list(corpus.files(root))
    places = [path.relative_to(root).parts for path in files]
    read = SUFFIXES | {path.suffix.lower() for path in files}
    told = {entry["path"] for entry in manifest.rejected}
    used = set(manifest.frame["path"].str.partition("#")[0])
    odd = unusable_in(root, sorted({parts[0] for parts in places if len(parts) > 1}), read)
    more = [(path, reason) for path, reason in odd if path not in told | used]
    warn(root, more)
    return sorted(
        [*manifest.rejected, *({"path": path, "reason": reason} for path, reason in more)],
        key=lambda entry: (entry["path"], entry["reason"]),
    )


def _left_out(rejected: Sequence[Mapping[str, str]]) -> str:
    shown = [f"{item['path']}: {item['reason']}" for item in rejected[:10]]
    more = [f"and {len(rejected) - 10} more"] if len(rejected) > 10 else []
    return "\n  ".join([f"{len(rejected)} files cannot be used:", *shown, *more])


def _present(manifest: Path, root: Path) -> bool:
    """Whether every file that a kept manifest names is still there."""
    from sebench.corpora.audio import file_of

    return all(file_of(root / path).exists() for path in read_parquet(manifest)["path"])


def is_whole(node: Node, store: Store) -> bool:
    """Whether generated audio is all there; of a person's own files, the steps say which is missing."""
    own = store.location_path(node.id).exists()
    return own or _present(store.outputs(node)["manifest.parquet"], store.location(node))


def _confirm(corpus: Corpus, spec: CorpusSpec, node: Node, store: Store, root: Path) -> None:
    if not store.location_path(node.id).exists():
        raise DataError(f"corpus {corpus.name!r} ({node.key}): no root folder is known; plan again with its `root`")
    if not root.is_dir():
        raise DataError(f"corpus {corpus.name!r}: its root {root} is no folder")
    found = fingerprint(root, corpus.files(root), cache_path(store))
    if found != spec.fingerprint:
        raise DataError(
            f"corpus {corpus.name!r}: the files in {root} changed since this was planned (fingerprint {found[:10]}, "
            f"planned {spec.fingerprint[:10]}); plan again: that makes a new corpus node"
        )

"""Large files that are gone although their node's outputs are there: whoever needs them makes them again.

Audio under `state/` may be deleted to save space. Its index stays, so that its node is complete and no driver starts a
job for it; a step that reads the audio starts the parent's step first, which goes on from what is left.
"""

from __future__ import annotations

import logging
import subprocess
import sys

from sebench.artefacts import Node, Store
from sebench.errors import SebenchError
from sebench.files import read_parquet

log = logging.getLogger(__name__)

#: Kinds whose large files other steps read.
RESTORED = ("corpus", "set", "enhanced")


class RestoreFailed(SebenchError):
    """A parent's large files are gone and could not be made again."""


def restore(node: Node, store: Store, threads: int) -> None:
    """Make the node's large files again where they are gone and its outputs are there.

    Raises:
        RestoreFailed: its step failed, for the reason that it printed.
    """
    if not store.complete(node) or _whole(node, store):
        return
    log.info("%s: its files in %s are gone: making them again", node.stem, store.state(node))
    # A process of its own: scoring shall not import torch, and forks.
    command = [sys.executable, "-m", "sebench", "step", node.kind, node.stem]
    done = subprocess.run([*command, "--results", str(store.root), "--threads", str(threads)], check=False)
    if done.returncode or not _whole(node, store):
        what = f"{node.kind} {node.stem}: its files in {store.state(node)} are gone or damaged"
        raise RestoreFailed(f"{what} and could not be made again; delete that folder and start again")


def _whole(node: Node, store: Store) -> bool:
    """Whether what other steps read of the node's state is there, in its full size."""
    state = store.state(node)
    if node.kind == "corpus":
        if store.location_path(node.id).exists():  # a person's own files: the steps say which is missing
            return True
        root = store.location(node)
        return all((root / path).exists() for path in read_parquet(store.outputs(node)["manifest.parquet"])["path"])
    if node.kind == "set":
        from sebench.synthesis.render import is_whole

        return is_whole(state, int(node.spec["sample_rate"]))
    from sebench.enhancement.estimates import AUDIO

    index = read_parquet(store.outputs(node)["index.parquet"])
    audio = state / AUDIO
    return audio.exists() and audio.stat().st_size == 4 * int(index["samples"].sum())

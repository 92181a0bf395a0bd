"""Large files that are gone although their node's outputs are there: whoever needs them makes them again.

Audio under `state/` may be deleted to save space. Its index stays, so that its node is complete and no driver starts a
job for it; a step that reads the audio starts the parent's step first, which goes on from what is left.
"""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys

from sebench.artefacts import Node, Store
from sebench.errors import SebenchError
from sebench.kinds import KINDS

log = logging.getLogger(__name__)


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
    module, _, function = KINDS[node.kind].whole.partition(":")
    return bool(getattr(importlib.import_module(f"sebench.{module}"), function)(node, store))

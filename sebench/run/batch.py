"""A batch: nodes that belong together are made by one job, each as it would be alone.

Each piece is published by its own step. What is there already is left alone, so that a batch that was interrupted goes
on. Pieces that need torch are made in a second process, where it is imported once, while this one makes those that do
not: a condition is scored while the next one is enhanced.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, nullcontext

from sebench.artefacts import Node, Store
from sebench.config import own_code
from sebench.errors import RestartNeeded, SebenchError
from sebench.files import write_json
from sebench.kinds import KINDS
from sebench.process.isolated import IsolatedPool
from sebench.run.steps import make

log = logging.getLogger(__name__)


def run(node: Node, store: Store, threads: int) -> None:
    """Make the pieces that are missing, then the marker that says so.

    Raises:
        SebenchError: pieces could not be made, and why; the others are there.
        RestartNeeded: SIGTERM or Ctrl-C came, or another job is at it; what is finished is kept.
    """
    started = time.time()
    pieces = [store.load(key) for key in node.spec["pieces"]]
    todo = {piece.key: piece for piece in pieces if not store.complete(piece)}
    failed: dict[str, str] = {}
    with IsolatedPool(1, _start, (own_code.added(),), method="spawn") as pool, _scoring(todo.values(), threads):
        beside = {
            key: pool.submit(math.inf, _made, key, str(store.root), threads)
            for key, piece in todo.items()
            if KINDS[piece.kind].torch
        }
        while todo:
            piece = _next(list(todo.values()), todo, beside)
            lost = [key for key in piece.parents.values() if key in failed]
            if lost:
                why = f"{' and '.join(store.load(key).stem for key in lost)} could not be made"
            else:
                why = _result(beside[piece.key]) if piece.key in beside else _made(piece.key, str(store.root), threads)
            del todo[piece.key]
            if why:
                failed[piece.key] = f"{piece.kind} {piece.stem}: {why}"
            else:
                log.info("made %s %s", piece.kind, piece.stem)
    if failed:
        raise SebenchError("\n".join([f"{len(failed)} of {len(pieces)} could not be made:", *failed.values()]))
    store.write_provenance(node, started, pieces=len(pieces))
    write_json(store.outputs(node)["made.json"], {"pieces": [piece.stem for piece in pieces]})


def _scoring(pieces: Iterable[Node], threads: int) -> AbstractContextManager[None]:
    """Where pieces are scores: processes that load the metrics once, for all of them."""
    if not any(piece.kind == "scores" for piece in pieces):
        return nullcontext()
    from sebench.scoring.step import shared_processes

    return shared_processes(threads)


def _next(open_pieces: Sequence[Node], todo: dict[str, Node], beside: dict[str, Future[str]]) -> Node:
    """A piece that waits for nothing of this batch; waits for one where there is none."""
    while True:
        for piece in open_pieces:
            done = beside[piece.key].done() if piece.key in beside else True
            if done and not any(key in todo for key in piece.parents.values()):
                return piece
        wait([beside[key] for key in todo if key in beside], return_when=FIRST_COMPLETED)


def _result(future: Future[str]) -> str:
    """Why a piece could not be made in the other process; "" where it was."""
    try:
        return future.result()
    except SebenchError as error:  # the process died, twice
        return str(error)


def _made(key: str, results: str, threads: int) -> str:
    """Make one piece; returns why it could not be, and "" where it was."""
    store = Store(results)
    try:
        make(store.load(key), store, threads)
    except RestartNeeded:
        raise
    except SebenchError as error:
        return str(error)
    except Exception as error:
        log.exception("%s", key)
        return f"{type(error).__name__}: {error}"
    return ""


def _start(folders: list[str]) -> None:
    """The other process: it leaves signals to this one, and ends with it."""
    from sebench.process.workers import follow_parent, ignore_signals

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    ignore_signals()
    follow_parent()
    own_code.extend(folders)

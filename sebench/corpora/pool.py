"""Working through a list in several processes, with an outcome that does not depend on how many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered(function: Callable[[T], R], items: Sequence[T], processes: int) -> list[R]:
    """`function` of each item, in the order of `items`.

    Args:
        function: picklable (a module's function, or a `functools.partial` of one).
        items: picklable.
        processes: with 1, or where one chunk of 8 holds everything, the work is done in this process.
    """
    workers = min(processes, -(-len(items) // 8))
    if workers <= 1:
        return [function(item) for item in items]
    # Spawned, not forked: the caller may hold threads (Arrow, BLAS), which do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(function, items, chunksize=8))

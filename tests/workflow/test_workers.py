"""The processes of a pool: one thread each, whether their libraries are loaded before or after they start."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from sebench.process.workers import start_worker


def _threads() -> dict[str, int]:
    """Threads of each BLAS and OpenMP of this process, after some work with NumPy and SciPy."""
    import scipy.linalg

    scipy.linalg.solve(np.eye(50), np.ones(50))
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_computes_with_one_thread(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("OMP", "OPENBLAS", "MKL"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "2")
    with ProcessPoolExecutor(1, multiprocessing.get_context(method), start_worker) as pool:
        found = pool.submit(_threads).result()
    assert found
    assert set(found.values()) == {1}
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert max(pool.submit(_threads).result().values()) == min(2, os.cpu_count() or 1)  # what it would be

"""Processes: when they started, whether they live, and what the workers of a pool have in common."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path


def state_and_processor_time(pid: int | None) -> tuple[str, float]:
    """A process's state as /proc has it, such as R (runs) or S (sleeps), and the processor time that it and its ended
    children used, in seconds; without /proc "S" and 0.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "S", 0.0
    fields = text[text.rindex(")") + 2 :].split()  # the name in brackets may hold spaces
    return fields[0], sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def process_start(pid: int) -> str:
    """When a process started (clock ticks since boot); "" if there is none or it is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return "" if Path("/proc/self/stat").exists() else _alive(pid)
    except OSError:
        return ""
    fields = text[text.rindex(")") + 2 :].split()  # the name in brackets may hold spaces
    return "" if fields[0] in "ZX" else fields[19]


def _alive(pid: int) -> str:
    """Without /proc: only whether the pid exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "alive"
    return "alive"


def seconds_alive() -> float:
    """For how long this process has lived; without /proc, the processor time that it used."""
    ticks = process_start(os.getpid())
    if not ticks.isdigit():
        return time.process_time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")


def ignore_signals() -> None:
    """Leave being told to stop to another process: a job's signal reaches all of its processes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def start_worker() -> None:
    """What each process of a pool does first.

    It leaves signals to its parent and ends when that was killed: the pool's queues alone would keep it for ever. And
    it computes with one thread, since the pool has a process for each core: two processes with two threads each are
    slower than one.
    """
    ignore_signals()
    one_thread()
    follow_parent()


def one_thread() -> None:
    """Limit BLAS and OpenMP to one thread in this process, in libraries that are loaded and those that will be."""
    from threadpoolctl import threadpool_limits

    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    threadpool_limits(1)


def follow_parent() -> None:
    """End when the parent does, in whatever way."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

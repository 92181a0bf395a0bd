"""What worker processes of a pool have in common."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path


def seconds_alive() -> float:
    """For how long this process has lived; without /proc, the processor time that it used."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.process_time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def follow_parent() -> None:
    """Leave signals to the parent, and end when it was killed: the pool's queues alone would keep a worker for ever."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

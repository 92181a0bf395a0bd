"""Metrics from outside that go wrong, and one that does not; the number of a mixture is told by its length."""

from __future__ import annotations

import faulthandler
import os
import signal

from sebench.metrics.base import Metric

THIRD = 19200  # samples of the third mixture of the tests' world


class _Free(Metric):
    needs_reference = False


class Level(_Free):
    name = "level"
    bounds = (0.0, 1.0)

    def score(self, clean, estimate, noisy, sample_rate):
        return float(abs(estimate).max())


class Crashes(_Free):
    name = "crashes"

    def score(self, clean, estimate, noisy, sample_rate):
        if estimate.size == THIRD:
            faulthandler.disable()  # pytest would print where it was
            os.kill(os.getpid(), signal.SIGSEGV)
        return 0.5


class CrashesOnce(_Free):
    """As by memory that an earlier call damaged."""

    name = "crashes_once"

    def __init__(self, *, mark: str) -> None:
        self.mark = mark

    def score(self, clean, estimate, noisy, sample_rate):
        if not os.path.exists(self.mark):  # noqa: PTH110
            open(self.mark, "w").close()  # noqa: PTH123
            faulthandler.disable()  # pytest would print where it was
            os.kill(os.getpid(), signal.SIGSEGV)
        return 0.5


class Endless(_Free):
    name = "endless"

    def score(self, clean, estimate, noisy, sample_rate):
        while estimate.size == THIRD:
            pass
        return 0.5


class Killed(_Free):
    name = "killed"

    def score(self, clean, estimate, noisy, sample_rate):
        os.kill(os.getpid(), signal.SIGKILL)


class Raises(_Free):
    name = "raises"

    def score(self, clean, estimate, noisy, sample_rate):
        if estimate.size == THIRD:
            raise ZeroDivisionError("no frames")
        return 0.5


class Beyond(_Free):
    name = "beyond"
    bounds = (0.0, 5.0)

    def score(self, clean, estimate, noisy, sample_rate):
        return 5.2 if estimate.size == THIRD else 5.0000001


class Unbuilt(_Free):
    name = "unbuilt"

    def __init__(self) -> None:
        raise RuntimeError("no such mode")


class NeedsModule(_Free):
    name = "needs_module"

    def score(self, clean, estimate, noisy, sample_rate):
        import no_such_module_anywhere  # noqa: F401

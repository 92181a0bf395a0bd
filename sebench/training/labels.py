"""What a predictor is trained on: a metric's values, measured by other processes while the training goes on.

A value is kept under a hash of the signals that it belongs to: it is measured once, whichever run, epoch or attempt
asks for it. Each process appends to a file of its own and reads all that are there.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

import numpy as np

from sebench.config.items import build
from sebench.errors import DataError
from sebench.metrics.base import Metric, MetricValue, awaited, time_limit
from sebench.process.isolated import IsolatedPool
from sebench.process.workers import start_worker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signal = NDArray[np.float32]

log = logging.getLogger(__name__)

_ABSENT = "-"
#: What `Labels.keep` writes: the key and a value in hexadecimal.
_LINE = re.compile(rf"([0-9a-f]{{32}})\t({_ABSENT}|-?0x[01]\.[0-9a-f]+p[+-][0-9]{{1,4}})")


class Label:
    """A value that was asked for, and may still be on its way."""

    def __init__(self, labels: Labels, key: str, found: Future[MetricValue] | float | None) -> None:
        self._labels, self._key, self._found = labels, key, found

    def value(self) -> float | None:
        """The metric's value; None where the signals have none. Waits until it is measured."""
        if isinstance(self._found, Future):
            self._found = self._labels.keep(self._key, awaited(self._labels.metric["type"], self._found))
        return self._found


class Labels:
    """A metric's values, from the cache or from a pool of processes.

    Args:
        metric: its resolved description.
        sample_rate: of the signals, in Hz.
        folder: where values are kept; made if it is not there.
        writer: name of this process's file in it.
        workers: processes that measure, at least one; they start with the first value that is not kept.

    Use it as a context: the processes end with it.

    Raises:
        DataError: a kept value cannot be read.
    """

    def __init__(self, metric: Mapping[str, Any], sample_rate: int, folder: Path, writer: str, workers: int) -> None:
        self.metric = dict(metric)
        self.sample_rate = sample_rate
        self.folder = folder
        self.path = folder / f"{writer}.tsv"
        self.workers = max(1, workers)
        self.measured = 0
        self._pool: IsolatedPool | None = None
        self._file: TextIO | None = None
        self._kept: dict[str, float | None] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.tsv")):
            self._read(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; what they have not begun is not measured."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def ask(self, clean: Signal, estimate: Signal) -> Label:
        """The value of an enhanced utterance; returns at once.

        Shape:
            clean, estimate `(samples,)`, float32.
        """
        key = self._key(clean, estimate)
        if key in self._kept:
            return Label(self, key, self._kept[key])
        if self._pool is None:
            # A fork would copy torch's threads in an unknown state.
            self._pool = IsolatedPool(self.workers, _start, (self.metric,), method="spawn")
        limit = time_limit(clean.size, self.sample_rate)
        return Label(self, key, self._pool.submit(limit, _measure, clean, estimate, self.sample_rate))

    def keep(self, key: str, found: MetricValue) -> float | None:
        """Keep a measured value for whoever asks next.

        Raises:
            DataError: the metric cannot be asked here; utterance after utterance would be skipped.
        """
        if found.status == "not_applicable":
            raise DataError(f"labels: metric {self.metric['type']!r} gives none: {found.reason}")
        value = None if found.value is None or not math.isfinite(found.value) else found.value
        if key not in self._kept:
            if self._file is None:
                self._file = self.path.open("a", encoding="ascii")
            self._file.write(f"{key}\t{_ABSENT if value is None else value.hex()}\n")
            self._file.flush()
            self._kept[key] = value
            self.measured += 1
            if value is None:
                log.info("no %s: %s", self.metric["type"], found.reason)
        return value

    def _key(self, clean: Signal, estimate: Signal) -> str:
        digest = hashlib.sha256(f"{self.sample_rate} {clean.size} ".encode())
        for signal in (clean, estimate):
            digest.update(np.ascontiguousarray(signal, "<f4").data)
        return digest.hexdigest()[:32]

    def _read(self, path: Path) -> None:
        text = path.read_text(encoding="ascii", errors="replace")
        lines = text.split("\n")[:-1]  # what stands behind the last end of a line: its writer was killed in it
        for number, line in enumerate(lines, 1):
            found = _LINE.fullmatch(line)
            if found is None:
                raise DataError(
                    f"{path}, line {number}: found {line[:80]!r}; accepted: 32 hexadecimal digits, a tab, and "
                    f"`{_ABSENT}` or a value as 0x1.8p+1. Delete the line, or the file: its labels are measured again"
                )
            key, value = found.groups()
            self._kept[key] = None if value == _ABSENT else float.fromhex(value)


_metric: Metric | None = None


def _start(description: Mapping[str, Any]) -> None:
    global _metric
    start_worker()
    _metric = build(description, "metric")


def _measure(clean: Signal, estimate: Signal, sample_rate: int) -> MetricValue:
    assert _metric is not None
    return _metric.compute(clean=clean, estimate=estimate, noisy=None, sample_rate=sample_rate)

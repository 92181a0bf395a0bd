"""Score one test set: clean against enhanced (or unprocessed) signals, one row per (mixture, metric).

Each metric's values are kept under a key of their own in the store's state, so that a study which adds a metric
computes only that one.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node, Store, content_id
from sebench.config.specs import ScoresSpec, SetSpec
from sebench.errors import DataError, SebenchError
from sebench.files import read_parquet, write_parquet
from sebench.metrics.base import (
    Metric,
    MetricValue,
    MissingPackageError,
    Unavailable,
    awaited,
    check_implementation,
    is_hole,
    metric_name,
    time_limit,
    told_implementation,
)
from sebench.process.isolated import IsolatedPool
from sebench.process.workers import start_worker

if TYPE_CHECKING:
    import pandas as pd

    from sebench.enhancement.estimates import Estimates
    from sebench.synthesis.store import AudioStore

log = logging.getLogger(__name__)

#: Columns of scores.parquet, in order.
COLUMNS = [
    "mixture",
    "index",
    "metric",
    "value",
    "status",
    "reason",
    "implementation",
    "version",
    "snr_db",
    "noise_kind",
    "speaker",
]


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Write scores.parquet; the bytes do not depend on `threads`.

    Raises:
        DataError: a metric's package is not the one that was planned, or the enhanced index is not the set's.
        MissingPackageError: a metric's package was planned and is not installed.
        Unavailable: this machine cannot compute a metric. The values of all others are kept.
    """
    started = time.time()
    items = ScoresSpec.of(node.spec).metrics
    names = [metric_name(item) for item in items]
    if len(set(names)) < len(names):
        raise DataError(f"{node.stem}: two metrics of one name among {', '.join(names)}; call their entries otherwise")
    paths = [part_path(node, store, item) for item in items]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    computed, unable = _fill(node, store, threads, {paths[i]: items[i] for i in missing})
    if unable:  # after the other metrics, whose values are kept
        raise unable[0] if len(unable) == 1 else SebenchError("\n".join(map(str, unable)))
    rows = read_parquet(store.outputs(store.parent(node, "set"))["index.parquet"])
    parts = [_read_part(path, rows) for path in paths]
    write_parquet(store.outputs(node)["scores.parquet"], assemble(rows, items, parts))
    store.write_provenance(node, started, computed=computed, threads=threads)


def _fill(
    node: Node, store: Store, threads: int, parts: Mapping[Path, Mapping[str, Any]]
) -> tuple[list[str], list[SebenchError]]:
    """Compute metrics into their parts: names of those that were, and why the others could not be."""
    unable: list[SebenchError] = []
    todo = {}
    for path, item in parts.items():
        try:
            if not is_hole(item):
                check_implementation(item)
            todo[path] = item
        except SebenchError as error:
            unable.append(error)
    computed = []
    if todo:
        frames = _compute(_Scorer(node, store, list(todo.values())), threads)
        for (path, item), frame in zip(todo.items(), frames, strict=True):
            if isinstance(frame, SebenchError):
                unable.append(frame)
            else:
                write_parquet(path, frame)
                computed.append(metric_name(item))
        log.info("%s: computed %s", node.stem, ", ".join(computed) or "nothing")
    return computed, unable


def part_path(node: Node, store: Store, item: Mapping[str, Any]) -> Path:
    """Where one metric's values on these parents are kept, whatever other metrics the node asks for."""
    identity = {key: value for key, value in item.items() if key != "name"}
    key = content_id({"parents": dict(node.parents), "metric": identity, "version": ScoresSpec.of(node.spec).version})
    return store.root / "state" / "score-parts" / f"{key}.parquet"


@dataclass(frozen=True)
class _Asked:
    """What a process is to score.

    Args:
        node: of the scores.
        results: root of the store.
        items: metrics.
    """

    node: Node
    results: str
    items: tuple[Mapping[str, Any], ...]


#: Signals of a row by name, the estimate or None, and why there is none.
_Signals = tuple[Mapping[str, Any], Any, str]


def score(metric: Metric, row: _Signals, sample_rate: int) -> MetricValue:
    """A metric's value of a row; a hole where the row has no estimate."""
    signals, estimate, reason = row
    if estimate is None:
        return MetricValue.failed(reason)
    return metric.compute(
        clean=signals.get("clean"), estimate=estimate, noisy=signals["noisy"], sample_rate=sample_rate
    )


class _Scorer:
    """The signals of a set and the metrics to compute; opened in each process."""

    def __init__(self, node: Node, store: Store, items: Sequence[Mapping[str, Any]]) -> None:
        from sebench.enhancement.estimates import Estimates

        self.node, self.store, self.items = node, store, items
        self._audio: AudioStore | None = None
        self._metrics: dict[int, Metric | MetricValue] = {}
        self._last: tuple[int, _Signals] | None = None
        set_node = store.parent(node, "set")
        self.sample_rate = SetSpec.of(set_node.spec).sample_rate
        self.index: pd.DataFrame = read_parquet(store.outputs(set_node)["index.parquet"])
        self.estimates: Estimates | None = None
        if "enhanced" in node.parents:
            self.estimates = Estimates(store, store.parent(node, "enhanced"), list(self.index["mixture"]))

    def metric(self, position: int) -> Metric | MetricValue:
        """A metric, built once per process, or why it has no values."""
        from sebench.config.items import build

        if position not in self._metrics:
            item = self.items[position]
            try:
                metric: Metric = build(item, "metric")
                metric.require()
                self._metrics[position] = metric
            except MissingPackageError as error:  # as planned: see `is_hole`
                self._metrics[position] = MetricValue.failed(str(error))
            except (ImportError, OSError, MemoryError) as error:
                raise Unavailable(f"metric {metric_name(item)!r} cannot be computed here: {error}") from error
            except Exception as error:  # of code that is not ours: a hole for this metric
                self._metrics[position] = MetricValue.failed(f"{metric_name(item)}: {type(error).__name__}: {error}")
        return self._metrics[position]

    def signals(self, row: int) -> _Signals:
        """The row's signals, the estimate or None, and why there is none. The metrics of a row come one after another:
        it is read once.
        """
        from sebench.synthesis.store import AudioStore

        if self._audio is None:
            self._audio = AudioStore.open(self.store, self.store.parent(self.node, "set"))
        if self._last is None or self._last[0] != row:
            signals = self._audio.row(row)
            estimate, reason = (signals["noisy"], "") if self.estimates is None else self.estimates.row(row)
            self._last = row, (signals, estimate, reason)
        return self._last[1]

    def __call__(self, row: int, position: int) -> MetricValue:
        """A metric's value of a row of the index."""
        metric = self.metric(position)
        if isinstance(metric, MetricValue):
            return metric
        return score(metric, self.signals(row), self.sample_rate)


#: In a worker: what it scores, and that opened.
_scorer: tuple[_Asked, _Scorer] | None = None
#: The processes of `shared_processes`.
_shared: IsolatedPool | None = None


@contextlib.contextmanager
def shared_processes(threads: int) -> Iterator[None]:
    """Let all score nodes that are made in this block use the same processes, which load the metrics once."""
    global _shared
    with IsolatedPool(threads, start_worker) as pool:
        _shared = pool
        try:
            yield
        finally:
            _shared = None


def _value(asked: _Asked, row: int, position: int) -> MetricValue:
    global _scorer
    if _scorer is None or _scorer[0] != asked:
        _scorer = asked, _Scorer(asked.node, Store(asked.results), asked.items)
    return _scorer[1](row, position)


def _compute(scorer: _Scorer, threads: int) -> list[pd.DataFrame | Unavailable]:
    """One part frame per metric, rows in the index's order, or why this machine cannot compute it. Always in processes
    of their own: native code that crashes or never returns costs one value.
    """
    count = len(scorer.index)
    if _shared is not None:
        return _computed(scorer, _shared)
    with IsolatedPool(min(threads, count), start_worker) as pool:
        return _computed(scorer, pool)


def _computed(scorer: _Scorer, pool: IsolatedPool) -> list[pd.DataFrame | Unavailable]:
    limits = [time_limit(samples, scorer.sample_rate) for samples in scorer.index["samples"]]
    places = range(len(scorer.items))
    asked = _Asked(scorer.node, str(scorer.store.root), tuple(scorer.items))
    futures = [[pool.submit(limit, _value, asked, row, i) for i in places] for row, limit in enumerate(limits)]
    frames: list[pd.DataFrame | Unavailable] = []
    try:
        for position, item in enumerate(scorer.items):
            try:
                values = [awaited(metric_name(item), row[position]) for row in futures]
                frames.append(_frame(scorer.index, values))
            except Unavailable as error:
                frames.append(error)
                for row in futures:
                    row[position].cancel()
    finally:  # where an error ended it, nobody waits for the rest
        for row in futures:
            for future in row:
                future.cancel()
    return frames


def _frame(index: pd.DataFrame, values: Sequence[MetricValue]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "mixture": index["mixture"].astype(str).to_numpy(),
            "value": pd.Series([float("nan") if v.value is None else v.value for v in values], dtype="float64"),
            "status": [v.status for v in values],
            "reason": [v.reason for v in values],
        }
    )


def _read_part(path: Path, index: pd.DataFrame) -> pd.DataFrame:
    part = read_parquet(path)
    if list(part["mixture"]) != list(index["mixture"]):
        raise DataError(f"{path}: its mixtures are not those of the set; delete it and score again")
    return part


def assemble(index: pd.DataFrame, items: Sequence[Mapping[str, Any]], parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The content of scores.parquet: the metrics' parts, one below the other, each in the index's order."""
    import pandas as pd

    frames = [
        part.assign(
            index=index["index"].to_numpy(),
            metric=metric_name(item),
            implementation=told_implementation(item),
            version=int(item.get("version") or 0),
            snr_db=index["snr_db"].to_numpy(),
            noise_kind=index["noise_kind"].to_numpy(),
            speaker=index["speaker"].to_numpy(),
        )
        for item, part in zip(items, parts, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)[COLUMNS]

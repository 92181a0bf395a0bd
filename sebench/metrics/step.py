"""Score one test set: clean against enhanced (or unprocessed) signals, one row per (mixture, metric).

Each metric's values are kept under a key of their own in the store's state, so that a study which adds a metric
computes only that one.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node, Store, content_id
from sebench.errors import DataError
from sebench.files import read_parquet, write_parquet
from sebench.metrics.base import Metric, MetricValue, implementation, metric_name
from sebench.workers import start_worker

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
        MissingPackageError: a metric's package is not installed.
    """
    started = time.time()
    items = [dict(item) for item in node.spec["metrics"]]
    names = [metric_name(item) for item in items]
    if len(set(names)) < len(names):
        raise DataError(f"{node.stem}: two metrics of one name among {', '.join(names)}; call their entries otherwise")
    paths = [part_path(node, store, item) for item in items]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    if missing:
        for i in missing:
            check_implementation(items[i])
        scorer = _Scorer(node, store, [items[i] for i in missing])
        for i, frame in zip(missing, _compute(scorer, threads), strict=True):
            write_parquet(paths[i], frame)
        log.info("%s: computed %s", node.stem, ", ".join(metric_name(items[i]) for i in missing))
    rows = read_parquet(store.outputs(store.parent(node, "set"))["index.parquet"])
    write_parquet(store.outputs(node)["scores.parquet"], _assemble(rows, items, paths))
    store.write_provenance(node, started, computed=[metric_name(items[i]) for i in missing], threads=threads)


def part_path(node: Node, store: Store, item: Mapping[str, Any]) -> Path:
    """Where one metric's values on these parents are kept, whatever other metrics the node asks for."""
    identity = {key: value for key, value in item.items() if key != "name"}
    key = content_id({"parents": dict(node.parents), "metric": identity, "version": node.spec.get("version", 1)})
    return store.root / "state" / "score-parts" / f"{key}.parquet"


def check_implementation(item: Mapping[str, Any]) -> None:
    """Refuse to compute a metric with another package than the planned one.

    Raises:
        DataError: names both.
    """
    from sebench.config.items import build

    metric: Metric = build(item, "metric")
    metric.require()
    found = implementation(metric.package, item["type"], metric.model_files)
    if found != item["implementation"]:
        raise DataError(
            f"metric {metric_name(item)!r} was planned with {item['implementation']!r}, and {found!r} is "
            "installed; plan again, or install what was planned"
        )


class _Scorer:
    """The signals of a set and the metrics to compute; sent to workers by fork, opened in each."""

    def __init__(self, node: Node, store: Store, items: Sequence[Mapping[str, Any]]) -> None:
        from sebench.enhancement.estimates import Estimates

        self.node, self.store, self.items = node, store, items
        self._audio: AudioStore | None = None
        self._metrics: list[Metric] = []
        set_node = store.parent(node, "set")
        self.sample_rate = int(set_node.spec["sample_rate"])
        self.index: pd.DataFrame = read_parquet(store.outputs(set_node)["index.parquet"])
        self.estimates: Estimates | None = None
        if "enhanced" in node.parents:
            self.estimates = Estimates(store, store.parent(node, "enhanced"), list(self.index["mixture"]))

    def open(self) -> None:
        """Map the audio and build the metrics, once per process."""
        from sebench.config.items import build
        from sebench.synthesis.store import AudioStore

        self._audio = AudioStore.open(self.store, self.store.parent(self.node, "set"))
        self._metrics = [build(item, "metric") for item in self.items]

    def __call__(self, row: int) -> list[MetricValue]:
        """The metrics' values of a row of the index."""
        if self._audio is None:
            self.open()
        assert self._audio is not None
        signals = self._audio.row(row)
        estimate, reason = (signals["noisy"], "") if self.estimates is None else self.estimates.row(row)
        return [
            MetricValue.failed(reason)
            if estimate is None
            else metric.compute(
                clean=signals.get("clean"), estimate=estimate, noisy=signals["noisy"], sample_rate=self.sample_rate
            )
            for metric in self._metrics
        ]


_scorer: _Scorer | None = None


def _start(scorer: _Scorer) -> None:
    global _scorer
    _scorer = scorer
    start_worker()


def _row(row: int) -> list[MetricValue]:
    assert _scorer is not None
    return _scorer(row)


def _compute(scorer: _Scorer, threads: int) -> list[pd.DataFrame]:
    """One part frame per metric, rows in the index's order."""
    import pandas as pd

    count = len(scorer.index)
    workers = min(threads, count)
    if workers > 1:
        # An executor, not a multiprocessing.Pool: a worker that dies in C code is an error here and a hang there.
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(scorer,)) as pool:
            results = list(pool.map(_row, range(count)))
    else:
        results = [scorer(row) for row in range(count)]
    frames = []
    for position in range(len(scorer.items)):
        values = [row[position] for row in results]
        frames.append(
            pd.DataFrame(
                {
                    "mixture": scorer.index["mixture"].astype(str).to_numpy(),
                    "value": pd.Series([float("nan") if v.value is None else v.value for v in values], dtype="float64"),
                    "status": [v.status for v in values],
                    "reason": [v.reason for v in values],
                }
            )
        )
    return frames


def _assemble(index: pd.DataFrame, items: Sequence[Mapping[str, Any]], paths: Sequence[Path]) -> pd.DataFrame:
    import pandas as pd

    frames = []
    for item, path in zip(items, paths, strict=True):
        part = read_parquet(path)
        if list(part["mixture"]) != list(index["mixture"]):
            raise DataError(f"{path}: its mixtures are not those of the set; delete it and score again")
        frames.append(
            part.assign(
                index=index["index"].to_numpy(),
                metric=metric_name(item),
                implementation=str(item["implementation"]),
                version=int(item.get("version") or 0),
                snr_db=index["snr_db"].to_numpy(),
                noise_kind=index["noise_kind"].to_numpy(),
                speaker=index["speaker"].to_numpy(),
            )
        )
    return pd.concat(frames, ignore_index=True)[COLUMNS]

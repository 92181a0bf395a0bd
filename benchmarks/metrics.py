"""What scoring costs: seconds per utterance of 5 s of each metric, and what all cores make of it.

    python benchmarks/metrics.py [METRIC ...] [--clips 128] [--processes N]

Utterances are built-in speech in white noise of 5 dB, cut or repeated to 5 s. `first_s` is a metric's first utterance
in a process that has imported NumPy and pandas only (so with imports and the loading of networks), `ms` the median of
the others, one process, one thread. Then the score step computes all of them together, once with one process and once
with N (all cores): `efficiency` is its throughput with N over N times that with one; imports, start of processes and
files are included. Writes benchmarks/metrics.csv, unless metrics are named.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from sebench.artefacts import Node, Store
from sebench.config.facts import METRIC
from sebench.config.items import build, registry
from sebench.files import write_parquet
from sebench.metrics.base import implementation, installed
from sebench.process.workers import start_worker
from sebench.scoring.step import run

RATE, SECONDS, SNR_DB = 16000, 5.0, 5.0
Pair = tuple[np.ndarray, np.ndarray]
REPEATS = 15


def clip(index: int) -> Pair:
    """Speech and noise, `(samples,)` float32 each."""
    from sebench.corpora.builtin.speech import Utterance, utterance  # imports SciPy, as some of the metrics do

    speech = np.resize(utterance(Utterance("test", index % 8, seed=0)), int(RATE * SECONDS))
    noise = np.random.default_rng(index).standard_normal(speech.size) * speech.std() * 10 ** (-SNR_DB / 20)
    return speech.astype("<f4"), noise.astype("<f4")


def described(name: str) -> dict[str, Any]:
    """A metric with its default parameters, as a score node names it."""
    item = registry(METRIC)[name]
    computed_by = implementation(item.facts.package, name, item.facts.model_files)
    return {"type": name, "version": item.facts.version, "params": {}, "implementation": computed_by}


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's answer from a process that has imported nothing yet."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), start_worker) as pool:
        return pool.submit(function, *arguments).result()


def one_by_one(name: str, pairs: list[Pair]) -> tuple[float, float]:
    """Seconds of a metric's first utterance, and the median of the next."""
    metric = build({"type": name}, "metric")
    times = []
    for count in range(REPEATS + 1):
        clean, noise = pairs[count % len(pairs)]
        noisy = clean + noise
        start = time.perf_counter()
        found = metric.compute(clean=clean, estimate=clean + 0.3 * noise, noisy=noisy, sample_rate=RATE)
        times.append(time.perf_counter() - start)
        assert found.status == "ok", f"{name}: {found.reason}"
    return times[0], median(times[1:])


def rendered(store: Store, pairs: list[Pair]) -> Node:
    """A set of clips."""
    node, count = Node("set", "benchmark", {"version": 1, "sample_rate": RATE}), len(pairs)
    samples = int(RATE * SECONDS)
    index = pd.DataFrame(
        {
            "mixture": [f"m{i}" for i in range(count)],
            "index": range(count),
            "samples": samples,
            "shard": 0,
            "speech_offset": [2 * i * samples for i in range(count)],
            "noise_offset": [(2 * i + 1) * samples for i in range(count)],
            "dry_offset": -1,
            "snr_db": SNR_DB,
            "noise_kind": "white",
            "speaker": "s",
        }
    )
    store.state(node).mkdir(parents=True, exist_ok=True)
    np.concatenate([part for pair in pairs for part in pair]).tofile(store.state(node) / "shard-00000.f32")
    write_parquet(store.outputs(node)["index.parquet"], index)
    store.freeze(node)
    return node


def scored(store: Store, names: list[str], pairs: list[Pair]) -> Node:
    """The scores of unprocessed mixtures, to be computed."""
    metrics = [described(name) for name in names]
    node = Node("scores", "benchmark", {"version": 1, "metrics": metrics}, {"set": rendered(store, pairs).key})
    store.freeze(node)
    return node


def step_seconds(store: Store, node: Node, processes: int) -> float:
    """Wall time of the score step."""
    start = time.perf_counter()
    run(node, store, processes)
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", nargs="*", help="those to measure; all, and the file written, if none is named")
    parser.add_argument("--clips", type=int, default=128, help="utterances that the score step computes")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    names = arguments.metrics or [
        n for n, item in registry(METRIC).items() if item.builtin and installed(item.facts.package)
    ]

    rows = []
    pairs = [clip(index) for index in range(arguments.clips)]
    for name in names:
        first, seconds = fresh(one_by_one, name, pairs[:4])
        rows.append({"metric": name, "first_s": f"{first:.2f}", "ms": f"{1e3 * seconds:.1f}"})
        print(f"{name:<16}{1e3 * seconds:8.1f} ms an utterance, the first {first:.2f} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        stores = {n: Store(Path(folder) / str(n)) for n in (1, arguments.processes)}
        times = {n: fresh(step_seconds, store, scored(store, names, pairs), n) for n, store in stores.items()}
    alone, together = times[1], times[arguments.processes]
    efficiency = alone / together / arguments.processes
    rows.append(
        {
            "metric": "all, score step",
            "ms": f"{1e3 * alone / arguments.clips:.1f}",
            "processes": arguments.processes,
            "efficiency": f"{efficiency:.2f}",
        }
    )
    print(
        f"score step, {arguments.clips} utterances: {alone:.1f} s with one process, {together:.1f} s with "
        f"{arguments.processes}, efficiency {efficiency:.2f}"
    )
    if arguments.metrics:
        return
    path = Path(__file__).with_suffix(".csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["metric", "first_s", "ms", "processes", "efficiency"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()

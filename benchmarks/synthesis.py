"""What rendering costs: seconds of audio per second and core, dry and in simulated rooms.

    python benchmarks/synthesis.py [dry] [reverberant] [--corpus builtin] [--mixtures 128] [--processes N] [--rounds 3]

Mixtures are drawn from a corpus of `config/corpora/` (the built-in one with 160 utterances of 2 to 6 s) and rendered by
the step that makes sets: `dry` as the mixing `wsj0_demand_qut` of the PESQNet study, `reverberant` as its `dns3`, but
all of them in rooms, and `reverberant, kept` the same once more, with the rooms' responses at hand. One process and N
(all cores) render the same, so that each of N has `--mixtures`; dry, 8 times as many. Start of processes, imports,
checks and files are included. `per_core` is audio over wall time and processes; `per_cpu_s` is audio over processor
time, which other work on the machine changes less; `efficiency` is the speed with N over N times that with one.
All are medians over `--rounds`. Writes benchmarks/synthesis.csv, unless cases are named.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from sebench.artefacts import Node, Store
from sebench.config.load import load_config
from sebench.config.mixing import Mixing
from sebench.config.specs import MixturesSpec
from sebench.corpora import step as corpus_step
from sebench.plan.nodes import corpus_node
from sebench.process.workers import start_worker
from sebench.synthesis import plan, render
from sebench.synthesis.plan import RATE
from sebench.synthesis.responses import Responses

#: case -> (mixing, changes of it, mixtures of each process over `--mixtures`)
CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "dry": ("wsj0_demand_qut", {}, 8),
    "reverberant": ("dns3", {"probability": 1.0}, 1),
}
COLUMNS = ["case", "mixtures", "audio_s", "processes", "per_core", "per_cpu_s", "efficiency"]


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's answer from a process that has imported little yet."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), start_worker) as pool:
        return pool.submit(function, *arguments).result()


def corpus(store: Store, name: str, utterances: int, processes: int) -> Node:
    """A corpus of the configuration, made or scanned."""
    config = load_config(Path(__file__).parents[1] / "config")
    node = corpus_node(config, store, name)
    if name == "builtin":
        params = {**node.spec["item"]["params"], "train_utterances": utterances, "noise_files": 1}
        node = Node("corpus", name, {**node.spec, "item": {**node.spec["item"], "params": params}}, hints=node.hints)
    store.freeze(node)
    if node.hints["root"]:
        store.set_location(node.id, Path(node.hints["root"]))
    corpus_step.run(node, store, processes)
    return node


def planned(store: Store, source: Node, case: str, count: int) -> Node:
    """A set to be rendered, its mixtures drawn."""
    name, rooms, _ = CASES[case]
    entry = load_config(Path(__file__).parents[1] / "config").get("mixing", name).entry
    assert isinstance(entry, Mixing)
    mixing = entry.model_dump()
    if rooms:
        mixing["reverberation"] |= rooms
    spec = MixturesSpec(
        version=1, split="train", count=count, seed=0, seconds=None, snr_db=None, part=None, mixing=mixing
    )
    mixtures = Node("mixtures", "benchmark", spec.mapping(), {"corpus": source.key})
    parents = {"mixtures": mixtures.key, "corpus": source.key}
    node = Node("set", "benchmark", {"version": 1, "sample_rate": RATE}, parents)
    store.freeze(mixtures)
    store.freeze(node)
    plan.run(mixtures, store)
    return node


def render_seconds(store: Store, node: Node, processes: int) -> tuple[float, float]:
    """Wall time and processor time of the step."""
    before = _processor_seconds()
    start = time.perf_counter()
    render.run(node, store, processes)
    return time.perf_counter() - start, _processor_seconds() - before


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in used)


def measure(store: Store, node: Node, case: str, processes: int, rounds: int) -> list[dict[str, Any]]:
    """Render with one process and with all, each time from nothing but the plan, and again with responses kept."""
    frame = render.read_parquet(store.outputs(store.parent(node, "mixtures"))["mixtures.parquet"])
    audio = float(frame["samples"].sum()) / RATE
    counts = tuple(dict.fromkeys((1, processes)))
    labels = (case, f"{case}, kept") if CASES[case][1] else (case,)
    times: dict[tuple[str, int], list[tuple[float, float]]] = {(label, n): [] for label in labels for n in counts}
    for _ in range(rounds):
        for count in counts:
            shutil.rmtree(Responses.of(store).folder, ignore_errors=True)
            for label in labels:
                shutil.rmtree(store.state(node), ignore_errors=True)
                times[label, count].append(fresh(render_seconds, store, node, count))
    rows = []
    for (label, count), found in times.items():
        speed = median(audio / wall / count for wall, _ in found)
        per_cpu = median(audio / processor for _, processor in found)
        row = {"case": label, "mixtures": len(frame), "audio_s": f"{audio:.0f}", "processes": count}
        row |= {"per_core": f"{speed:.1f}", "per_cpu_s": f"{per_cpu:.1f}"}
        efficiency = ""
        if count > 1:
            ratios = (alone[0] / together[0] / count for alone, together in zip(times[label, 1], found, strict=True))
            row["efficiency"] = f"{median(ratios):.2f}"
            efficiency = f", efficiency {row['efficiency']}"
        rows.append(row)
        print(
            f"{label:<20}{len(frame)} mixtures, {audio:.0f} s of audio, {count} process{'es' if count > 1 else ''}: "
            f"{speed:.1f} s per second and core, {per_cpu:.1f} s per second of processor{efficiency}",
            flush=True,
        )
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=f"{', '.join(CASES)}; all, and the file written, if none is named")
    parser.add_argument("--corpus", default="builtin", help="an entry of config/corpora, e.g. recordings")
    parser.add_argument("--utterances", type=int, default=160, help="of the built-in corpus")
    parser.add_argument("--mixtures", type=int, default=128, help="for each process; a shard holds 64")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.cases if name not in CASES]:
        parser.error(f"{', '.join(unknown)}: no such case; there are {', '.join(CASES)}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "results")
        source = corpus(store, arguments.corpus, arguments.utterances, arguments.processes)
        for case in arguments.cases or CASES:
            node = planned(store, source, case, arguments.mixtures * arguments.processes * CASES[case][2])
            rows += measure(store, node, case, arguments.processes, arguments.rounds)
    if arguments.cases:
        return
    path = Path(__file__).with_suffix(".csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()

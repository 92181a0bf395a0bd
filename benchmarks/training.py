"""What the training engine costs: its steps per second over those of a bare loop.

    python benchmarks/training.py [--device cuda] [--precision bf16-mixed] [--model braun_gru] [--full] [--steps 10]

The bare loop has the same model, loss, optimiser settings and clipping, by torch alone, and its batch already in
memory; the engine reads batches from a rendered set, exchanges their noises, schedules, checks that numbers are finite
and keeps its history. Blocks of steps of both follow each other, and the median over blocks of the ratio is printed.
DEMUCS is narrowed to 16 channels, unless `--full` asks for the source's 48. Writes benchmarks/training.csv, or
training-cuda-bf16-mixed-full.csv and its like, unless a model is named.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from sebench.artefacts import Node, Store
from sebench.config import items
from sebench.config.facts import STAGE
from sebench.files import write_parquet
from sebench.losses.compose import build_loss
from sebench.process.interrupt import Interruption
from sebench.process.lease import Lease
from sebench.stages.supervised import Supervised
from sebench.training.checkpoint import Checkpoints
from sebench.training.device import autocast, repeatable
from sebench.training.engine import Engine
from sebench.training.kinds import build_stage
from sebench.training.step import context_of
from sebench.training.team import ALONE

RATE = 16000
#: model -> (its parameters, loss, batch, seconds)
CASES: dict[str, tuple[dict[str, Any], str, int, float]] = {
    "stage1": ({}, "mag_mse", 16, 3.0),
    "stage2": ({}, "complex_mse", 16, 3.0),
    "two_stage": ({}, "complex_mse", 16, 3.0),
    "braun_gru": ({}, "mag_comp", 16, 3.0),
    "demucs": ({"hidden": 16}, "multi_stft", 8, 2.0),
    "fcrn": ({"filters": 16, "kernel": 8}, "complex_mse", 3, 6.0),
}


def rendered(store: Store, seconds: float, count: int = 32) -> Node:
    """A set of noise in noise."""
    node = Node("set", "benchmark", {"version": 1, "sample_rate": RATE}, {"mixtures": f"mixtures:{seconds:g}"})
    samples = int((seconds + 1) * RATE)
    values = 0.05 * np.random.default_rng(0).standard_normal((count, 2, samples)).astype("<f4")
    rows = {
        "mixture": [f"m{i}" for i in range(count)],
        "index": range(count),
        "samples": samples,
        "shard": 0,
        "speech_offset": [2 * i * samples for i in range(count)],
        "noise_offset": [(2 * i + 1) * samples for i in range(count)],
        "dry_offset": -1,
        "measured_level_dbov": -26.0,
    }
    store.state(node).mkdir(parents=True, exist_ok=True)
    values.tofile(store.state(node) / "shard-00000.f32")
    write_parquet(store.outputs(node)["index.parquet"], pd.DataFrame(rows))
    store.freeze(node)
    return node


def run_node(store: Store, name: str, precision: str, full: bool) -> Node:
    """A long run of a model."""
    params, loss, batch_size, seconds = CASES[name]
    params = {} if full else params
    data = rendered(store, seconds)
    stage = {
        "kind": "supervised",
        "steps": 10**6,
        "batch_size": batch_size,
        "segment_seconds": seconds,
        "optimiser": {"type": "adamw", "lr": 1e-4, "weight_decay": 0.01, "betas": [0.9, 0.999]},
        "schedule": {"type": "cosine", "warmup_steps": 20, "final_factor": 0.0, "patience": 1, "stop_lr": None},
        "clip_norm": 5.0,
        "augment": ["remix"],
        "validate_every": 10**6,
        "validate_by": "loss",
        "keep": "last",
        "precision": precision,
        "threads": 1,
        "devices": 1,
        "freeze": [],
    }
    spec = {
        "version": items.get(STAGE, "supervised").facts.version,
        "stage": stage,
        "model": {"type": name, "params": params},
        "loss": {"item": {"type": loss, "params": {}}},
        "seed": 0,
        "init": {},
    }
    node = Node("run", name, spec, {"train": data.key, "valid": data.key})
    store.freeze(node)
    return node


def bare_loop(stage: Supervised, node: Node) -> Callable[[], None]:
    """One step with torch alone, on a batch that is there."""
    from sebench.config.items import build

    model: nn.Module = build(node.spec["model"], "model").to(stage.device)
    loss = build_loss(node.spec["loss"]).to(stage.device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)
    kept = stage.batches.batch(0).to(stage.device)

    def step() -> None:
        batch = kept.rows(0, len(kept))  # without what was computed from it
        with autocast(stage.device, stage.precision):
            estimate = model(batch)
        value = loss(estimate, batch).mean()
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()

    return step


def seconds_of(step: Callable[[], None], count: int, device: torch.device) -> float:
    """A block of steps."""
    start = time.perf_counter()
    for _ in range(count):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(name: str, device: torch.device, precision: str, full: bool, steps: int, blocks: int) -> dict[str, str]:
    """Print a model's two speeds and their ratio, and return them."""
    with tempfile.TemporaryDirectory() as folder, repeatable(1):
        store = Store(Path(folder) / "results")
        node = run_node(store, name, precision, full)
        context = context_of(node, store, device, ALONE)
        stage = build_stage(context)
        assert isinstance(stage, Supervised)
        with Lease(store.state(node)).acquire(lambda: False, lambda _: None) as held, Interruption() as interruption:
            engine = Engine(stage, 0, context.spec.stage, Checkpoints(held), interruption, {})
            bare = bare_loop(stage, node)
            for step in (engine._train_step, bare):
                seconds_of(step, 2, device)
            found = [
                (seconds_of(bare, steps, device), seconds_of(engine._train_step, steps, device)) for _ in range(blocks)
            ]
    ratio = median(one / other for one, other in found)
    speeds = [steps / median(times) for times in zip(*found, strict=True)]
    print(
        f"{name:<12}{precision:<12}bare {speeds[0]:8.2f} steps/s, engine {speeds[1]:8.2f} steps/s, ratio {ratio:.3f}",
        flush=True,
    )
    values = {"bare steps/s": speeds[0], "engine steps/s": speeds[1], "ratio": ratio}
    return {"model": name, "precision": precision, **{key: f"{value:.4g}" for key, value in values.items()}}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="32-true", choices=["32-true", "bf16-mixed"])
    parser.add_argument("--model", choices=list(CASES))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--blocks", type=int, default=7)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    rows = [
        measure(name, device, arguments.precision, arguments.full, arguments.steps, arguments.blocks)
        for name in ([arguments.model] if arguments.model else CASES)
    ]
    if arguments.model is None:
        said = (device.type, arguments.precision, arguments.full and "full")
        suffix = "".join(f"-{word}" for word in said if word and word not in ("cpu", "32-true"))
        with Path(__file__).with_name(f"training{suffix}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()

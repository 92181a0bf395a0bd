"""The training step: a run node becomes run.json, history.json and checkpoint.safetensors.

What was computed is kept in `state/run-<id>/final/`, from where it is published: a published file that was deleted
comes back in milliseconds, without importing torch. A deterministic failure (a non-finite loss, a parent
that failed, a model that is not what it says) is a result, with its reason, and is published like one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node, Store, content_id
from sebench.config.specs import RunSpec, SetSpec
from sebench.files import link_or_copy, read_json, write_json
from sebench.process.cluster import step_aside
from sebench.process.lease import ArtefactFinished, Held, Lease

if TYPE_CHECKING:
    import torch

    from sebench.training.engine import Outcome
    from sebench.training.labels import Labels
    from sebench.training.stage import Context, RenderedSet
    from sebench.training.team import Team

log = logging.getLogger(__name__)

FINAL = "final"
#: Folder in `state/` of metric values that predictors are trained on, whichever run measured them.
LABELS = "labels"
PROVENANCE = "provenance.json"


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Train the run, or go on with it, or publish it again.

    Args:
        node: of kind `run`.
        store: where its parents and its state are.
        threads: granted; the run computes with the number in its spec, which its bits depend on; all but one measure
            labels.

    Raises:
        RestartNeeded: interrupted, or another process is at it; start again.
        DataError: its parents or its spec do not fit together.
        MissingPackageError: a metric that it reads cannot be computed here.
    """
    if store.complete(node):
        return
    state = store.state(node)
    final = state / FINAL
    if not final.is_dir():
        lease = Lease(state)
        with contextlib.suppress(ArtefactFinished), lease.acquire(final.is_dir, step_aside) as held:
            if not final.is_dir():
                _compute(node, store, held, threads)
    _publish(node, store, final)


def parent_failure(node: Node, store: Store) -> str:
    """Why a parent run has no result; "" where all have one."""
    for key in sorted(set(node.parents.values())):
        if key.startswith("run:"):
            parent = store.load(key)
            found = read_json(store.outputs(parent)["run.json"])
            if found["status"] != "ok":
                return f"run {parent.stem} failed: {found['reason']}"
    return ""


def _compute(node: Node, store: Store, held: Held, threads: int) -> None:
    from sebench.training import device
    from sebench.training.verify import check_metrics

    started = time.time()
    spec = RunSpec.of(node.spec)
    if threads < spec.stage.threads:
        log.warning("%s: granted %d threads, its spec has %d: it uses these", node.stem, threads, spec.stage.threads)
    with device.repeatable(spec.stage.threads):
        reason = parent_failure(node, store)
        if not reason:
            check_metrics(spec.stage, SetSpec.of(store.parent(node, "train").spec).sample_rate)
            reason = _refusal(node, store)
        report, history, weights = _not_trained(node, reason) if reason else _train(node, store, held, threads)
    staging = held.attempt_folder / FINAL
    shutil.rmtree(staging, ignore_errors=True)
    _write_final(node, staging, report, history, weights)
    seconds = report.pop("seconds")
    held.check()
    store.write_provenance(
        node,
        started,
        training_seconds=round(seconds, 3),
        restarts=held.generation - 1,
        device=str(device.pick_device()),
        threads=spec.stage.threads,
    )
    link_or_copy(store.folder(node) / PROVENANCE, staging / PROVENANCE)
    with contextlib.suppress(OSError):  # only where another process was first: then its files, the same, stand
        staging.rename(store.state(node) / FINAL)
    for folder in (held.attempt_folder, *held.previous_attempts()):
        shutil.rmtree(folder, ignore_errors=True)


def _refusal(node: Node, store: Store) -> str:
    """Why a network of this run is not trained; a run that got as far as a checkpoint has been tested."""
    from sebench.training.checkpoint import started
    from sebench.training.verify import refusal

    return "" if started(store.state(node)) else refusal(RunSpec.of(node.spec))


def _write_final(node: Node, folder: Path, report: dict[str, Any], history: list[dict[str, Any]], weights: Any) -> None:
    from sebench.training.checkpoint import Checkpoint, write
    from sebench.training.kinds import kind_of

    public = {key: value for key, value in report.items() if key != "seconds"}
    spec = RunSpec.of(node.spec)
    networks = {name: spec.networks[name] for name in kind_of(spec).facts.publishes}
    write(folder / "checkpoint.safetensors", Checkpoint(weights, {"format": 1, **networks}))
    write_json(folder / "history.json", history)
    write_json(folder / "run.json", public)


def _publish(node: Node, store: Store, final: Path) -> None:
    folder = store.folder(node)
    if not (folder / PROVENANCE).exists() and (final / PROVENANCE).exists():
        link_or_copy(final / PROVENANCE, folder / PROVENANCE)
    for name in ("checkpoint.safetensors", "history.json", "run.json"):
        link_or_copy(final / name, folder / name)
        os.utime(folder / name)  # as new as the job that made it: Snakemake compares times
    log.info("%s: published in %s", node.stem, folder)


def _train(node: Node, store: Store, held: Held, threads: int) -> tuple[dict[str, Any], list[dict[str, Any]], Any]:
    from sebench.process.interrupt import Interruption
    from sebench.training.checkpoint import Checkpoints
    from sebench.training.device import pick_device
    from sebench.training.engine import Engine
    from sebench.training.kinds import build_stage
    from sebench.training.team import rank_device, team_of

    chosen = pick_device()
    spec = RunSpec.of(node.spec)
    if spec.stage.devices > 1:
        chosen = rank_device(chosen, 0)
    with (
        Interruption() as interruption,
        team_of(node, store, chosen) as team,
        labels_of(node, store, f"{node.id}-{held.generation}", threads) as labels,
    ):
        context = context_of(node, store, chosen, team, labels)
        stage = build_stage(context)
        engine = Engine(stage, spec.seed, spec.stage, Checkpoints(held), interruption, context.initial)
        outcome = engine.train()
    report = _report(outcome, stage.valid_name, sum(p.numel() for p in stage.product.parameters()))
    return report, outcome.history.rows, outcome.weights


def _report(outcome: Outcome, valid_name: str, parameters: int) -> dict[str, Any]:
    best = outcome.history.best_row
    failure = outcome.failure
    return {
        "status": "failed" if failure else "ok",
        "reason": failure.reason if failure else "",
        "mixtures": failure.mixtures if failure else [],
        "step": outcome.step,
        "best_step": outcome.history.best_step,
        "valid": best["valid"] if best else None,
        "valid_name": valid_name,
        "valid_scored": best["valid_scored"] if best else 0,
        "valid_total": best["valid_total"] if best else 0,
        "valid_scores": outcome.history.best_scores,
        "weights": outcome.weights_from,
        "weights_step": outcome.weights_step,
        "parameters": parameters,
        "seconds": outcome.seconds,
    }


def _not_trained(node: Node, reason: str) -> tuple[dict[str, Any], list[dict[str, Any]], Any]:
    """A run that cannot start: its fresh weights, so that its files are whole."""
    from sebench.training.engine import Failure, Outcome
    from sebench.training.history import History
    from sebench.training.kinds import fresh_product
    from sebench.training.stage import snapshot

    model = fresh_product(RunSpec.of(node.spec))
    outcome = Outcome(0, snapshot(model), "initial", 0, History(True), Failure(reason, []), 0.0)
    return _report(outcome, "", sum(p.numel() for p in model.parameters())), [], outcome.weights


def context_of(node: Node, store: Store, device: torch.device, team: Team, labels: Labels | None = None) -> Context:
    """What a run's stage is made from: its spec, its sets, its parents' weights."""
    from sebench.training.checkpoint import read
    from sebench.training.stage import Context

    initial = {}
    spec = RunSpec.of(node.spec)
    for path, role in spec.init.items():
        parent = store.parent(node, role)
        weights = read(store.outputs(parent)["checkpoint.safetensors"]).product
        initial[path] = (f"run {parent.stem}", weights)
    train = _rendered(store, store.parent(node, "train"), spec.stage.mixtures)
    valid = _rendered(store, store.parent(node, "valid"))
    return Context(spec, train, valid, device, initial, team, labels)


@contextlib.contextmanager
def labels_of(node: Node, store: Store, writer: str, threads: int = 1) -> Iterator[Labels | None]:
    """The labels of a run that trains a predictor; None for any other run.

    Args:
        writer: name of this process's file of labels.
        threads: granted; one is for the process that trains, at least one measures labels beside it.
    """
    from sebench.training.labels import Labels

    metric = RunSpec.of(node.spec).stage.own.get("labels")
    if metric is None:
        yield None
        return
    sample_rate = SetSpec.of(store.parent(node, "train").spec).sample_rate
    folder = store.root / "state" / LABELS / content_id(metric)
    with Labels(metric, sample_rate, folder, writer, threads - 1) as labels:
        yield labels


def _rendered(store: Store, node: Node, first: int | None = None) -> RenderedSet:
    """A set, or so many rows of it."""
    from sebench.synthesis.store import AudioStore
    from sebench.training.stage import RenderedSet

    rows = AudioStore.open(store, node, first)
    return RenderedSet(rows, rows.index["mixture"].tolist(), rows.sample_rate)

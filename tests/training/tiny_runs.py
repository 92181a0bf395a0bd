"""A store with a few short mixtures, and items that train in milliseconds."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sebench.artefacts import Node, Store
from sebench.config.specs import RunSpec
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.losses.base import Loss
from sebench.metrics.base import MetricValue, Unscorable
from sebench.metrics.si_sdr import SiSdr
from sebench.models.base import Model
from sebench.models.input_statistics import InputStatistics
from sebench.training.contract import rendered as make_set

RATE = 16000


class TinyPlain(Model):
    """A gain per sample from a short context, which depends on its own utterance and on nothing random."""

    views = ("waveform",)
    sample_rate = 16000
    causal = False

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.front = nn.Conv1d(1, width, 5, padding=2)
        self.back = nn.Conv1d(width, 1, 1)

    def hidden(self, noisy: Tensor) -> Tensor:
        return torch.tanh(self.front(noisy[:, None]))

    def forward(self, batch: Batch) -> Estimate:
        return Estimate(batch, waveform=torch.sigmoid(self.back(self.hidden(batch.noisy)))[:, 0] * batch.noisy)


class TinyGain(TinyPlain):
    """The same with dropout and a running mean: what depends on random state."""

    def __init__(self, *, width: int = 4) -> None:
        super().__init__(width=width)
        self.normalise = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(0.3)

    def hidden(self, noisy: Tensor) -> Tensor:
        return self.dropout(torch.tanh(self.normalise(self.front(noisy[:, None]))))


class TinyMeasured(TinyPlain):
    """The same on samples that are normalised by their statistics over the training set."""

    def __init__(self, *, width: int = 4) -> None:
        super().__init__(width=width)
        self.statistics = InputStatistics()

    def measure(self, batches: Iterable[Batch]) -> None:
        self.statistics.measure(batch.noisy[0] for batch in batches)

    def hidden(self, noisy: Tensor) -> Tensor:
        return super().hidden(self.statistics(noisy))


class TinyPair(Model):
    """Two models, one after the other."""

    views = ("waveform",)
    causal = False
    submodules = ("stage1",)

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.stage1 = TinyGain(width=width)
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, batch: Batch) -> Estimate:
        return Estimate(batch, waveform=self.stage1(batch).waveform * self.gain)


class SquaredError(Loss):
    """Mean squared error."""

    needs_views = ("waveform",)
    needs_signals = ("clean",)

    def __init__(self, *, power: float = 2.0) -> None:
        super().__init__()
        self.power = power

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        return batch.mean_over_samples((estimate.waveform - batch.signal("clean")).abs() ** self.power)


class SteepError(SquaredError):
    """Finite, with a gradient that is not: a root at zero."""

    def __init__(self, *, power: float = 2.0) -> None:
        super().__init__(power=power)

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        return super().forward(estimate, batch) + (estimate.waveform * 0.0).sum(-1).sqrt()


class Accuracy:
    """Negative squared error in percent of the noisy one; no score for the first utterance."""

    higher_is_better = True

    def __init__(self, *, skip_below: int = 0) -> None:
        self.skip_below = skip_below

    def compute(self, *, clean: Any, estimate: Any, noisy: Any, sample_rate: int) -> MetricValue:
        if len(clean) < self.skip_below:
            return MetricValue.failed("too short")
        return MetricValue(float(-100.0 * np.mean((clean - estimate) ** 2) / np.mean((clean - noisy) ** 2)))


class Lacking(SiSdr):
    """SI-SDR, and none for the shortest utterance of each set, as PESQ has none where it finds no speech."""

    def score(self, clean: Any, estimate: Any, noisy: Any, sample_rate: int) -> float:
        if len(clean) < 1900:
            raise Unscorable("no utterance detected")
        return super().score(clean, estimate, noisy, sample_rate)


class OneRate(SiSdr):
    """SI-SDR, defined at 16 kHz alone."""

    other_rates = ""


def item(cls: str, **params: Any) -> dict[str, Any]:
    return {"type": f"tiny_runs:{cls}", "params": params}


def accuracy(**params: Any) -> dict[str, Any]:
    """The metric that runs are validated by, as a plan describes it."""
    return {**item("Accuracy", **params), "implementation": "sebench tiny_runs:Accuracy"}


def make_run(
    store: Store,
    *,
    bad: int | None = None,
    train_seed: int = 1,
    parents: dict[str, Node] | None = None,
    **changes: Any,
) -> Node:
    """A run of a few steps; `changes` go to the stage, or to the spec where it has the key."""
    train = make_set(store, "train", 5, train_seed, bad)
    valid = make_set(store, "valid", 3, 2)
    stage: dict[str, Any] = {
        "kind": "supervised",
        "steps": 9,
        "batch_size": 2,
        "segment_seconds": 0.12,
        "optimiser": {"type": "adamw", "lr": 0.02, "weight_decay": 0.01, "betas": [0.9, 0.999]},
        "schedule": {
            "type": "halve_on_plateau",
            "warmup_steps": 2,
            "final_factor": 0.0,
            "patience": 1,
            "stop_lr": None,
        },
        "clip_norm": 1.0,
        "validate_every": 3,
        "validate_by": {"metric": accuracy()},
        "keep": "best",
        "precision": "32-true",
        "threads": 1,
        "devices": 1,
        "augment": [],
        "freeze": [],
    }
    spec: dict[str, Any] = {
        "version": 2,
        "model": item("TinyGain"),
        "loss": {"item": item("SquaredError")},
        "seed": 0,
        "init": {},
    }
    for key, value in changes.items():
        (spec if key in spec else stage)[key] = value
    keys = {"train": train.key, "valid": valid.key, **{role: parent.key for role, parent in (parents or {}).items()}}
    node = Node("run", "tiny", {**spec, "stage": stage}, keys)
    store.freeze(node)
    return node


#: A metric without a package, for labels.
SI_SDR = {"type": "si_sdr", "params": {"zero_mean": True}, "implementation": "sebench si_sdr"}
LACKING = {**item("Lacking"), "implementation": "sebench tiny_runs:Lacking"}
#: A predictor that trains in milliseconds.
PREDICTOR = {
    "type": "pesqnet",
    "params": {
        "channels": 2,
        "kernels": 3,
        "widths": [1, 2],
        "hidden": 3,
        "dense": [4],
        "block": 4,
        "block_hop": 4,
        "window_length": 64,
        "hop": 32,
        "n_fft": 64,
    },
}


def predictor_run(
    store: Store, enhancer: Node, metric: dict[str, Any] | None = None, hears: str = "enhanced", **changes: Any
) -> Node:
    """A predictor of a metric (SI-SDR) trained on a run's output."""
    stage = {
        "kind": "predictor",
        "labels": metric or SI_SDR,
        "hears": hears,
        "segment_seconds": None,
        "validate_by": "loss",
    }
    node = make_run(store, parents={"init:enhancer": enhancer}, init={"enhancer": "init:enhancer"}, **stage, **changes)
    return _with_networks(store, node)


def alternating_run(
    store: Store, enhancer: Node, predictor: Node, epochs: int = 4, hears: str = "enhanced", **changes: Any
) -> Node:
    """The two in alternation: five utterances, two in a minibatch, three steps an epoch."""
    optimiser = {"type": "adam", "lr": 0.01, "weight_decay": 0.0, "betas": [0.9, 0.999]}
    stage = {
        "kind": "alternating",
        "labels": SI_SDR,
        "hears": hears,
        "segment_seconds": None,
        "validate_by": "loss",
        "steps": 3 * epochs,
        "optimiser": optimiser,
        "predictor_optimiser": {**optimiser, "lr": 0.02},
        "optimiser_state": "keep",
        "schedule": {"type": "constant", "warmup_steps": 0, "final_factor": 0.0, "patience": 1, "stop_lr": None},
        "clip_norm": None,
    }
    mix = [{"weight": 0.5, "loss": {"item": item("SquaredError")}}, {"weight": 0.5, "loss": {"item": PREDICTED}}]
    node = make_run(
        store,
        parents={"init:": enhancer, "init:predictor": predictor},
        init={"": "init:", "predictor": "init:predictor"},
        **{"loss": {"sum": mix}, **stage, **changes},
    )
    return _with_networks(store, node)


PREDICTED = {"type": "predicted_score", "params": {"best": 4.64}}


def _with_networks(store: Store, node: Node) -> Node:
    node = dataclasses.replace(node, spec={**node.spec, "predictor": PREDICTOR})
    store.freeze(node)
    return node


@dataclasses.dataclass(frozen=True)
class Blow:
    """A signal to oneself in a step, or in a validation (of stages with a predictor: the `step`th), or before all."""

    number: signal.Signals
    step: int
    in_validation: bool = False
    in_preparation: bool = False


def run_in_child(root: str, key: str, blow: Blow | None, save_seconds: float) -> None:
    """Train in this process, which ends with the code that the command line would give."""
    from sebench.config import items
    from sebench.errors import RestartNeeded
    from sebench.stages import supervised, with_predictor
    from sebench.training import engine, kinds, stage, step

    engine.SAVE_SECONDS = save_seconds
    store = Store(root)
    kind: Any = items.imported(kinds.kind_of(RunSpec.of(store.load(key).spec)))
    if blow is not None and blow.in_validation and issubclass(kind, with_predictor.WithPredictor):
        validated = kind._validated
        calls = iter(range(100))

        def interrupted_validation(self: with_predictor.WithPredictor, pause: Any) -> Iterator[Any]:
            call = next(calls)
            for i, found in enumerate(validated(self, pause)):
                if (call, i) == (blow.step, 1):
                    os.kill(os.getpid(), blow.number)
                yield found

        kind._validated = interrupted_validation
    elif blow is not None and blow.in_validation:
        score = supervised.Supervised._score

        def scored(self: supervised.Supervised, i: int) -> float | None:
            if i == 1:
                os.kill(os.getpid(), blow.number)
            return score(self, i)

        supervised.Supervised._score = scored  # type: ignore[method-assign]
    elif blow is not None and blow.in_preparation:
        utterances = stage.utterances

        def interrupted(train: stage.RenderedSet, device: torch.device, pause: Any) -> Iterator[Batch]:
            for i, batch in enumerate(utterances(train, device, pause)):
                if i == 2:
                    os.kill(os.getpid(), blow.number)
                yield batch

        supervised.utterances = with_predictor.utterances = interrupted
    elif blow is not None:
        advance = kind.step

        def stepped(self: stage.Stage, number: int) -> Any:
            if number == blow.step:
                os.kill(os.getpid(), blow.number)
            return advance(self, number)

        kind.step = stepped
    try:
        step.run(store.load(key), store)
    except RestartNeeded as error:
        os._exit(error.exit_code)


def contents(store: Store, node: Node) -> dict[str, bytes]:
    """The published files' bytes."""
    return {name: path.read_bytes() for name, path in store.outputs(node).items()}


def weights_path(store: Store, node: Node) -> Path:
    return store.outputs(node)["checkpoint.safetensors"]

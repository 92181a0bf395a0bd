"""Kinds of training stages.

A stage kind owns named modules and their optimisers and knows how one step and one validation go. Everything that a
resumed run needs is in these modules and optimisers and the number of the step; the loop around it (`engine`) saves and
restores them without knowing what they are. A new kind is a subclass of `Stage` and an entry in `kinds.STAGES`.
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sebench.config import items
from sebench.errors import DataError, SebenchError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.losses.compose import build_loss
from sebench.models.input_statistics import measure_inputs
from sebench.seeding import seed_of
from sebench.training.checkpoint import load_weights, submodule_of
from sebench.training.data import Batches, Rows, whole_row
from sebench.training.device import autocast
from sebench.training.history import Validation
from sebench.training.labels import Labels
from sebench.training.optimisers import Adam, build_optimiser
from sebench.training.team import ALONE, Team

log = logging.getLogger(__name__)


class NotFinite(SebenchError):
    """A loss, a gradient or an output is NaN or infinite: a result of the run, not an error of the program.

    Args:
        what: that is not finite.
        mixtures: in which utterances.
    """

    def __init__(self, what: str, mixtures: Sequence[str]) -> None:
        super().__init__(f"{what} is not finite")
        self.what = what
        self.mixtures = list(mixtures)


@dataclass(frozen=True)
class StepResult:
    """Loss (mean over the batch) and norm of the gradient before clipping; None where the step had none."""

    loss: float | None
    grad_norm: float | None


@dataclass(frozen=True)
class RenderedSet:
    """A rendered set, opened."""

    rows: Rows
    mixtures: Sequence[str]
    sample_rate: int


@dataclass(frozen=True)
class Context:
    """What a stage is made from.

    Args:
        spec: of the run node.
        train, valid: rendered sets.
        device: where it trains.
        initial: submodule path ("" = the model), or network of the stage, -> (whose, weights) from parent runs.
        team: the processes that train this run together.
        labels: of a stage that trains a predictor.
    """

    spec: Mapping[str, Any]
    train: RenderedSet
    valid: RenderedSet
    device: torch.device
    initial: Mapping[str, tuple[str, Mapping[str, Tensor]]]
    team: Team = ALONE
    labels: Labels | None = None


class Stage(ABC):
    """One training phase over explicit state.

    Attributes:
        modules: by name; all are saved and restored.
        optimisers: by name; all are saved and restored, the schedule acts on all of them.
        valid_name: what `validate` gives.
        higher_is_better: its direction.
        validates_first: whether it is validated before its first step too.
        team: the processes that train this run together.
    """

    team: Team
    validates_first = False
    modules: dict[str, nn.Module]
    optimisers: dict[str, Adam]
    valid_name: str
    higher_is_better: bool

    @abstractmethod
    def __init__(self, context: Context) -> None:
        """Build modules and optimisers; the global generator is seeded by the caller."""

    def state(self) -> list[Tensor]:
        """All tensors of the modules and optimisers, in an order that every process of the team agrees on."""
        tensors = [value for module in self.modules.values() for value in module.state_dict().values()]
        return tensors + [value for optimiser in self.optimisers.values() for value in optimiser.tensors().values()]

    @property
    @abstractmethod
    def product(self) -> nn.Module:
        """The module whose weights are published."""

    def published(self) -> dict[str, Tensor]:
        """A copy of what is published, on the CPU: the product's weights, and others as `<network>/<name>`."""
        return snapshot(self.product)

    def base_lr(self, number: int) -> float:
        """The base rate of step `number`, which its row of the history shows times the schedule's factor."""
        return max(optimiser.base_lr for optimiser in self.optimisers.values())

    @abstractmethod
    def prepare(self, pause: Callable[[], None]) -> None:
        """Put into the modules what they need of the data before the first step, where it is not there already.

        Called in each attempt, also of a resumed run, by rank 0 alone; calls `pause` now and then, which may raise.

        Raises:
            NotFinite: the data gives no finite values.
        """

    @abstractmethod
    def step(self, number: int) -> StepResult:
        """Train one step; the global generator is seeded for it.

        Raises:
            NotFinite: before any weight was changed.
        """

    @abstractmethod
    def validate(self, step: int, pause: Callable[[], None]) -> Validation:
        """Validate after so many steps; calls `pause` between utterances, which may raise.

        Raises:
            NotFinite: an output is not finite.
        """


def begin_step(stage: Stage, seed: int, step: int, factor: float, rank: int = 0) -> None:
    """Rates and the global generator for a step: the same on every rank but for what a rank draws itself."""
    for optimiser in stage.optimisers.values():
        optimiser.lr = optimiser.base_lr * factor
    torch.manual_seed(seed_of("step", seed, step, *([rank] if rank else [])))


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """A copy of a module's weights, on the CPU."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in module.state_dict().items()}


def utterances(train: RenderedSet, device: torch.device, pause: Callable[[], None]) -> Iterator[Batch]:
    """The noisy utterances of a training set, whole, one after the other; calls `pause` between them.

    Raises:
        NotFinite: one holds values that are not.
    """
    log.info("measuring the model's input statistics over %d utterances", len(train.rows))
    for i in range(len(train.rows)):
        pause()
        batch = whole_row(train.rows, i, train.sample_rate, ("noisy",))
        if not bool(batch.noisy.isfinite().all()):
            raise NotFinite("an utterance of the training set", [train.mixtures[i]])
        yield batch.to(device)


def norm_of(parameters: Sequence[nn.Parameter], clip_norm: float | None) -> float:
    """Norm of the gradient, which is then clipped to `clip_norm` where there is one."""
    if clip_norm is not None:
        return float(torch.nn.utils.clip_grad_norm_(parameters, clip_norm))
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return float(torch.nn.utils.get_total_norm(gradients))


def build_model(item: Mapping[str, Any], seed: int) -> nn.Module:
    """A fresh model, whose weights depend on the seed alone (the caller's generator is left as it was)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed_of("init", seed))
        model: nn.Module = items.build(item, "model")
    return model


class Supervised(Stage):
    """A model on pairs of noisy and clean speech by a loss between estimate and target."""

    SIGNALS: ClassVar[tuple[str, ...]] = ("noisy", "clean")

    def __init__(self, context: Context) -> None:
        spec, stage = context.spec, context.spec["stage"]
        self.device = context.device
        self.team = context.team
        self.model = build_model(spec["model"], spec["seed"])
        for path, (where, weights) in sorted(context.initial.items()):
            load_weights(submodule_of(self.model, path, "init"), weights, where, path)
        self.model.to(self.device)
        self.frozen = [submodule_of(self.model, path, "freeze") for path in stage.get("freeze") or ()]
        for module in self.frozen:
            module.requires_grad_(False)
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not self.parameters:
            raise DataError("every parameter of the model is frozen: there is nothing to train")
        self.loss = build_loss(spec["loss"]).to(self.device)
        self.modules = {"model": self.model, "loss": self.loss}
        self.optimisers = {"model": build_optimiser(self.parameters, stage["optimiser"])}
        self.clip_norm = stage.get("clip_norm")
        self.precision = stage["precision"]
        self.signals = (*self.SIGNALS, *getattr(self.loss, "needs_signals", ()))
        self.batches = Batches(
            context.train.rows,
            context.train.mixtures,
            context.train.sample_rate,
            batch_size=stage["batch_size"],
            segment_seconds=stage["segment_seconds"],
            seed=spec["seed"],
            signals=self.signals,
            augment=stage.get("augment", ()),
        )
        self.train, self.valid = context.train, context.valid
        by = stage["validate_by"]
        self.metric = None if by == "loss" else items.build(by["metric"], "metric")
        self.valid_name = "loss" if self.metric is None else str(by["metric"].get("name") or by["metric"]["type"])
        self.higher_is_better = False if self.metric is None else bool(self.metric.higher_is_better)
        self._set_training()

    @property
    def product(self) -> nn.Module:
        """The model."""
        return self.model

    def prepare(self, pause: Callable[[], None]) -> None:
        """The model's input statistics, over the whole training set; weights of a parent run bring theirs."""
        measure_inputs(self.model, utterances(self.train, self.device, pause))

    def step(self, number: int) -> StepResult:
        """One batch, one step of the optimiser."""
        whole = self.batches.ahead(number)
        batch = self._to_device(self.team.share(whole))
        with autocast(self.device, self.precision):
            estimate: Estimate = self.model(batch)
        values: Tensor = self.loss(estimate, batch)
        all_values = self.team.gather(values)
        loss = all_values.mean().item()
        if not math.isfinite(loss):
            raise NotFinite("the loss", self._culprits(number, whole, all_values))
        optimiser = self.optimisers["model"]
        optimiser.zero_grad()
        values.mean().backward()
        self.team.average_gradients(self.parameters)
        grad_norm = norm_of(self.parameters, self.clip_norm)
        if not math.isfinite(grad_norm):
            raise NotFinite("the gradient", self.batches.ids(number))
        optimiser.step()
        return StepResult(loss, grad_norm)

    def validate(self, step: int, pause: Callable[[], None]) -> Validation:
        """Mean of the metric, or of the loss, over whole utterances, one at a time."""
        self.model.eval()
        try:
            with torch.no_grad():
                scores = [self._score(i) for i in self._paused(pause)]
        finally:
            self._set_training()
        found = [score for score in scores if score is not None]
        return Validation(math.fsum(found) / len(found) if found else None, len(found), len(scores), tuple(scores))

    def _paused(self, pause: Callable[[], None]) -> Iterator[int]:
        for i in range(len(self.valid.rows)):
            pause()
            yield i

    def _score(self, i: int) -> float | None:
        signals = self.signals if self.metric is None else self.SIGNALS
        batch = self._to_device(whole_row(self.valid.rows, i, self.valid.sample_rate, signals))
        with autocast(self.device, self.precision):
            estimate: Estimate = self.model(batch)
        if self.metric is None:
            value = float(self.loss(estimate, batch).item())
            if not math.isfinite(value):
                raise NotFinite("the validation loss", [self.valid.mixtures[i]])
            return value
        output = estimate.waveform[0].float().cpu()
        if not bool(output.isfinite().all()):
            raise NotFinite("the model's output in validation", [self.valid.mixtures[i]])
        assert batch.clean is not None
        result = self.metric.compute(
            clean=batch.clean[0].cpu().numpy(),
            estimate=output.numpy(),
            noisy=batch.noisy[0].cpu().numpy(),
            sample_rate=self.valid.sample_rate,
        )
        return None if result.value is None or not math.isfinite(result.value) else float(result.value)

    def _culprits(self, number: int, batch: Batch, values: Tensor) -> list[str]:
        """Utterances that are not finite themselves, else those whose loss is not: batch normalisation spreads it."""
        ids = self.batches.ids(number)
        for finite in (batch.noisy.isfinite().all(-1), values.isfinite()):
            found = [name for name, fine in zip(ids, finite.tolist(), strict=True) if not fine]
            if found:
                return found
        return ids

    def _to_device(self, batch: Batch) -> Batch:
        return batch if self.device.type == "cpu" else batch.to(self.device)

    def _set_training(self) -> None:
        self.model.train()
        for module in self.frozen:
            module.eval()

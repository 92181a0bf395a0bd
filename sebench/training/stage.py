"""Kinds of training stages.

A stage kind owns named modules and their optimisers and knows how one step and one validation go. Everything that a
resumed run needs is in these modules and optimisers and the number of the step; the loop around it (`engine`) saves and
restores them without knowing what they are. A new kind is a subclass of `Stage` (`sebench.stages` has one a file).
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sebench.config import items
from sebench.config.specs import RunSpec
from sebench.errors import SebenchError
from sebench.estimate.batch import Batch
from sebench.seeding import seed_of
from sebench.training.data import Rows, whole_row
from sebench.training.history import Validation
from sebench.training.labels import Labels
from sebench.training.optimisers import Adam
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
    """What a step tells, by name: a curve each in the run's history.

    Args:
        terms: "loss", the mean over the batch of what was minimised, and what else there is, such as its parts.
        norms: "grad_norm", of the gradient before clipping, and those of other optimisers.

    What a step does not have it leaves out.
    """

    terms: Mapping[str, float] = field(default_factory=dict)
    norms: Mapping[str, float] = field(default_factory=dict)

    @property
    def loss(self) -> float | None:
        """What was minimised; None where the step had no loss."""
        return self.terms.get("loss")


def parts_of(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The terms of a loss that has several, without their weights, as a step tells them; nothing of any other loss."""
    return {f"loss/{name}": term for name, term in terms.items()} if len(terms) > 1 else {}


@dataclass(frozen=True)
class RenderedSet:
    """A rendered set, opened."""

    rows: Rows
    mixtures: Sequence[str]
    sample_rate: int


#: Submodule path ("" = the model), or network of the stage, -> (whose, weights) from parent runs.
Initial = Mapping[str, tuple[str, Mapping[str, Tensor]]]


@dataclass(frozen=True)
class Context:
    """What a stage is made from.

    Args:
        spec: of the run node.
        train, valid: rendered sets.
        device: where it trains.
        initial: weights from parent runs.
        team: the processes that train this run together.
        labels: of a stage that trains a predictor.
    """

    spec: RunSpec
    train: RenderedSet
    valid: RenderedSet
    device: torch.device
    initial: Initial
    team: Team = ALONE
    labels: Labels | None = None


class Stage(ABC):
    """One training phase over explicit state: the base of all kinds of stages.

    Class attributes (literals: the planner reads them from the source text; networks are named as in a run's spec:
    "model", and the parameters that name an entry of a network):
        name, version: identity; the version covers the loop around the stage too.
        trains: networks whose weights it changes; they are held to their contracts before the first step.
        publishes: networks whose weights a checkpoint holds, the product first.
        parts: whether submodules of the model can start from earlier stages (`init`), or be frozen (`freeze`).
        starts: what else can start from an earlier stage, beside the whole product ("").
        needs: of "" and `starts`, what must.
        offers: networks that a loss may pass the estimate through, by `Loss.uses`.
        takes_loss: whether it trains by a loss of the study.
        by_metric: whether validation can measure a metric of the study, instead of what `measure` says.
        measure: what validation measures else.
        compares_every: of so many validations one has a value to choose the weights by, from the first on.
        compared: which these are, in words for a table's footer.
        devices: whether several can train one run.
        augments: whether its batches can be augmented.
        whole_epochs: whether it is made of epochs over whole utterances and needs them.
        tells: terms, norms and results of a validation that its history has a column for, beside the loop's own
            (`config.facts.LOOP_COLUMNS`) and the parts of a loss.
        source: where it is from.

    Keywords of `__init__` are keys of a recipe's stage, read from the source text and checked like a loss's
    parameters. Annotated with `EntryOf(kind)` one is the name of an entry there and its description here; with
    `OptimiserOf(network)` the settings of an optimiser. A parameter `labels` is the metric that
    `Context.labels` measures.

    Attributes:
        modules: by name; all are saved and restored. Frozen networks and extractors belong here too: of what has not
            moved since a parent run or a file from outside gave it, checkpoints hold hashes, which are compared.
        optimisers: by name; all are saved and restored, the schedule acts on all of them.
        valid_name: what `validate` gives.
        higher_is_better: its direction.
        validates_first: whether it is validated before its first step too.
        team: the processes that train this run together.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    trains: ClassVar[tuple[str, ...]] = ("model",)
    publishes: ClassVar[tuple[str, ...]] = ("model",)
    parts: ClassVar[bool] = True
    starts: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    offers: ClassVar[tuple[str, ...]] = ()
    takes_loss: ClassVar[bool] = True
    by_metric: ClassVar[bool] = True
    measure: ClassVar[str] = "loss"
    compares_every: ClassVar[int] = 1
    compared: ClassVar[str] = ""
    devices: ClassVar[bool] = True
    augments: ClassVar[bool] = True
    whole_epochs: ClassVar[bool] = False
    tells: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[str] = ""

    team: Team
    validates_first = False
    modules: dict[str, nn.Module]
    optimisers: dict[str, Adam]
    valid_name: str
    higher_is_better: bool

    @abstractmethod
    def start(self, context: Context) -> None:
        """Build modules and optimisers; the global generator is seeded by the caller.

        Raises:
            DataError: the run's spec, its sets and its parents do not fit together.
        """

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


def build_network(kind: str, item: Mapping[str, Any], seed: int) -> Any:
    """A fresh network beside the model, such as a predictor; its weights likewise depend on the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(f"init {kind}", seed))
        return items.build(item, kind)

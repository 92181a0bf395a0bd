"""Training a predictor of a metric on the output of an enhancer, and training the two in alternation (PESQNet)."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sebench.config import items
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.losses.compose import build_loss
from sebench.metrics.agreement import lcc, mae
from sebench.models.input_statistics import measure_inputs
from sebench.predictors.base import Predictor
from sebench.seeding import seed_of
from sebench.training.checkpoint import load_weights
from sebench.training.data import Batches, whole_row
from sebench.training.device import autocast
from sebench.training.history import Validation
from sebench.training.labels import Label, Labels
from sebench.training.optimisers import Adam, build_optimiser
from sebench.training.stages import Context, NotFinite, Stage, StepResult, build_model, norm_of, snapshot, utterances

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Batches that are enhanced before they are needed, so that their labels are there in time: at least so many, and
#: so many labels for each process that measures them.
AHEAD = 3

#: A predicted and a measured score; None where the signals have none.
Pair = tuple[float, float | None]


def build_predictor(item: Mapping[str, Any], seed: int) -> Predictor:
    """A fresh predictor, whose weights depend on the seed alone (the caller's generator is left as it was)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed_of("init predictor", seed))
        predictor: Predictor = items.build(item, "predictor")
    return predictor


def hold(network: nn.Module) -> None:
    """Freeze a network that gradients still pass through.

    It behaves as in evaluation, but for its recurrent layers, through which cuDNN has no gradient there; without
    dropout between them they compute the same.
    """
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.RNNBase) and module.dropout == 0.0:
            module.training = True


class Count(nn.Module):
    """A number that a checkpoint holds: here, of the utterances that were trained on so far and have no label."""

    number: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("number", torch.zeros((), dtype=torch.int64))

    def add(self, more: int) -> None:
        """Count further ones."""
        self.number += more

    @property
    def value(self) -> int:
        """How many there were."""
        return int(self.number)


class _Scored:
    """A batch that went through the enhancer, with what the predictor hears of it; labels are measured meanwhile.

    Args:
        batch, estimate: as they went through the enhancer.
        heard: signals and their labels, one per utterance; the enhanced signal first.
    """

    def __init__(self, batch: Batch, estimate: Estimate, heard: list[tuple[Estimate, list[Label]]]) -> None:
        self.batch, self.estimate, self.heard = batch, estimate, heard

    def values(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Labels and where there are any: float32 and bool, `(signals * batch,)`."""
        found = [label.value() for _, labels in self.heard for label in labels]
        present = torch.tensor([value is not None for value in found], device=device)
        return torch.tensor([value or 0.0 for value in found], device=device), present


class _WithPredictor(Stage):
    """Common part: an enhancer, a predictor, and the labels of what the enhancer makes.

    The predictor sees the spectrum of the estimate itself; the label is measured on its waveform.
    """

    networks: tuple[str, ...] = ()

    def __init__(self, context: Context) -> None:
        spec, stage = context.spec, context.spec["stage"]
        if context.team.size > 1 or stage.get("devices", 1) > 1:
            raise DataError(
                f"a stage of kind {stage['kind']!r} trains on one device; its plan has {stage.get('devices', 1)}"
            )
        if context.labels is None:
            raise DataError(f"a stage of kind {stage['kind']!r} needs `labels`: the metric that is predicted")
        self.team = context.team
        self.device = context.device
        self.labels: Labels = context.labels
        self.enhancer = build_model(spec["model"], spec["seed"])
        self.predictor = build_predictor(spec["predictor"], spec["seed"])
        for path, network in self._initialised().items():
            if path in context.initial:
                where, weights = context.initial[path]
                load_weights(network, weights, where)
        self.enhancer.to(self.device)
        self.predictor.to(self.device)
        self.precision = stage["precision"]
        self.clip_norm = stage.get("clip_norm")
        self.sample_rate = context.train.sample_rate
        self.train, self.valid = context.train, context.valid
        self.batches = Batches(
            context.train.rows,
            context.train.mixtures,
            self.sample_rate,
            batch_size=stage["batch_size"],
            segment_seconds=stage["segment_seconds"],
            seed=spec["seed"],
            signals=self._signals(context),
            augment=stage.get("augment", ()),
        )
        self.batch_size = int(stage["batch_size"])
        self.hears_noisy = stage["hears"] == "both"
        self.unlabelled = Count()
        self._ahead: collections.OrderedDict[int, _Scored] = collections.OrderedDict()
        self.higher_is_better = False

    def prepare(self, pause: Callable[[], None]) -> None:
        """The enhancer's input statistics; those of a parent run come with its weights."""
        measure_inputs(self.enhancer, utterances(self.train, self.device, pause))

    def _initialised(self) -> dict[str, nn.Module]:
        """Path in `init` -> the network that starts from there."""
        raise NotImplementedError

    def _signals(self, context: Context) -> tuple[str, ...]:
        """Signals of the batch that are needed."""
        return ("noisy", "clean")

    # Enhancing and labelling

    def _ahead_of(self, batch_size: int) -> int:
        """Batches of that size to be enhanced ahead; what is computed does not depend on it."""
        return max(AHEAD, math.ceil(AHEAD * self.labels.workers / batch_size))

    def _enhance(self, batch: Batch) -> Estimate:
        with autocast(self.device, self.precision):
            estimate: Estimate = self.enhancer(batch)
        return estimate

    def _scored(self, batch: Batch, ids: list[str]) -> _Scored:
        """Enhance without a gradient, and ask for the labels."""
        with torch.no_grad():
            estimate = self._enhance(batch)
            waveform = estimate.waveform.float().cpu().numpy()
        if not np.isfinite(waveform).all():
            finite = np.isfinite(waveform).all(axis=-1)
            raise NotFinite("the enhanced signal", [name for name, fine in zip(ids, finite, strict=True) if not fine])
        clean = batch.signal("clean").cpu().numpy()
        lengths = batch.true_lengths().tolist()

        def asked(signals: NDArray[np.float32]) -> list[Label]:
            return [self.labels.ask(clean[i, :n], signals[i, :n]) for i, n in enumerate(lengths)]

        heard = [(estimate, asked(waveform))]
        if self.hears_noisy:
            heard.append((Estimate(batch, waveform=batch.noisy), asked(batch.noisy.cpu().numpy())))
        return _Scored(batch, estimate, heard)

    def _next(self, number: int, last: int) -> _Scored:
        """The batch of a step, scored; those after it, up to step `last`, are enhanced and their labels asked for."""
        for step in range(number, min(number + self._ahead_of(self.batch_size), last) + 1):
            if step not in self._ahead:
                self._ahead[step] = self._scored(self._to_device(self.batches.batch(step)), self.batches.ids(step))
        return self._ahead.pop(number)

    def _predict(self, scored: _Scored) -> Tensor:
        """Of all that is heard, in the order of `_Scored.values`."""
        with autocast(self.device, self.precision):
            found = [self.predictor.of_estimate(signal, scored.batch) for signal, _ in scored.heard]
        return torch.cat(found)

    def _train_predictor(self, number: int, last: int, optimiser: Adam) -> StepResult:
        """One step on (P^ - P)^2, over the utterances that have a label: equation (4)."""
        scored = self._next(number, last)
        labels, present = scored.values(self.device)
        self.unlabelled.add(int((~present).sum()))
        if not bool(present.any()):
            return StepResult(None, None)
        loss = (self._predict(scored) - labels).square()[present].mean()
        value = float(loss.item())
        if not math.isfinite(value):
            raise NotFinite("the predictor's loss", self.batches.ids(number))
        optimiser.zero_grad()
        loss.backward()
        norm = norm_of(optimiser.parameters, self.clip_norm)
        if not math.isfinite(norm):
            raise NotFinite("the predictor's gradient", self.batches.ids(number))
        optimiser.step()
        return StepResult(value, norm)

    # Validation

    @torch.no_grad()
    def _validated(self, pause: Callable[[], None]) -> Iterator[tuple[_Scored, list[Pair]]]:
        """Each validation utterance, with what is predicted and measured of its signals."""
        self._set_validating()
        try:
            waiting: collections.deque[_Scored] = collections.deque()
            ahead = self._ahead_of(1)
            for i in range(len(self.valid.rows) + ahead):
                pause()
                if i < len(self.valid.rows):
                    batch = self._to_device(whole_row(self.valid.rows, i, self.sample_rate, self.batches.signals))
                    waiting.append(self._scored(batch, [self.valid.mixtures[i]]))
                if i >= ahead:
                    scored = waiting.popleft()
                    predicted = self._predict(scored).tolist()
                    if not all(map(math.isfinite, predicted)):
                        raise NotFinite("the predicted score", [self.valid.mixtures[i - ahead]])
                    measured = (labels[0].value() for _, labels in scored.heard)
                    yield scored, list(zip(predicted, measured, strict=True))
        finally:
            self._set_training()

    def _agreement(self, pairs: list[list[Pair]]) -> dict[str, float | None]:
        """Of each utterance's enhanced signal, and of its noisy one where the predictor hears it."""
        found = agreement([one[0] for one in pairs])
        return found | agreement([one[1] for one in pairs], "_noisy") if self.hears_noisy else found

    def _set_validating(self) -> None:
        self.enhancer.eval()
        self.predictor.eval()

    def _set_training(self) -> None:
        raise NotImplementedError

    def _to_device(self, batch: Batch) -> Batch:
        return batch if self.device.type == "cpu" else batch.to(self.device)


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def agreement(pairs: list[Pair], suffix: str = "") -> dict[str, float | None]:
    """MAE and LCC of predicted over measured scores, where there are any; None where they are not defined."""
    there = [(predicted, measured) for predicted, measured in pairs if measured is not None]
    predicted, measured = [p for p, _ in there], [m for _, m in there]
    return {f"mae{suffix}": mae(predicted, measured), f"lcc{suffix}": lcc(predicted, measured)}


class PredictorTraining(_WithPredictor):
    """A predictor on the output of a frozen enhancer, by the squared difference to the measured metric."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        hold(self.enhancer)
        self.modules = {"predictor": self.predictor, "unlabelled": self.unlabelled}
        parameters = [parameter for parameter in self.predictor.parameters() if parameter.requires_grad]
        self.optimisers = {"predictor": build_optimiser(parameters, context.spec["stage"]["optimiser"])}
        self.steps = int(context.spec["stage"]["steps"])
        self.valid_name = "squared error"
        self._set_training()

    @property
    def product(self) -> nn.Module:
        """The predictor."""
        return self.predictor

    def _initialised(self) -> dict[str, nn.Module]:
        return {"": self.predictor, "enhancer": self.enhancer}

    def step(self, number: int) -> StepResult:
        """One batch, one step of the optimiser; none where no utterance has a label."""
        return self._train_predictor(number, self.steps - 1, self.optimisers["predictor"])

    def validate(self, step: int, pause: Callable[[], None]) -> Validation:
        """Mean squared error over whole utterances, of each the mean over its signals; MAE and LCC beside it."""
        pairs = [pairs for _, pairs in self._validated(pause)]
        errors = tuple(_mean([(p - m) ** 2 for p, m in one if m is not None]) for one in pairs)
        found = [error for error in errors if error is not None]
        also = {**self._agreement(pairs), "unlabelled": self.unlabelled.value}
        return Validation(_mean(found), len(found), len(pairs), errors, also)

    def _set_training(self) -> None:
        self.predictor.train()


class Accumulated(nn.Module):
    """Sums of gradients over the minibatches of an epoch, as buffers, so that a checkpoint holds them."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        super().__init__()
        self._names = [f"gradient{i}" for i in range(len(parameters))]
        for name, parameter in zip(self._names, parameters, strict=True):
            self.register_buffer(name, torch.zeros_like(parameter, requires_grad=False))

    @torch.no_grad()
    def add(self, parameters: list[nn.Parameter], weight: float) -> None:
        """Add the parameters' gradients, times a weight."""
        for name, parameter in zip(self._names, parameters, strict=True):
            if parameter.grad is not None:
                self.get_buffer(name).add_(parameter.grad, alpha=weight)

    @torch.no_grad()
    def move_to(self, parameters: list[nn.Parameter]) -> None:
        """Make the sums the parameters' gradients, and begin again."""
        for name, parameter in zip(self._names, parameters, strict=True):
            parameter.grad = self.get_buffer(name).clone()
            self.get_buffer(name).zero_()


class Alternating(_WithPredictor):
    """Epochs in turn: the enhancer through the frozen predictor, then the predictor on the frozen enhancer.

    Epoch tau = 1, 3, ... trains the enhancer by the loss: the gradients of all minibatches are averaged, and there is
    one step of its optimiser at the end of the epoch. Epoch tau = 2, 4, ... trains the predictor, minibatch by
    minibatch, on labels of the enhancer as it is then. Source: Xu, Strake, Fingscheidt, arXiv 2111.03847, sec. IV-C.

    What the optimisers know of the phase before is kept, or with `optimiser_state: reset` forgotten, at the start of
    each epoch; the source does not say. The enhancer is validated by its loss after its own epochs: the loss contains
    the predictor, and after the predictor's epochs it would compare two predictors.
    """

    validates_first = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        spec, stage = context.spec, context.spec["stage"]
        self.loss = build_loss(spec["loss"]).to(self.device)
        self.loss.attach({"predictor": self.predictor})
        self.parameters = list(self.enhancer.parameters())
        self.accumulated = Accumulated(self.parameters).to(self.device)
        self.modules = {
            "enhancer": self.enhancer,
            "predictor": self.predictor,
            "loss": self.loss,
            "accumulated": self.accumulated,
            "unlabelled": self.unlabelled,
        }
        self.optimisers = {
            "enhancer": build_optimiser(self.parameters, stage["optimiser"]),
            "predictor": build_optimiser(list(self.predictor.parameters()), stage["predictor_optimiser"]),
        }
        self.epoch_steps = self.batches.per_epoch
        if int(stage["validate_every"]) != self.epoch_steps or int(stage["steps"]) % self.epoch_steps:
            raise DataError(
                f"an alternating stage of whole epochs has {self.epoch_steps} steps in each; its plan has "
                f"{stage['steps']} steps and validates every {stage['validate_every']}"
            )
        self.resets = stage["optimiser_state"] == "reset"
        self.valid_name = "loss"
        self._phase_of = -1
        self._begin(0)

    @property
    def product(self) -> nn.Module:
        """The enhancer."""
        return self.enhancer

    def published(self) -> dict[str, Tensor]:
        """The enhancer's weights, and its predictor's as `predictor/<name>`."""
        return snapshot(self.enhancer) | {f"predictor/{k}": v for k, v in snapshot(self.predictor).items()}

    def _initialised(self) -> dict[str, nn.Module]:
        return {"": self.enhancer, "predictor": self.predictor}

    def _signals(self, context: Context) -> tuple[str, ...]:
        return ("noisy", "clean", *build_loss(context.spec["loss"]).needs_signals)

    def base_lr(self, number: int) -> float:
        """That of the network which the epoch of step `number` trains."""
        return self.optimisers["predictor" if number // self.epoch_steps % 2 else "enhancer"].base_lr

    def step(self, number: int) -> StepResult:
        """One minibatch of the epoch that `number` falls into."""
        epoch, place = divmod(number, self.epoch_steps)
        self._begin(epoch)
        if self.resets and place == 0:
            for optimiser in self.optimisers.values():
                optimiser.reset()
        if epoch % 2 == 0:
            return self._accumulate(number, last=place == self.epoch_steps - 1)
        return self._train_predictor(number, (epoch + 1) * self.epoch_steps - 1, self.optimisers["predictor"])

    def validate(self, step: int, pause: Callable[[], None]) -> Validation:
        """The loss over whole utterances; what is predicted and measured beside it."""
        epoch = step // self.epoch_steps
        losses: list[float] = []
        pairs: list[list[Pair]] = []
        for i, (scored, found) in enumerate(self._validated(pause)):
            with torch.no_grad():
                value = float(self.loss(scored.estimate, scored.batch).item())
            if not math.isfinite(value):
                raise NotFinite("the validation loss", [self.valid.mixtures[i]])
            losses.append(value)
            pairs.append(found)
        mean = math.fsum(losses) / len(losses)
        enhanced = [one[0] for one in pairs]
        predicted = [p for p, m in enhanced if m is not None]
        measured = [m for _, m in enhanced if m is not None]
        also: dict[str, float | int | None] = {
            "epoch": epoch,
            "valid_loss": mean,
            "predicted": _mean(predicted),
            "measured": _mean(measured),
            "labels": len(measured),
            "unlabelled": self.unlabelled.value,
            **self._agreement(pairs),
        }
        own_epoch = epoch % 2 == 1
        return Validation(mean if own_epoch else None, len(losses), len(losses), tuple(losses), also)

    # The two phases

    def _begin(self, epoch: int) -> None:
        phase = epoch % 2
        if phase == self._phase_of:
            return
        self._phase_of = phase
        self._ahead.clear()
        self._set_training()

    def _set_training(self) -> None:
        trained, held = (self.enhancer, self.predictor) if self._phase_of == 0 else (self.predictor, self.enhancer)
        hold(held)
        trained.train().requires_grad_(True)

    def _accumulate(self, number: int, *, last: bool) -> StepResult:
        batch = self._to_device(self.batches.batch(number))
        loss = self.loss(self._enhance(batch), batch).mean()
        value = float(loss.item())
        if not math.isfinite(value):
            raise NotFinite("the loss", self.batches.ids(number))
        optimiser = self.optimisers["enhancer"]
        optimiser.zero_grad()
        loss.backward()
        if not math.isfinite(norm_of(self.parameters, None)):
            raise NotFinite("the gradient", self.batches.ids(number))
        self.accumulated.add(self.parameters, 1.0 / self.epoch_steps)
        if not last:
            return StepResult(value, None)
        self.accumulated.move_to(self.parameters)
        norm = norm_of(self.parameters, self.clip_norm)
        optimiser.step()
        return StepResult(value, norm)

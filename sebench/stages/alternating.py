"""Training an enhancer and a predictor in alternation (PESQNet)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from sebench.config.annotations import EntryOf, OptimiserOf
from sebench.errors import DataError
from sebench.losses.compose import build_loss
from sebench.stages.with_predictor import Pair, WithPredictor, hold, mean_of
from sebench.training.history import Validation
from sebench.training.optimisers import build_optimiser
from sebench.training.stage import Context, NotFinite, StepResult, norm_of, parts_of, snapshot


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


class Alternating(WithPredictor):
    """Epochs in turn: the enhancer through the frozen predictor, then the predictor on the frozen enhancer.

    Epoch tau = 1, 3, ... trains the enhancer by the loss: the gradients of all minibatches are averaged, and there is
    one step of its optimiser at the end of the epoch. Epoch tau = 2, 4, ... trains the predictor, minibatch by
    minibatch, on labels of the enhancer as it is then. Source: Xu, Strake, Fingscheidt, arXiv 2111.03847, sec. IV-C.

    What the optimisers know of the phase before is kept, or with `optimiser_state: reset` forgotten, at the start of
    each epoch; the source does not say. The enhancer is validated by its loss after its own epochs: the loss contains
    the predictor, and after the predictor's epochs it would compare two predictors.

    Args:
        predictor_optimiser: optimiser of the predictor's epochs; `optimiser` is the model's.
        optimiser_state: whether the optimisers remember, at the start of an epoch, what they knew at the end of their
            last one.
    """

    name = "alternating"
    version = 2
    trains = ("model", "predictor")
    publishes = ("model", "predictor")
    starts = ("predictor",)
    needs = ("", "predictor")
    offers = ("predictor",)
    compares_every = 2
    compared = "those after the model's own epochs"
    whole_epochs = True
    tells = (
        "epoch", "valid_loss", "predicted", "measured", "labels", "unlabelled", "mae", "lcc", "mae_noisy", "lcc_noisy",
    )  # fmt: skip
    source = "Xu, Strake, Fingscheidt, arXiv 2111.03847, sec. IV-C"

    validates_first = True

    def __init__(
        self,
        *,
        predictor: Annotated[Mapping[str, Any], EntryOf("predictor")],
        labels: Annotated[Mapping[str, Any], EntryOf("metric")],
        predictor_optimiser: Annotated[Mapping[str, Any], OptimiserOf("predictor")],
        hears: Literal["enhanced", "both"] = "enhanced",
        optimiser_state: Literal["keep", "reset"] = "keep",
    ) -> None:
        super().__init__(predictor=predictor, labels=labels, hears=hears)
        self.predictor_optimiser = predictor_optimiser
        self.resets = optimiser_state == "reset"

    def start(self, context: Context) -> None:
        """See `Stage.start`."""
        super().start(context)
        spec, stage = context.spec, context.spec.stage
        self.loss = build_loss(spec.loss).to(self.device)
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
            "enhancer": build_optimiser(self.parameters, stage.optimiser),
            "predictor": build_optimiser(list(self.predictor.parameters()), self.predictor_optimiser),
        }
        self.epoch_steps = self.batches.per_epoch
        if stage.validate_every != self.epoch_steps or stage.steps % self.epoch_steps:
            raise DataError(
                f"an alternating stage of whole epochs has {self.epoch_steps} steps in each; its plan has "
                f"{stage.steps} steps and validates every {stage.validate_every}"
            )
        self.valid_name = self.measure
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
        return ("noisy", "clean", *build_loss(context.spec.loss).needs_signals)

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
            "predicted": mean_of(predicted),
            "measured": mean_of(measured),
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
        values, terms = self.loss.forward_with_terms(self._enhance(batch), batch)
        loss = values.mean()
        value = float(loss.item())
        parts = {name: float(term.detach().mean().item()) for name, term in parts_of(terms).items()}
        told = {"loss": value, **parts}
        if not math.isfinite(value):
            raise NotFinite("the loss", self.batches.ids(number))
        optimiser = self.optimisers["enhancer"]
        optimiser.zero_grad()
        loss.backward()
        if not math.isfinite(norm_of(self.parameters, None)):
            raise NotFinite("the gradient", self.batches.ids(number))
        self.accumulated.add(self.parameters, 1.0 / self.epoch_steps)
        if not last:
            return StepResult(told)
        self.accumulated.move_to(self.parameters)
        norm = norm_of(self.parameters, self.clip_norm)
        optimiser.step()
        return StepResult(told, {"grad_norm": norm})

"""Training a model by a loss between its estimate and the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from sebench.config import items
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.losses.compose import build_loss
from sebench.models.input_statistics import measure_inputs
from sebench.training.checkpoint import load_weights, submodule_of
from sebench.training.data import Batches, whole_row
from sebench.training.device import autocast
from sebench.training.history import Validation
from sebench.training.optimisers import build_optimiser
from sebench.training.stage import Context, NotFinite, Stage, StepResult, build_model, norm_of, parts_of, utterances


class Supervised(Stage):
    """A model on pairs of noisy and clean speech by a loss between estimate and target."""

    name = "supervised"
    version = 2

    SIGNALS: ClassVar[tuple[str, ...]] = ("noisy", "clean")

    def start(self, context: Context) -> None:
        """See `Stage.start`."""
        spec, stage = context.spec, context.spec.stage
        self.device = context.device
        self.team = context.team
        self.model = build_model(spec.model, spec.seed)
        for path, (where, weights) in sorted(context.initial.items()):
            load_weights(submodule_of(self.model, path, "init"), weights, where, path)
        self.model.to(self.device)
        self.frozen = [submodule_of(self.model, path, "freeze") for path in stage.freeze]
        for module in self.frozen:
            module.requires_grad_(False)
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not self.parameters:
            raise DataError("every parameter of the model is frozen: there is nothing to train")
        self.loss = build_loss(spec.loss).to(self.device)
        self.modules = {"model": self.model, "loss": self.loss}
        self.optimisers = {"model": build_optimiser(self.parameters, stage.optimiser)}
        self.clip_norm = stage.clip_norm
        self.precision = stage.precision
        self.signals = (*self.SIGNALS, *getattr(self.loss, "needs_signals", ()))
        self.batches = Batches(
            context.train.rows,
            context.train.mixtures,
            context.train.sample_rate,
            batch_size=stage.batch_size,
            segment_seconds=stage.segment_seconds,
            seed=spec.seed,
            signals=self.signals,
            augment=stage.augment,
        )
        self.train, self.valid = context.train, context.valid
        by = stage.metric
        self.metric = None if by is None else items.build(by, "metric")
        self.valid_name = "loss" if by is None else str(by.get("name") or by["type"])
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
        values, terms = self.loss.forward_with_terms(estimate, batch)
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
        parts = {name: self.team.gather(term.detach()).mean().item() for name, term in parts_of(terms).items()}
        return StepResult({"loss": loss, **parts}, {"grad_norm": grad_norm})

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

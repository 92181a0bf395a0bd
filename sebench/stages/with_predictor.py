"""What stages with a predictor of a metric share: an enhancer, the predictor, and labels of what the enhancer makes."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from sebench.config.annotations import EntryOf
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.metrics.agreement import lcc, mae
from sebench.models.input_statistics import measure_inputs
from sebench.predictors.base import Predictor
from sebench.training.checkpoint import load_weights
from sebench.training.data import Batches, whole_row
from sebench.training.device import autocast
from sebench.training.labels import Label, Labels
from sebench.training.optimisers import Adam
from sebench.training.stage import (
    Context,
    NotFinite,
    Stage,
    StepResult,
    build_model,
    build_network,
    norm_of,
    utterances,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Batches that are enhanced before they are needed, so that their labels are there in time: at least so many, and
#: so many labels for each process that measures them.
AHEAD = 3

#: A predicted and a measured score; None where the signals have none.
Pair = tuple[float, float | None]


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


class Scored:
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


class WithPredictor(Stage):
    """Common part: an enhancer, a predictor, and the labels of what the enhancer makes.

    The predictor sees the spectrum of the estimate itself; the label is measured on its waveform.

    Args:
        predictor: what learns to predict.
        labels: what it predicts: measured by processes of its own while training goes on, and kept by content in
            `results/state/labels`. A signal without a score is left out of the loss, and counted.
        hears: what it learns from: the model's output, or the noisy speech too.
    """

    parts = False
    by_metric = False
    devices = False

    def __init__(
        self,
        *,
        predictor: Annotated[Mapping[str, Any], EntryOf("predictor")],
        labels: Annotated[Mapping[str, Any], EntryOf("metric")],
        hears: Literal["enhanced", "both"] = "enhanced",
    ) -> None:
        del labels  # the context has them measured
        self._described = predictor
        self.hears_noisy = hears == "both"

    def start(self, context: Context) -> None:
        """See `Stage.start`."""
        spec, stage = context.spec, context.spec.stage
        if context.team.size > 1 or stage.devices > 1:
            raise DataError(f"a stage of kind {stage.kind!r} trains on one device; its plan has {stage.devices}")
        if context.labels is None:
            raise DataError(f"a stage of kind {stage.kind!r} needs `labels`: the metric that is predicted")
        self.team = context.team
        self.device = context.device
        self.labels: Labels = context.labels
        self.enhancer = build_model(spec.model, spec.seed)
        self.predictor: Predictor = build_network("predictor", self._described, spec.seed)
        for path, network in self._initialised().items():
            if path in context.initial:
                where, weights = context.initial[path]
                load_weights(network, weights, where)
        self.enhancer.to(self.device)
        self.predictor.to(self.device)
        self.precision = stage.precision
        self.clip_norm = stage.clip_norm
        self.sample_rate = context.train.sample_rate
        self.train, self.valid = context.train, context.valid
        self.batches = Batches(
            context.train.rows,
            context.train.mixtures,
            self.sample_rate,
            batch_size=stage.batch_size,
            segment_seconds=stage.segment_seconds,
            seed=spec.seed,
            signals=self._signals(context),
            augment=stage.augment,
        )
        self.batch_size = stage.batch_size
        self.unlabelled = Count()
        self._ahead: collections.OrderedDict[int, Scored] = collections.OrderedDict()
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

    def _scored(self, batch: Batch, ids: list[str]) -> Scored:
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
        return Scored(batch, estimate, heard)

    def _next(self, number: int, last: int) -> Scored:
        """The batch of a step, scored; those after it, up to step `last`, are enhanced and their labels asked for."""
        for step in range(number, min(number + self._ahead_of(self.batch_size), last) + 1):
            if step not in self._ahead:
                self._ahead[step] = self._scored(self._to_device(self.batches.batch(step)), self.batches.ids(step))
        return self._ahead.pop(number)

    def _predict(self, scored: Scored) -> Tensor:
        """Of all that is heard, in the order of `Scored.values`."""
        with autocast(self.device, self.precision):
            found = [self.predictor.of_estimate(signal, scored.batch) for signal, _ in scored.heard]
        return torch.cat(found)

    def _train_predictor(self, number: int, last: int, optimiser: Adam) -> StepResult:
        """One step on (P^ - P)^2, over the utterances that have a label: equation (4)."""
        scored = self._next(number, last)
        labels, present = scored.values(self.device)
        self.unlabelled.add(int((~present).sum()))
        if not bool(present.any()):
            return StepResult()
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
        return StepResult({"loss": value}, {"grad_norm": norm})

    # Validation

    @torch.no_grad()
    def _validated(self, pause: Callable[[], None]) -> Iterator[tuple[Scored, list[Pair]]]:
        """Each validation utterance, with what is predicted and measured of its signals."""
        self._set_validating()
        try:
            waiting: collections.deque[Scored] = collections.deque()
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


def mean_of(values: list[float]) -> float | None:
    """Their mean; None where there are none."""
    return math.fsum(values) / len(values) if values else None


def agreement(pairs: list[Pair], suffix: str = "") -> dict[str, float | None]:
    """MAE and LCC of predicted over measured scores, where there are any; None where they are not defined."""
    there = [(predicted, measured) for predicted, measured in pairs if measured is not None]
    predicted, measured = [p for p, _ in there], [m for _, m in there]
    return {f"mae{suffix}": mae(predicted, measured), f"lcc{suffix}": lcc(predicted, measured)}

"""The loop around a stage: steps, schedule, validation, best weights, checkpoints, interruption.

The loop's state is the number of steps done, the history and the best weights, together with the stage's modules and
optimisers. All of it is in each checkpoint, but for weights that were given and have not moved. When a checkpoint is
written depends on the clock; what comes out does not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from sebench.config.specs import StageSpec
from sebench.errors import RestartNeeded
from sebench.extractors.base import Extractor
from sebench.models.input_statistics import statistics_of
from sebench.process.interrupt import Interruption
from sebench.training.checkpoint import LEFT_OUT, MODULE, Checkpoint, Checkpoints, Given
from sebench.training.history import History
from sebench.training.progress import Progress
from sebench.training.schedules import build_schedule
from sebench.training.stage import Initial, NotFinite, Stage, begin_step, snapshot

log = logging.getLogger(__name__)

SAVE_SECONDS = 20.0


@dataclass(frozen=True)
class Failure:
    """Why a run ended without a result."""

    reason: str
    mixtures: list[str]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves.

    Args:
        step: steps done.
        weights: of the published module.
        weights_from: "best" (validation), "last" (step), "initial" (nothing else is finite).
        weights_step: the step that they are from.
        history: of the whole run.
        failure: None where it went well.
        seconds: spent in training, over all attempts.
    """

    step: int
    weights: dict[str, Tensor]
    weights_from: Literal["best", "last", "initial"]
    weights_step: int
    history: History
    failure: Failure | None
    seconds: float


class Engine:
    """Runs one stage to its end.

    Args:
        stage: fresh.
        seed: of the run.
        spec: the run's `stage`.
        checkpoints: where state is saved; what is there is resumed.
        interruption: asked after each step.
        initial: weights of parent runs that the stage has started from.
    """

    def __init__(
        self,
        stage: Stage,
        seed: int,
        spec: StageSpec,
        checkpoints: Checkpoints,
        interruption: Interruption,
        initial: Initial,
    ) -> None:
        self.stage = stage
        self.seed = seed
        self.steps = spec.steps
        self.validate_every = spec.validate_every
        self.keep = spec.keep
        self.checkpoints = checkpoints
        self.interruption = interruption
        self.schedule = build_schedule(spec.schedule, self.steps)
        self.initial = stage.published()
        self.given = Given(self._weights(self.initial), dict(_sources(stage, initial)))
        self.step = 0
        self.history = History(stage.higher_is_better)
        self.best: dict[str, Tensor] = {}
        self.seconds_before = 0.0
        self._resume()
        self._first_step = self.step
        self._started = self._saved = time.monotonic()
        path = checkpoints.held.folder / "progress.json"
        self.progress = Progress(path, self.steps, stage.valid_name, self.step)

    def train(self) -> Outcome:
        """Train to the end.

        Raises:
            RestartNeeded: a signal came; the state is saved.
            LeaseLost: another process has taken over.
        """
        try:
            self.stage.prepare(self._pause)
            self.initial.update(statistics_of(self.stage.product))
            while True:
                if self._validation_is_due():
                    self._validate()
                if self._is_finished():
                    break
                self._train_step()
                self._pause()
                if time.monotonic() - self._saved >= SAVE_SECONDS:
                    self._save()
        except NotFinite as error:
            self._report(force=True)
            return self._failed(error)
        self._report(force=True)
        if self.keep == "best" and self.history.best_step is not None:
            return self._outcome(self.best, "best", self.history.best_step)
        return self._outcome(self.stage.published(), "last", self.step)

    @property
    def seconds(self) -> float:
        """Time spent in this stage, over all attempts."""
        return self.seconds_before + time.monotonic() - self._started

    # The parts of the loop

    def _train_step(self) -> None:
        factor = self.schedule.factor(self.step)
        self.stage.team.lead(self.stage.state, self.step, factor)
        begin_step(self.stage, self.seed, self.step, factor)
        result = self.stage.step(self.step)
        self.step += 1
        self.history.add(result.terms, result.norms)
        self.progress.update(self.step, result.loss, self._last_valid())

    def _validation_is_due(self) -> bool:
        due = self.step % self.validate_every == 0 or self.step >= self.steps
        return due and (self.step > 0 or self.stage.validates_first) and self.history.validated_step != self.step

    def _validate(self) -> None:
        validation = self.stage.validate(self.step, self._pause)
        last = max(0, self.step - 1)
        rate = self.stage.base_lr(last) * self.schedule.factor(last)
        improved = self.history.close(self.step, rate, validation)
        self.schedule.observe(self.history.score(self.history.rows[-1]))
        if improved and self.keep == "best":
            self.best = self.stage.published()
        counts = validation.value, validation.scored, validation.total
        log.info("step %d: %s %s (%d/%d)", self.step, self.stage.valid_name, *counts)
        self._report(force=True)
        self._save()

    def _is_finished(self) -> bool:
        base = max(optimiser.base_lr for optimiser in self.stage.optimisers.values())
        return self.step >= self.steps or self.schedule.exhausted(base)

    def _pause(self) -> None:
        if self.interruption.requested:
            self._save()
            raise RestartNeeded(
                f"{self.interruption.name} after step {self.step} of {self.steps}: state saved; "
                "start the same step again to go on",
                progressed=self.step > self._first_step,
            )

    def _last_valid(self) -> float | None:
        return self.history.rows[-1]["valid"] if self.history.rows else None

    def _report(self, *, force: bool) -> None:
        loss = self.history.rows[-1]["loss"] if self.history.rows else None
        self.progress.update(self.step, loss, self._last_valid(), force=force)

    # State

    def _weights(self, best: Mapping[str, Tensor]) -> dict[str, Tensor]:
        tensors = {f"best/{name}": tensor for name, tensor in best.items()}
        for name, module in self.stage.modules.items():
            state = module.state_dict()
            tensors.update({MODULE.format(module=name, tensor=key): value for key, value in state.items()})
        return tensors

    def _save(self) -> None:
        tensors, left_out = self.given.split(self._weights(self.best))
        for name, optimiser in self.stage.optimisers.items():
            tensors.update({f"optimiser/{name}/{key}": value for key, value in optimiser.tensors().items()})
        meta = {
            "step": self.step,
            "history": self.history.to_json(),
            "seconds": self.seconds,
            LEFT_OUT: left_out,
        }
        self.checkpoints.save(self.step, Checkpoint(tensors, meta))
        self._saved = time.monotonic()

    def _resume(self) -> None:
        found = self.checkpoints.latest()
        if found is None:
            return
        found = self.given.complete(found, self._weights(self.initial), self.checkpoints.held.folder)
        for name, module in self.stage.modules.items():
            module.load_state_dict(found.group(f"module/{name}"))
        for name, optimiser in self.stage.optimisers.items():
            optimiser.load(found.group(f"optimiser/{name}"))
        self.best = found.group("best")
        self.step = found.meta["step"]
        self.seconds_before = found.meta["seconds"]
        self.history = History.from_json(self.stage.higher_is_better, found.meta["history"])
        for row in self.history.rows:
            self.schedule.observe(self.history.score(row))
        log.info("resumed at step %d of %d", self.step, self.steps)

    def _failed(self, error: NotFinite) -> Outcome:
        failure = Failure(f"{error} in step {self.step}", error.mixtures)
        now = self.stage.published()
        if all(bool(tensor.isfinite().all()) for tensor in now.values() if tensor.is_floating_point()):
            return self._outcome(now, "last", self.step, failure)
        if self.best and self.history.best_step is not None:
            return self._outcome(self.best, "best", self.history.best_step, failure)
        return self._outcome(self.initial, "initial", 0, failure)

    def _outcome(
        self,
        weights: dict[str, Tensor],
        weights_from: Literal["best", "last", "initial"],
        weights_step: int,
        failure: Failure | None = None,
    ) -> Outcome:
        return Outcome(self.step, weights, weights_from, weights_step, self.history, failure, self.seconds)


def _sources(stage: Stage, initial: Initial) -> Iterator[tuple[str, list[Tensor]]]:
    """Who gave a stage weights, and which: parent runs, and what feature extractors have from outside."""
    for where, weights in initial.values():
        yield where, list(weights.values())
    for part in (part for module in stage.modules.values() for part in module.modules()):
        if isinstance(part, Extractor):
            yield f"extractor {part.name or type(part).__name__}", list(snapshot(part).values())

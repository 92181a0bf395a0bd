"""What a stage saw on its way: one row per validation, and the running means of the steps in between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Validation:
    """A value over the validation set.

    Args:
        value: mean over the utterances that have a value; None where none has.
        scored: number of these.
        total: utterances in the set.
        scores: of each utterance in the set's order, None where it has none.
        also: what else was measured, by name.
    """

    value: float | None
    scored: int
    total: int
    scores: tuple[float | None, ...] = ()
    also: Mapping[str, float | int | None] = field(default_factory=dict)


@dataclass
class History:
    """Rows `{step, loss, lr, grad_norm, valid, valid_scored, valid_total}`, what else a validation measured, and what
    else steps told.

    `loss`, `grad_norm` and what else steps told are means over the steps since the row before that told it.

    Args:
        higher_is_better: direction of `valid`.
        rows: as published.
        best_scores: of each utterance in the best validation so far.
        sums, counts: of what the steps since the last row told, by name.
    """

    higher_is_better: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    best_scores: list[float | None] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, *told: Mapping[str, float]) -> None:
        """Count what one training step told, by name; a name that it leaves out is not counted."""
        for name, value in (pair for values in told for pair in values.items()):
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def close(self, step: int, lr: float, validation: Validation) -> bool:
        """Add a row after a validation; returns whether it is the best so far."""
        best = self.best_step
        means = {name: value / self.counts[name] for name, value in self.sums.items()}
        self.rows.append(
            {
                "step": step,
                "loss": means.pop("loss", None),
                "lr": lr,
                "grad_norm": means.pop("grad_norm", None),
                "valid": validation.value,
                "valid_scored": validation.scored,
                "valid_total": validation.total,
                **validation.also,
                **means,
            }
        )
        self.sums, self.counts = {}, {}
        improved = self.best_step != best
        if improved:
            self.best_scores = list(validation.scores)
        return improved

    def score(self, row: dict[str, Any]) -> float:
        """The validation value of a row, larger is better; minus infinity where there is none."""
        if row["valid"] is None:
            return -math.inf
        return float(row["valid"]) if self.higher_is_better else -float(row["valid"])

    @property
    def validated_step(self) -> int:
        """Step of the last row, -1 without one."""
        return int(self.rows[-1]["step"]) if self.rows else -1

    @property
    def best_row(self) -> dict[str, Any] | None:
        """The first of the best rows; None where no validation has a value."""
        scored = [row for row in self.rows if row["valid"] is not None]
        return max(scored, key=self.score) if scored else None

    @property
    def best_step(self) -> int | None:
        """Step of the best row."""
        row = self.best_row
        return None if row is None else int(row["step"])

    def to_json(self) -> dict[str, Any]:
        """For a checkpoint; floats survive bit for bit."""
        return {
            "rows": self.rows,
            "best_scores": self.best_scores,
            "sums": self.sums,
            "counts": self.counts,
        }

    @classmethod
    def from_json(cls, higher_is_better: bool, value: dict[str, Any]) -> History:
        """Back from a checkpoint, of the days too when steps told a loss and a norm and nothing else."""
        sums, counts = value.get("sums"), value.get("counts")
        if sums is None or counts is None:
            given = (("loss", "loss_sum", "count"), ("grad_norm", "norm_sum", "norm_count"))
            counts = {name: value.get(key, value["count"]) for name, _, key in given}
            sums = {name: value[key] for name, key, _ in given if counts[name]}
            counts = {name: counts[name] for name in sums}
        return cls(higher_is_better, value["rows"], value["best_scores"], sums, counts)

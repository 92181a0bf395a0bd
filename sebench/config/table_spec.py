"""The resolved form of a table, which its node carries in its spec and its step reads.

Every column is a mean of one metric over named conditions (`ScoreColumn`), a statistic of predicted scores
(`AgreementColumn`), one number of the complexity file (`ComplexityColumn`) or of a kind of its own, so that the step
knows nothing of layouts.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sebench.config.base import Spec
from sebench.config.columns import Column, ScoreColumn
from sebench.config.tables import ClaimLayout


class RowCell(Spec):
    """One trained (or unprocessed) system of a row."""

    seed: int | None = Field(default=None, description="None for a row without training")
    scores: dict[str, str] = Field(default={}, description="condition -> role of a scores parent")
    predictions: dict[str, str] = Field(default={}, description="condition -> role of a predictions parent")
    noisy_scores: dict[str, str] = Field(default={}, description="the same of the unprocessed mixtures")
    noisy_predictions: dict[str, str] = Field({})
    run: str = Field(default="", description="role of the run parent, whose status explains a hole")


class Row(Spec):
    """A row: one cell per seed."""

    label: str
    cells: list[RowCell] = Field([])
    groups: dict[str, list[RowCell]] = Field(default={}, description="group of columns -> its cells, in a matrix")
    complexity: str = Field(default="", description="role of a complexity parent")
    choice: str = Field(default="", description="role of the choice that the row is")
    absent: str = Field(default="", description="why the row has no cells here; empty where it has")

    def cells_of(self, column: ScoreColumn) -> list[RowCell]:
        """The cells that a column shows."""
        return self.groups.get(column.group, []) if column.group else self.cells


class Published(Spec):
    """A printed number, in the table's own labels."""

    row: str
    column: str
    value: float
    note: str = ""


class TableSpec(Spec):
    """The spec of a table node."""

    title: str
    layout: dict[str, Any] = Field(default={}, description="type of the layout, for readers; the step does not use it")
    rows: list[Row]
    columns: list[Column] = Field(min_length=1)
    choices: dict[str, str] = Field(default={}, description="row of the study -> role of its choice")
    published: list[Published] = Field([])
    claims: list[ClaimLayout] = Field([])
    footer: dict[str, Any] = Field({})
    second_best: bool = False
    version: int = 1

"""What a study says about its tables and the claims about them, as its YAML gives it.

Imports nothing heavy: the planner reads this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from sebench.config.base import ByLabel, EachOnce, Label, Names, OptionalText, Prose, RecipeName, RowName, Strict, Text
from sebench.config.columns import ColumnLayout, MetricColumns, Over
from sebench.config.keys import Words
from sebench.errors import Mistake


class PredictorRow(Strict):
    """A row of a table of agreement: a trained predictor on some test sets."""

    recipe: RecipeName = Field(description="one that the grid trains by")
    stage: Text = Field(description="its stage of kind `predictor` or `alternating`")
    over: Annotated[Over, Words("list of test sets or conditions", "all")] = Field(
        default=[], description="where it is compared"
    )


@dataclass(frozen=True)
class TableKind:
    """One type of table.

    Args:
        needs: keys of a layout that it needs.
        shows: in words.
    """

    needs: tuple[str, ...]
    shows: str


TABLE_TYPES = {
    "conditions": TableKind(("metric",), "one metric with a column per condition"),
    "metrics": TableKind(("metrics",), "a column per metric, averaged over the conditions"),
    "matrix": TableKind(("metrics", "groups", "matrix"), "such columns for each of several groups"),
    "complexity": TableKind(("columns",), "columns of `complexity.json`"),
    "agreement": TableKind(
        ("metric", "predictors"),
        "mean absolute error and linear correlation of predicted and measured scores, of enhanced (`s_hat`) and of "
        "noisy speech (`y`)",
    ),
}
if TYPE_CHECKING:
    TableType = str
else:
    TableType = Literal[tuple(TABLE_TYPES)]


class TableLayout(Strict):
    """One table of a study, as its YAML gives it."""

    title: Prose = Field(description="stands above it")
    type: TableType = Field(description="; ".join(f"`{name}`: {told.shows}" for name, told in TABLE_TYPES.items()))
    metric: Annotated[OptionalText, Words("metric", "none")] = Field(
        default="", description="`conditions`: the metric; `agreement`: what is predicted (required in both)"
    )
    average: OptionalText = Field(
        "Avg.", description="`conditions`: header of the mean over conditions; empty: no such column"
    )
    extra: MetricColumns = Field(default=[], description="`conditions`: further metrics, averaged over the conditions")
    metrics: MetricColumns = Field(default=[], description="`metrics`, `matrix`: the columns (required there)")
    groups: Annotated[list[Text], EachOnce] = Field(
        default=[],
        description="`matrix`: the groups of columns (required there); a column is called `<group>/<metric>`",
    )
    matrix: dict[Label, Annotated[dict[Annotated[Text, Words("group")], RowName], Field(min_length=1)]] = Field(
        default={},
        description="`matrix`: which row of the study stands where (required there); what is not named stays empty",
    )
    columns: list[Annotated[ColumnLayout, Words("number column")]] = Field(
        default=[],
        description="`complexity`: the columns (required there); `conditions`, `metrics`: further columns that are no "
        "scores",
    )
    predictors: dict[Label, Annotated[PredictorRow, Words("predictor")]] = Field(
        default={}, description="`agreement`: the rows (required there)"
    )
    over: Annotated[Over, Words("list of test sets or conditions", "all")] = Field(
        default=[], description="what is shown or averaged"
    )
    second_best: bool = Field(default=False, description="underline the second best value of each column")
    rows: Annotated[ByLabel, Words("list of rows, or mapping label -> row", "all rows")] = Field(
        default={},
        description="rows are the labels of the grid, of `choices` and of `external`, and `Noisy`; `complexity` has "
        "those of the grid and of `choices` alone",
    )
    published: Annotated[OptionalText, Words("file", "none")] = Field(
        default="", description="CSV under `config/published`"
    )
    published_columns: Annotated[dict[Text, Names], Words("mapping column -> printed column, or a list")] = Field(
        default={}, description="where the names differ; of a list the first that is printed for the row"
    )
    published_rows: dict[RowName, Annotated[Text, Words("printed row")]] = Field(
        default={}, description="where the names differ"
    )
    notes: list[Prose] = Field(default=[], description="lines for the footer")

    @model_validator(mode="after")
    def _what_the_type_needs(self) -> TableLayout:
        wanted = TABLE_TYPES[self.type].needs
        for key in dict.fromkeys(key for told in TABLE_TYPES.values() for key in told.needs):
            given = bool(getattr(self, key))
            if key == "columns" and self.type in ("conditions", "metrics"):
                continue
            if given != (key in wanted):
                found = f"type {self.type} " + (f"does not read `{key}`" if given else f"without `{key}`")
                raise Mistake(found, key, accepted=f"type {self.type} needs {' and '.join(wanted)}")
        for key in ("average", "extra"):
            if getattr(self, key) and key in self.model_fields_set and self.type != "conditions":
                instead = f"; list further columns in {wanted[0]}" if key == "extra" else ""
                raise Mistake(f"type {self.type} does not read `{key}`{instead}", key)
        if self.rows and (self.matrix or self.predictors):
            found = "a matrix names its rows in `matrix`, a table of agreement in `predictors`, not in `rows`"
            raise Mistake(found, "rows")
        for label, row in self.matrix.items():
            for group in row:
                if group not in self.groups:
                    accepted = f"a group of this table: {', '.join(self.groups)}"
                    raise Mistake(f"no group {group!r}", "matrix", label, group, accepted=accepted)
        return self

    def metric_names(self) -> list[str]:
        """Metrics that the table reads, each once."""
        named = [self.metric] if self.metric else []
        return list(dict.fromkeys([*named, *(c.metric for c in (*self.extra, *self.metrics))]))


class ClaimLayout(Strict):
    """A claim of the source about an order of two rows."""

    text: Prose = Field(description="the claim in words")
    better: Annotated[Text, Words("row of the table")] = Field(description="the one that should be better")
    worse: Annotated[Text, Words("row of the table")] = Field(description="the one that should be worse")
    column: Annotated[Text, Words("column of the table")] = Field(description="its direction decides what better means")
    table: Annotated[str, Words("table", "the only one")] = Field(
        default="", description="needed where a study has several"
    )
    worse_column: Annotated[OptionalText, Words("column of the table", "`column`")] = Field(
        default="", description="where the worse row stands in another column of the same metric"
    )
    metric: Annotated[str, Words("metric", "none")] = Field(
        default="", description="checked against the column's, if given"
    )
    source: str = Field(default="", description="where the source states it; stands in the table's footer")

    @model_validator(mode="after")
    def _of_two(self) -> ClaimLayout:
        if self.better == self.worse and self.worse_column in ("", self.column):
            found = f"{self.better!r} is compared with itself"
            raise Mistake(found, "worse", accepted="another row, or `worse_column`, another column")
        return self

"""What a study says about its tables and the claims about them, as its YAML gives it.

Imports nothing heavy: the planner reads this.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sebench.config.base import ByLabel, EachOnce, Names, OptionalText, Prose, Strict, Text
from sebench.config.columns import ColumnLayout, MetricColumns, NamesOnce
from sebench.errors import Mistake


class PredictorRow(Strict):
    """A row of a table of agreement: a trained predictor on some test sets."""

    recipe: Text = Field(description="a recipe of the study's grid")
    stage: Text = Field(description="its stage of kind predictor or alternating")
    over: NamesOnce = Field(default=[], description="test sets, or conditions; all if empty")


class TableLayout(Strict):
    """One table of a study, as its YAML gives it."""

    title: Prose
    type: Literal["conditions", "metrics", "matrix", "complexity", "agreement"] = Field(
        description="conditions: one metric, a column per condition; metrics: a column per metric, averaged over the "
        "conditions; matrix: the columns of `metrics` for each of several groups of rows; complexity: columns of "
        "complexity.json; agreement: MAE and LCC of predicted scores, on enhanced (s_hat) and on noisy speech (y)"
    )
    metric: OptionalText = Field(default="", description="conditions: the metric; agreement: what is predicted")
    average: OptionalText = Field("Avg.", description="conditions: header of the mean over conditions; empty for none")
    over: NamesOnce = Field(default=[], description="test sets, or conditions, of the table; all if empty")
    extra: MetricColumns = Field(
        default=[], description="conditions: further metrics, each averaged over the conditions"
    )
    metrics: MetricColumns = Field(default=[], description="metrics, matrix: the columns")
    groups: Annotated[list[Text], EachOnce] = Field(default=[], description="matrix: the groups of columns")
    matrix: dict[Text, Annotated[dict[Text, Text], Field(min_length=1)]] = Field(
        default={}, description="matrix: label -> group -> row of the study"
    )
    columns: list[ColumnLayout] = Field(
        default=[], description="complexity: the columns; conditions, metrics: further columns that are no scores"
    )
    predictors: dict[Text, PredictorRow] = Field(default={}, description="agreement: label -> predictor")
    rows: ByLabel = Field(
        default={},
        description="label -> row of the study, or a list of rows; if empty all rows of the study, those without a "
        "network that is trained here left out of a table of complexity",
    )
    published: OptionalText = Field(default="", description="file under config/published")
    published_columns: dict[Text, Names] = Field(
        default={}, description="column -> printed column, where the names differ; of several the first that there is"
    )
    published_rows: dict[Text, Text] = Field(default={}, description="row -> printed row, where the names differ")
    second_best: bool = Field(default=False, description="underline the second best value of each column")
    notes: list[Prose] = Field(default=[], description="lines for the footer")

    @model_validator(mode="after")
    def _what_the_type_needs(self) -> TableLayout:
        needed = {
            "conditions": ["metric"],
            "metrics": ["metrics"],
            "matrix": ["metrics", "groups", "matrix"],
            "complexity": ["columns"],
            "agreement": ["metric", "predictors"],
        }
        wanted = needed[self.type]
        for key in dict.fromkeys(key for keys in needed.values() for key in keys):
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
    better: Text = Field(description="row that should be better")
    worse: Text = Field(description="row that should be worse")
    column: Text = Field(description="column of the table, whose direction decides what better means")
    table: str = Field(default="", description="name of the table; needed where a study has several")
    worse_column: OptionalText = Field(default="", description="column of the worse row, where that is another one")
    metric: str = Field(default="", description="metric of the column, checked if given")
    source: str = ""

    @model_validator(mode="after")
    def _of_two(self) -> ClaimLayout:
        if self.better == self.worse and self.worse_column in ("", self.column):
            found = f"{self.better!r} is compared with itself"
            raise Mistake(found, "worse", accepted="another row, or `worse_column`, another column")
        return self

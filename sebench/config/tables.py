"""What a study says about its tables, and the resolved form that a table node carries in its spec.

A study gives a `TableLayout` (YAML); `table_spec` turns it, with the study's rows, conditions and metrics, into the
`TableSpec` that is hashed. In the resolved form every column is either a mean of one metric over named conditions
(`ScoreColumn`) or one number of the complexity file (`ComplexityColumn`), so that the step knows nothing of layouts.
Imports nothing heavy: the planner reads this.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from sebench.config import items
from sebench.config.base import (
    ByLabel,
    EachOnce,
    Label,
    Names,
    OptionalText,
    Prose,
    RecipeName,
    RowName,
    Spec,
    Strict,
    Text,
)
from sebench.config.columns import (
    AgreementColumn,
    Column,
    ColumnLayout,
    ComplexityColumn,
    MetricColumn,
    MetricColumns,
    Over,
    OwnColumn,
    ScoreColumn,
    ShownMetric,
)
from sebench.config.facts import COLUMN
from sebench.config.keys import Words
from sebench.errors import DataError, Mistake, choices, nearest


@dataclass(frozen=True)
class LayoutMistake:
    """What a layout or a claim names and the study does not have.

    Args:
        keys: of the table, or of the claim, where it stands.
        position: in a list of rows, whose names are its keys otherwise.
        claim: where it is a claim's.
    """

    keys: tuple[str, ...]
    found: str
    accepted: str
    nearest: str = ""
    position: int = 0
    claim: ClaimLayout | None = None


class LayoutMistakes(DataError):
    """All mistakes of one table's layout and claims."""

    def __init__(self, table: str, mistakes: Sequence[LayoutMistake]) -> None:
        told = (f"{'.'.join(m.keys)}: {m.found}; accepted: {m.accepted}" for m in mistakes)
        super().__init__(f"table {table!r}: " + "; ".join(told))
        self.mistakes = list(mistakes)


class NothingToShow(DataError):
    """A table whose test sets are all absent from the corpus."""


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


def table_spec(
    layout: TableLayout,
    *,
    rows: Sequence[Row],
    conditions: Sequence[str],
    metrics: Mapping[str, ShownMetric],
    test_sets: Mapping[str, Sequence[str]] | None = None,
    published: Sequence[Mapping[str, str]] = (),
    claims: Sequence[ClaimLayout] = (),
    footer: Mapping[str, Any] | None = None,
    versions: Callable[[str], int] = lambda _: 1,
) -> dict[str, Any]:
    """The JSON-able spec of a table node.

    Args:
        rows: the study's rows by their study labels; the layout picks, orders and renames them.
        conditions: names of the study's conditions, in order: headers and keys of `RowCell.scores`.
        metrics: the study's metrics by entry name.
        test_sets: name of a test set -> its conditions; none of them here: its columns are left out.
        published: rows of `read_published`.
        claims: those that are about this table, in the table's own labels.
        footer: what the table must say about itself (study, scale, corpus, selection, amounts, ...).
        versions: of "table" and of "column KIND".

    Raises:
        NothingToShow: the corpus has none of the table's test sets.
        DataError: the layout or a claim names a row, metric or column that is not there.
    """
    by_label = {row.label: row for row in rows}
    picked = layout.rows or {
        label: label for label, row in by_label.items() if row.complexity or layout.type != "complexity"
    }
    sources = [source for row in layout.matrix.values() for source in row.values()] or list(picked.values())
    _raise(layout, _layout_mistakes(layout, by_label, metrics, [*filter(None, test_sets or {}), *conditions]))
    columns = _columns(layout, list(conditions), metrics, test_sets or {})
    if not columns:
        raise NothingToShow(f"table {layout.title!r} has no column: no test set of it is there")
    if not layout.predictors:
        by_label = {label: _as_shown(row, columns) for label, row in by_label.items()}
    if layout.matrix:
        picked = {label: label for label in layout.matrix}
        chosen = [
            Row(
                label=label,
                groups={group: by_label[source].cells for group, source in row.items()},
                absent="; ".join(dict.fromkeys(by_label[s].absent for s in row.values() if by_label[s].absent)),
            )
            for label, row in layout.matrix.items()
        ]
    else:
        chosen = [by_label[source].model_copy(update={"label": label}) for label, source in picked.items()]
    names = [column.name for column in columns]
    if layout.predictors and claims:
        of_rows = "claims are about scores of rows, not about agreement"
        _raise(layout, (LayoutMistake(("table",), of_rows, "a table of scores", claim=claim) for claim in claims))
    _raise(layout, _called_alike(layout, names))
    _raise(layout, itertools.chain(_claim_mistakes(claims, columns, picked), _print_mistakes(layout, names, picked)))
    _raise(layout, _printed_mistakes(layout, published))
    printed = {(entry["row"], entry["column"]): entry for entry in published}
    found = []
    own_scale = [column.name for column in columns if isinstance(column, ComplexityColumn) or not column.note]
    for row in picked:
        for name in own_scale:
            in_print = layout.published_rows.get(row, row)
            keys = ((in_print, column) for column in layout.published_columns.get(name, [name]))
            entry = next((printed[key] for key in keys if key in printed), None)
            if entry is not None and entry["value"]:  # a place that is empty in print
                value = float(entry["value"])
                found.append(Published(row=row, column=name, value=value, note=entry.get("note") or ""))
    if published and len(own_scale) == len(columns) and not found:
        rows_there = ", ".join(dict.fromkeys(row for row, _ in printed))
        raise DataError(
            f"table {layout.title!r}: shows no number of {layout.published}, whose rows are {rows_there}; accepted: "
            "rows and columns of the same names, or `published_rows` and `published_columns`"
        )
    spec = TableSpec(
        title=layout.title,
        layout={"type": layout.type},
        rows=chosen,
        columns=[
            column
            if isinstance(column, OwnColumn)
            else column.model_copy(update={"version": versions(f"column {column.kind}")})
            for column in columns
        ],
        choices={source: by_label[source].choice for source in sources if by_label[source].choice},
        published=found,
        claims=list(claims),
        footer={**(footer or {}), **({"notes": layout.notes} if layout.notes else {})},
        second_best=layout.second_best,
        version=versions("table"),
    )
    return spec.model_dump(mode="json")


def _as_shown(row: Row, columns: Iterable[Column]) -> Row:
    """A row with the scores of the conditions that the columns show: a table reads no others."""
    columns = list(columns)
    if any(isinstance(column, OwnColumn) and "scores" in column.reads for column in columns):
        return row
    shown = {condition for column in columns if isinstance(column, ScoreColumn) for condition in column.conditions}
    kept = ({condition: role for condition, role in cell.scores.items() if condition in shown} for cell in row.cells)
    cells = [cell.model_copy(update={"scores": scores}) for cell, scores in zip(row.cells, kept, strict=True)]
    return row.model_copy(update={"cells": cells})


def parents_read(spec: Mapping[str, Any]) -> list[str]:
    """The parent roles that a spec names, each once: nothing else has to be a parent of the table."""
    columns = spec["columns"]
    scored = any("metric" in column for column in columns)
    own = {what for column in columns for what in column.get("reads", ())}
    roles: list[str] = []
    for row in spec["rows"]:
        cells = [*row["cells"], *(cell for group in row["groups"].values() for cell in group)]
        for cell in cells:
            if scored or "scores" in own:
                read = (cell[name].values() for name in ("scores", "predictions", "noisy_scores", "noisy_predictions"))
                roles += itertools.chain(*read)
            if cell["run"] and (scored or "run" in own):
                roles.append(cell["run"])
        if row["complexity"] and ("complexity" in own or any("key" in column for column in columns)):
            roles.append(row["complexity"])
    roles += spec["choices"].values() if scored else ()
    return list(dict.fromkeys(roles))


def _columns(
    layout: TableLayout,
    conditions: list[str],
    metrics: Mapping[str, ShownMetric],
    test_sets: Mapping[str, Sequence[str]],
) -> list[Column]:
    if layout.predictors:
        return _agreement_columns(layout.metric, metrics[layout.metric])

    def over(names: Sequence[str]) -> list[str]:
        found = [each for name in names for each in test_sets.get(name, [name])]
        return list(dict.fromkeys(found)) if names else conditions

    def score(column: MetricColumn, name: str, averaged: list[str], group: str = "") -> ScoreColumn:
        facts = metrics[column.metric]
        low, high = facts.bounds
        small = low is not None and high is not None and low >= -1 and high <= 1
        return ScoreColumn(
            name=f"{group}/{name}" if group else name,
            group=group,
            metric=facts.name or column.metric,
            conditions=averaged,
            higher_is_better=facts.higher_is_better,
            unit=facts.unit,
            note=facts.note,
            digits=column.digits if column.digits is not None else (3 if small else 2),
        )

    columns: list[Column] = []
    if layout.metric:
        main = MetricColumn(metric=layout.metric)
        shown = over(layout.over)
        columns += [score(main, condition, [condition]) for condition in shown]
        columns += [score(main, layout.average, shown)] if layout.average else []
    for group in layout.groups or [""]:
        for column in (*layout.extra, *layout.metrics):
            averaged = over(column.over or layout.over)
            if averaged:
                columns.append(score(column, column.column or metrics[column.metric].label, averaged, group))
    return columns + [_resolved(column) for column in layout.columns] if columns or layout.type == "complexity" else []


def _resolved(layout: ColumnLayout) -> Column:
    """A column of a kind of its own."""
    item = items.get(COLUMN, layout.type)
    spec: ScoreColumn | AgreementColumn | ComplexityColumn | OwnColumn = items.imported(item)().resolve(layout)
    return spec if item.builtin else spec.model_copy(update={"kind": item.path, "code": item.code})


def _agreement_columns(metric: str, facts: ShownMetric) -> list[Column]:
    statistics: dict[Literal["mae", "lcc"], bool] = {"mae": False, "lcc": True}
    signals: dict[Literal["enhanced", "noisy"], str] = {"enhanced": "s_hat", "noisy": "y"}
    return [
        AgreementColumn(
            name=f"{statistic.upper()}({symbol})",
            metric=facts.name or metric,
            statistic=statistic,
            signal=signal,
            higher_is_better=higher_is_better,
            unit=facts.unit if statistic == "mae" else "",
            note=facts.note,
        )
        for statistic, higher_is_better in statistics.items()
        for signal, symbol in signals.items()
    ]


def _raise(layout: TableLayout, mistakes: Iterable[LayoutMistake]) -> None:
    found = list(mistakes)
    if found:
        raise LayoutMistakes(layout.title, found)


def _unknown(
    keys: tuple[str, ...],
    what: str,
    name: str,
    accepted: Iterable[str],
    *,
    position: int = 0,
    claim: ClaimLayout | None = None,
) -> Iterator[LayoutMistake]:
    known = list(accepted)
    if name not in known:
        yield LayoutMistake(keys, f"no {what} {name!r}", choices(known, name), nearest(name, known), position, claim)


def _layout_mistakes(
    layout: TableLayout, rows: Mapping[str, Row], metrics: Iterable[str], test_sets: Sequence[str]
) -> Iterator[LayoutMistake]:
    """Rows, metrics and test sets of a layout that the study does not have, and rows without what the columns count."""
    metrics = list(metrics)
    for position, (label, source) in enumerate(layout.rows.items()):
        yield from _unknown(("rows", label), "row", source, rows, position=position)
        if layout.type == "complexity" and source in rows and not rows[source].complexity:
            found = f"no network of row {source!r} is trained here, so that nothing of it is counted"
            counted = choices((name for name, row in rows.items() if row.complexity), source)
            yield LayoutMistake(("rows", label), found, counted, position=position)
    for label, row in layout.matrix.items():
        for group, source in row.items():
            yield from _unknown(("matrix", label, group), "row", source, rows)
    if layout.metric:
        yield from _unknown(("metric",), "metric of the study", layout.metric, metrics)
    for key in ("extra", "metrics"):
        for position, column in enumerate(getattr(layout, key)):
            yield from _unknown((key, "metric"), "metric of the study", column.metric, metrics, position=position)
            for name in column.over:
                yield from _unknown((key, "over"), "test set or condition", name, test_sets, position=position)
    for position, name in enumerate(layout.over):
        yield from _unknown(("over", name), "test set or condition", name, test_sets, position=position)


def _claim_mistakes(
    claims: Sequence[ClaimLayout], columns: Sequence[Column], rows: Iterable[str]
) -> Iterator[LayoutMistake]:
    """Rows, columns and metrics of claims that the table does not have, and columns that cannot be compared."""
    rows, by_name = list(rows), {column.name: column for column in columns}
    for claim in claims:
        for key in ("better", "worse"):
            yield from _unknown((key,), "row of the table", getattr(claim, key), rows, claim=claim)
        named = [key for key in ("column", "worse_column") if getattr(claim, key)]
        absent = [m for key in named for m in _unknown((key,), "column", getattr(claim, key), by_name, claim=claim)]
        yield from absent
        if absent:
            continue
        column = by_name[claim.column]
        if claim.worse_column and not _comparable(column, by_name[claim.worse_column]):
            found = f"{claim.column!r} and {claim.worse_column!r} are no columns of one metric in the same conditions"
            accepted = choices((name for name, other in by_name.items() if _comparable(column, other)), claim.column)
            yield LayoutMistake(("worse_column",), found, accepted, claim=claim)
        if claim.metric:
            of_column = [column.key if isinstance(column, ComplexityColumn) else getattr(column, "metric", "")]
            yield from _unknown(("metric",), "metric of that column", claim.metric, of_column, claim=claim)


def _called_alike(layout: TableLayout, names: Sequence[str]) -> Iterator[LayoutMistake]:
    """The first column that is called as one before it."""
    place = next((place for place, name in enumerate(names) if name in names[:place]), None)
    if place is None:
        return
    found, accepted = f"two columns are called {names[place]!r}", "a name of its own for each column"
    key = next(key for key in ("columns", "metrics", "extra") if getattr(layout, key) or key == "extra")
    listed = len(getattr(layout, key)) * max(1, len(layout.groups))
    position = place - (len(names) - listed)
    if position >= 0:
        yield LayoutMistake((key, "column"), found, accepted, position=position % len(getattr(layout, key)))
    else:
        yield LayoutMistake(("average" if names[place] == layout.average else "title",), found, accepted)


def _print_mistakes(layout: TableLayout, columns: Sequence[str], rows: Iterable[str]) -> Iterator[LayoutMistake]:
    """Columns and rows that `published_columns` and `published_rows` rename and the table does not have."""
    rows = list(rows)
    for key, names, what in (("published_columns", columns, "column"), ("published_rows", rows, "row of the table")):
        for name in getattr(layout, key):
            yield from _unknown((key, name), what, name, names)


def _printed_mistakes(layout: TableLayout, published: Sequence[Mapping[str, str]]) -> Iterator[LayoutMistake]:
    """Printed columns and rows that a layout names and the file does not have."""
    if not published:
        return
    rows = list(dict.fromkeys(entry["row"] for entry in published))
    columns = list(dict.fromkeys(entry["column"] for entry in published))
    for own, printed in layout.published_rows.items():
        yield from _unknown(("published_rows", own), f"row of {layout.published}", printed, rows)
    for own, several in layout.published_columns.items():
        for printed in several:
            yield from _unknown(("published_columns", own), f"column of {layout.published}", printed, columns)


def _comparable(one: Column, other: Column) -> bool:
    """Whether two columns show the same thing of different rows."""
    if not isinstance(one, ScoreColumn) or not isinstance(other, ScoreColumn):
        return False
    return (one.metric, one.conditions) == (other.metric, other.conditions)

"""Tables resolved: a layout, with the study's rows, conditions and metrics, becomes the spec that is hashed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from sebench.config import items
from sebench.config.columns import (
    AgreementColumn,
    Column,
    ColumnLayout,
    ComplexityColumn,
    MetricColumn,
    OwnColumn,
    ScoreColumn,
    ShownMetric,
)
from sebench.config.facts import COLUMN
from sebench.config.table_spec import Published, Row, TableSpec
from sebench.config.tables import ClaimLayout, TableLayout
from sebench.errors import DataError
from sebench.plan import table_mistakes


class NothingToShow(DataError):
    """A table whose test sets are all absent from the corpus."""


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
    tests = [*filter(None, test_sets or {}), *conditions]
    table_mistakes.tell(layout, table_mistakes.of_layout(layout, by_label, metrics, tests))
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
        of_rows, accepted = "claims are about scores of rows, not about agreement", "a table of scores"
        mistakes = [table_mistakes.LayoutMistake(("table",), of_rows, accepted, claim=claim) for claim in claims]
        table_mistakes.tell(layout, mistakes)
    table_mistakes.tell(layout, table_mistakes.called_alike(layout, names))
    of_claims = table_mistakes.of_claims(claims, columns, picked)
    table_mistakes.tell(layout, of_claims, table_mistakes.of_renamed(layout, names, picked))
    table_mistakes.tell(layout, table_mistakes.of_printed(layout, published))
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

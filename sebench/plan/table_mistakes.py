"""What a table's layout and claims name and the study does not have."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sebench.config.columns import Column, ComplexityColumn, ScoreColumn
from sebench.config.table_spec import Row
from sebench.config.tables import ClaimLayout, TableLayout
from sebench.errors import DataError, choices, nearest


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


def tell(layout: TableLayout, *mistakes: Iterable[LayoutMistake]) -> None:
    """Raise what there is.

    Raises:
        LayoutMistakes: there is one.
    """
    found = list(itertools.chain(*mistakes))
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


def of_layout(
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


def of_claims(claims: Sequence[ClaimLayout], columns: Sequence[Column], rows: Iterable[str]) -> Iterator[LayoutMistake]:
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


def called_alike(layout: TableLayout, names: Sequence[str]) -> Iterator[LayoutMistake]:
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


def of_renamed(layout: TableLayout, columns: Sequence[str], rows: Iterable[str]) -> Iterator[LayoutMistake]:
    """Columns and rows that `published_columns` and `published_rows` rename and the table does not have."""
    rows = list(rows)
    for key, names, what in (("published_columns", columns, "column"), ("published_rows", rows, "row of the table")):
        for name in getattr(layout, key):
            yield from _unknown((key, name), what, name, names)


def of_printed(layout: TableLayout, published: Sequence[Mapping[str, str]]) -> Iterator[LayoutMistake]:
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

"""A number of complexity.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sebench.columns.base import ColumnKind
from sebench.config.columns import ComplexityColumn, NumberColumn
from sebench.config.table_spec import Row
from sebench.tables.aggregate import NOT_COMPUTED, TableReader
from sebench.tables.table import Value


def value(reader: TableReader, row: Row, column: ComplexityColumn, paper: float | None) -> Value:
    """A number of the complexity file; dots in the key lead into nested mappings."""
    content: Any = reader.complexity(row.complexity)
    if content is None:
        return Value(paper=paper, reason=NOT_COMPUTED)
    for part in column.key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    if not isinstance(content, (int, float)):
        return Value(paper=paper, reason=f"complexity.json has no number {column.key!r}")
    return Value(ours=float(content), paper=paper)


class Complexity(ColumnKind[NumberColumn, ComplexityColumn]):
    """A number of complexity.json."""

    name = "complexity"
    version = 1
    layout = NumberColumn
    spec = ComplexityColumn
    value = staticmethod(value)

    def resolve(self, layout: NumberColumn) -> ComplexityColumn:
        """The number under the layout's key."""
        return ComplexityColumn(name=layout.column, **layout.model_dump(exclude={"column", "type"}))

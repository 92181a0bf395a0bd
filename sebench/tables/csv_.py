"""A table as CSV in long form: one line per row and column, numbers unrounded."""

from __future__ import annotations

import csv
import io

from sebench.tables.table import Table

HEADER = [
    *("table", "row", "column", "metric", "conditions", "unit", "ours", "paper", "difference"),
    *("low", "high", "sd", "seeds", "n_ok", "n", "best", "reason"),
]


def write(table: Table) -> str:
    """One line per value; an empty `ours` is a hole, and `reason` says why."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    for label, column, value in table.cells():
        numbers = (value.ours, value.paper, value.difference, value.low, value.high, value.sd)
        writer.writerow(
            [
                table.title,
                label,
                column.name,
                column.metric,
                "; ".join(column.conditions),
                column.unit,
                *("" if number is None else repr(float(number)) for number in numbers),
                value.seeds,
                value.n_ok,
                value.n,
                int(value.best),
                value.reason,
            ]
        )
    return buffer.getvalue()

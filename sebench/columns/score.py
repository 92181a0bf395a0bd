"""Mean over conditions of the mean over utterances."""

from __future__ import annotations

from sebench.columns.base import ColumnKind
from sebench.config.columns import MetricColumn, ScoreColumn
from sebench.config.table_spec import Row
from sebench.statistics.bootstrap import DECIMALS, mean_interval, mean_of_groups
from sebench.tables.aggregate import TableReader
from sebench.tables.table import Value


def value(reader: TableReader, row: Row, column: ScoreColumn, paper: float | None) -> Value:
    """A value with its uncertainty.

    Ours is the mean over seeds of the mean over conditions of the mean over scored utterances; the interval
    resamples scenes with the seeds as they are, the standard deviation is over seeds.
    """
    import pandas as pd

    if column.group and column.group not in row.groups:
        return Value(paper=paper)  # the table has nothing there
    cells = [reader.cell(cell, column) for cell in row.cells_of(column)]
    there = [cell.values for cell in cells if cell.values is not None]
    n_ok, n = sum(cell.n_ok for cell in cells), sum(cell.n for cell in cells)
    reasons = list(dict.fromkeys(cell.reason for cell in cells if cell.reason))
    reason = "; ".join(reasons)
    if not there:
        return Value(paper=paper, n_ok=n_ok, n=n, reason=reason or row.absent or "no cell in this row")
    without = len(cells) - len(there)
    if without:
        reason = f"{without} of {len(cells)} seeds without a value: {reason}"
    means = [mean_of_groups(values.to_numpy()) for values in there]
    mean = sum(means) / len(means)
    spread = (sum((m - mean) ** 2 for m in means) / (len(means) - 1)) ** 0.5 if len(means) > 1 else None
    interval = mean_interval(pd.concat(there, axis=1).to_numpy())
    return Value(
        ours=round(mean, DECIMALS),
        paper=paper,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        sd=None if spread is None else round(spread, DECIMALS),
        seeds=len(means),
        n_ok=n_ok,
        n=n,
        reason=reason,
    )


class Score(ColumnKind[MetricColumn, ScoreColumn]):
    """Mean over conditions of the mean over utterances."""

    name = "score"
    version = 1
    spec = ScoreColumn
    value = staticmethod(value)

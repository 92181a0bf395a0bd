"""How well predicted scores agree with measured ones."""

from __future__ import annotations

from sebench.columns.base import ColumnKind
from sebench.config.columns import AgreementColumn, MetricColumn
from sebench.config.table_spec import Row
from sebench.metrics.agreement import lcc, mae
from sebench.statistics.agreement import agreement_interval
from sebench.statistics.bootstrap import DECIMALS
from sebench.tables.aggregate import TableReader
from sebench.tables.table import Value


def value(reader: TableReader, row: Row, column: AgreementColumn, paper: float | None) -> Value:
    """MAE or LCC over all utterances of the row's conditions that have both scores; the mean over seeds.

    The interval, which resamples scenes, is that of a single seed: with several the spread over them is told.
    """
    pairs = [reader.pairs(cell, column) for cell in row.cells]
    there = [pair for pair in pairs if isinstance(pair, tuple)]
    if not there:
        reasons = dict.fromkeys(pair for pair in pairs if isinstance(pair, str))
        return Value(paper=paper, reason="; ".join(reasons) or "no predictor in this row")
    n = sum(predicted.size for predicted, _ in there)
    n_ok = sum(int((predicted + measured).notna().to_numpy().sum()) for predicted, measured in there)
    found = [(mae if column.statistic == "mae" else lcc)(p.to_numpy(), m.to_numpy()) for p, m in there]
    values = [value for value in found if value is not None]
    if not values:
        return Value(
            paper=paper, n_ok=n_ok, n=n, reason="not defined: fewer than two pairs, or scores that do not vary"
        )
    mean = sum(values) / len(values)
    spread = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5 if len(values) > 1 else None
    interval = None
    if len(there) == 1:
        predicted, measured = there[0]
        interval = agreement_interval(predicted.to_numpy("float64"), measured.to_numpy("float64"), column.statistic)
    return Value(
        ours=round(mean, DECIMALS),
        paper=paper,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        sd=None if spread is None else round(spread, DECIMALS),
        seeds=len(values),
        n_ok=n_ok,
        n=n,
        reason="" if len(there) == len(pairs) else f"{len(pairs) - len(there)} of {len(pairs)} seeds without a value",
    )


class Agreement(ColumnKind[MetricColumn, AgreementColumn]):
    """How well predicted scores agree with measured ones."""

    name = "agreement"
    version = 1
    spec = AgreementColumn
    value = staticmethod(value)

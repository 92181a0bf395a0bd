"""From score files to the values of a table: means, spread over seeds, intervals, and the reasons of holes."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node, Store
from sebench.config.tables import AgreementColumn, ComplexityColumn, Row, RowCell, ScoreColumn
from sebench.errors import DataError
from sebench.files import read_json, read_parquet
from sebench.metrics.agreement import lcc, mae
from sebench.statistics.agreement import agreement_interval
from sebench.statistics.bootstrap import DECIMALS, mean_interval, mean_of_groups
from sebench.tables.table import Value

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

NOT_COMPUTED = "not computed yet"


@dataclass(frozen=True)
class CellScores:
    """One cell in one column: `values (scenes, conditions)` indexed by scene, or the reason why there are none."""

    values: pd.DataFrame | None
    n_ok: int = 0
    n: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def reason(self) -> str:
        """The commonest reason of what is missing, with its share."""
        if not self.reasons:
            return ""
        (reason, count), *others = self.reasons.most_common()
        if self.n == 0:
            return reason
        rest = f" (and {len(others)} other reasons)" if others else ""
        return f"{count} of {self.n} utterances: {reason}{rest}"


class Reader:
    """Parents' files of a table node, each read once.

    Args:
        partial: whether a parent that is not there is a hole; otherwise it is an error.
    """

    def __init__(self, node: Node, store: Store, partial: bool) -> None:
        self.node, self.store, self.partial = node, store, partial
        self.implementations: dict[str, set[str]] = {}
        self._scores = functools.cache(self._read_scores)

    def _parent(self, role: str, file: str) -> Any:
        """Path of a parent's file, or None where it is not there and need not be."""
        if role in self.node.parents:
            path = self.store.outputs(self.store.parent(self.node, role))[file]
            if path.exists():
                return path
        if self.partial:
            return None
        raise DataError(
            f"{self.node.stem}: the parent {role!r} has no {file}; run what is missing, or ask for a partial table"
        )

    def _read_scores(self, role: str) -> pd.DataFrame | None:
        path = self._parent(role, "scores.parquet")
        if path is None:
            return None
        frame = read_parquet(path)
        used = frame[["metric", "implementation", "version"]].drop_duplicates()
        for metric, implementation, version in used.itertuples(index=False):
            self.implementations.setdefault(str(metric), set()).add(
                f"{implementation}, version {version}" if version else str(implementation)  # outside: its code
            )
        return frame

    def run_status(self, role: str) -> str:
        """Why a run has no result; empty where it has one or is not known."""
        path = self._parent(role, "run.json") if role else None
        if path is None:
            return ""
        run = read_json(path)
        return "" if run["status"] == "ok" else f"the run failed: {run['reason']}"

    def choice(self, role: str) -> Mapping[str, Any] | None:
        """choice.json of a parent."""
        path = self._parent(role, "choice.json")
        return None if path is None else read_json(path)

    def complexity(self, role: str) -> Mapping[str, Any] | None:
        """complexity.json of a parent."""
        path = self._parent(role, "complexity.json") if role else None
        return None if path is None else read_json(path)

    def cell(self, cell: RowCell, column: ScoreColumn) -> CellScores:
        """A cell's scores in a column's conditions."""
        import pandas as pd

        series: dict[str, pd.Series[float]] = {}
        n_ok, n, reasons = 0, 0, Counter[str]()
        for condition in column.conditions:
            role = cell.scores.get(condition, "")
            frame = self._scores(role) if role else None
            if frame is None:
                return CellScores(None, 0, 0, Counter({NOT_COMPUTED: 1}))
            rows = frame[frame["metric"] == column.metric]
            if rows.empty:
                return CellScores(None, 0, 0, Counter({f"{column.metric} was not scored": 1}))
            ok = rows["status"] == "ok"
            n, n_ok = n + len(rows), n_ok + int(ok.sum())
            reasons.update(rows.loc[~ok, "reason"].astype(str))
            series[condition] = rows["value"].where(ok).set_axis(rows["index"].to_numpy())
        if n_ok < n and self.run_status(cell.run):
            reasons = Counter({self.run_status(cell.run): n - n_ok})
        values = pd.DataFrame(series).sort_index()
        empty = [condition for condition in column.conditions if values[condition].isna().all()]
        return CellScores(None if empty else values, n_ok, n, reasons)

    def pairs(self, cell: RowCell, column: AgreementColumn) -> tuple[pd.DataFrame, pd.DataFrame] | str:
        """Predicted and measured scores, `(scenes, conditions)` each, or why there are none."""
        import pandas as pd

        enhanced = column.signal == "enhanced"
        measured_roles = cell.scores if enhanced else cell.noisy_scores
        predicted_roles = cell.predictions if enhanced else cell.noisy_predictions
        predicted: dict[str, pd.Series[float]] = {}
        measured: dict[str, pd.Series[float]] = {}
        for condition, role in predicted_roles.items():
            path = self._parent(role, "predictions.parquet")
            scores = self._scores(measured_roles[condition])
            if path is None or scores is None:
                return NOT_COMPUTED
            found = read_parquet(path)
            rows = scores[scores["metric"] == column.metric]
            for frame, into in ((found, predicted), (rows, measured)):
                ok = frame["status"] == "ok"
                into[condition] = frame["value"].where(ok).set_axis(frame["index"].to_numpy())
        if not predicted:
            return "no test set of this row is there"
        return pd.DataFrame(predicted).sort_index(), pd.DataFrame(measured).sort_index()


def score_value(reader: Reader, row: Row, column: ScoreColumn, paper: float | None) -> Value:
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


def agreement_value(reader: Reader, row: Row, column: AgreementColumn, paper: float | None) -> Value:
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


def complexity_value(reader: Reader, row: Row, column: ComplexityColumn, paper: float | None) -> Value:
    """A number of the complexity file; dots in the key lead into nested mappings."""
    content: Any = reader.complexity(row.complexity)
    if content is None:
        return Value(paper=paper, reason=NOT_COMPUTED)
    for part in column.key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    if not isinstance(content, (int, float)):
        return Value(paper=paper, reason=f"complexity.json has no number {column.key!r}")
    return Value(ours=float(content), paper=paper)


def paired(reader: Reader, places: Sequence[tuple[Row, ScoreColumn]]) -> list[NDArray[np.float64] | None]:
    """Scores of several places on the same scenes: each averaged over seeds, `(scenes, conditions)`; None for a hole.

    Args:
        places: row and column; the columns have the same metric and conditions.
    """
    import pandas as pd

    frames: list[pd.DataFrame | None] = []
    for row, column in places:
        found = (reader.cell(cell, column).values for cell in row.cells_of(column))
        there = [values for values in found if values is not None]
        frames.append(pd.concat(there).groupby(level=0).mean() if there else None)
    scenes = sorted(set().union(*(frame.index for frame in frames if frame is not None)))
    conditions = places[0][1].conditions
    return [None if frame is None else frame.reindex(scenes)[conditions].to_numpy("float64") for frame in frames]

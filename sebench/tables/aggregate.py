"""From score files to the values of a table: means, spread over seeds, intervals, and the reasons of holes."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node, Store
from sebench.config.columns import AgreementColumn, ScoreColumn
from sebench.config.table_spec import Row, RowCell
from sebench.errors import DataError
from sebench.files import read_json, read_parquet

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


class TableReader:
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


def paired(reader: TableReader, places: Sequence[tuple[Row, ScoreColumn]]) -> list[NDArray[np.float64] | None]:
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

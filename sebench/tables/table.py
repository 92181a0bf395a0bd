"""A finished table in memory: what every writer prints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sebench.statistics.bootstrap import DECIMALS
from sebench.statistics.claims import Verdict

#: Digits behind the point that a claim's numbers have at most.
_MOST_DIGITS = 6


@dataclass(frozen=True)
class Column:
    """A column and what its values mean.

    Args:
        metric: name in the score file, or key of the complexity file.
        conditions: those that are averaged; empty for a number without utterances.
        style: "si" (2.1M) or "plain".
        note: what a reader must know of all its values.
    """

    name: str
    metric: str
    conditions: tuple[str, ...] = ()
    higher_is_better: bool = True
    unit: str = ""
    digits: int = 2
    style: str = "plain"
    note: str = ""

    @property
    def header(self) -> str:
        """Name, and what a reader must know beside it."""
        return f"{self.name} ({self.note})" if self.note else self.name

    def format(self, value: float | None) -> str:
        """The value as printed; an empty string for none."""
        if value is None:
            return ""
        return si(value, self.digits) if self.style == "si" else f"{value:.{self.digits}f}"


@dataclass(frozen=True)
class Value:
    """One entry: ours, the paper's, and how sure we are.

    Args:
        ours: mean over seeds, conditions and scored utterances; None is a hole.
        paper: the printed number.
        low, high: 95% bootstrap interval over scenes.
        sd: standard deviation over seeds, where there is more than one.
        seeds: seeds that gave a value.
        n_ok, n: scored and all utterances, over seeds and conditions.
        best, second: whether it is the best of its column, or, where the table marks that, the second best.
        reason: why it is a hole, or what is missing from it.
    """

    ours: float | None = None
    paper: float | None = None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    seeds: int = 0
    n_ok: int = 0
    n: int = 0
    best: bool = False
    second: bool = False
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """Ours less the paper's."""
        return None if self.ours is None or self.paper is None else round(self.ours - self.paper, DECIMALS)


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and our verdict."""

    text: str
    better: str
    worse: str
    column: str
    source: str
    verdict: Verdict
    worse_column: str = ""

    def line(self, digits: int = 2) -> str:
        """One sentence: outcome, claim, and the difference with its interval.

        Args:
            digits: behind the point; more where one of these numbers would be zero for want of them.
        """
        verdict = self.verdict
        sides = f"{self.better} over {self.worse}, {self.column}"
        if self.worse_column:
            sides = f"{self.better}, {self.column} over {self.worse}, {self.worse_column}"
        head = f"{verdict.outcome}: {self.text} ({sides})"
        if verdict.difference is None:
            return f"{head}: {verdict.reason}"
        shown = (abs(value) for value in (verdict.difference, verdict.low, verdict.high) if value)
        digits = max(digits, min(_MOST_DIGITS, max((-math.floor(math.log10(value)) for value in shown), default=0)))
        if verdict.low == verdict.high:
            return f"{head}: difference {verdict.difference:+.{digits}f}"
        interval = f"95% interval {verdict.low:+.{digits}f} to {verdict.high:+.{digits}f}"
        return f"{head}: difference {verdict.difference:+.{digits}f}, {interval}, {verdict.scenes} scenes"


@dataclass(frozen=True)
class Table:
    """A table: `values[row][column]`."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    values: tuple[tuple[Value, ...], ...]
    claims: tuple[JudgedClaim, ...] = ()
    footer: tuple[str, ...] = ()
    partial: bool = False

    def cells(self) -> Iterator[tuple[str, Column, Value]]:
        """Every value with its row's label and its column."""
        for label, row in zip(self.rows, self.values, strict=True):
            for column, value in zip(self.columns, row, strict=True):
                yield label, column, value

    @property
    def has_paper(self) -> bool:
        """Whether any printed number stands beside ours."""
        return any(value.paper is not None for _, _, value in self.cells())

    @property
    def claims_heading(self) -> str:
        """Whose claims stand here: a source's where the study, a claim or a printed number has one."""
        told = any(claim.source for claim in self.claims) or any(line.startswith("Source: ") for line in self.footer)
        return "Claims of the source" if told or self.has_paper else "Claims"

    def footnotes(self) -> dict[str, str]:
        """reason -> letter, in reading order."""
        reasons = dict.fromkeys(value.reason for _, _, value in self.cells() if value.reason)
        return {reason: letter(i) for i, reason in enumerate(reasons)}

    def digits_of(self, column_name: str) -> int:
        """Decimals of a column that is named in a claim."""
        return next((c.digits for c in self.columns if c.name == column_name and c.style == "plain"), 0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with the differences written out."""
        content = asdict(self)
        for row, values in zip(content["values"], self.values, strict=True):
            for entry, value in zip(row, values, strict=True):
                entry["difference"] = value.difference
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Table:
        """Back from `to_dict`, also after JSON."""
        return cls(
            title=content["title"],
            rows=tuple(content["rows"]),
            columns=tuple(Column(**{**c, "conditions": tuple(c["conditions"])}) for c in content["columns"]),
            values=tuple(
                tuple(Value(**{k: v for k, v in entry.items() if k != "difference"}) for entry in row)
                for row in content["values"]
            ),
            claims=tuple(JudgedClaim(**{**c, "verdict": Verdict(**c["verdict"])}) for c in content["claims"]),
            footer=tuple(content["footer"]),
            partial=content["partial"],
        )


@dataclass
class Grid:
    """Values while a table is filled; marks the best of each column at the end, and the second best if asked."""

    columns: tuple[Column, ...]
    second_best: bool = False
    values: list[list[Value]] = field(default_factory=list)

    def finished(self) -> tuple[tuple[Value, ...], ...]:
        """The values with their marks, by the printed (rounded) number, so that equal prints are equally bold."""
        rows = [list(row) for row in self.values]
        for position, column in enumerate(self.columns):
            printed = {}
            for i, row in enumerate(rows):
                ours = row[position].ours
                if ours is not None:
                    printed[i] = round(ours, column.digits) if column.style == "plain" else ours
            if len(printed) < 2 or len(set(printed.values())) < 2:
                continue
            order = sorted(set(printed.values()), reverse=column.higher_is_better)
            for i, value in printed.items():
                second = self.second_best and value == order[1]
                rows[i][position] = replace(rows[i][position], best=value == order[0], second=second)
        return tuple(tuple(row) for row in rows)


def letter(index: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    head, tail = divmod(index, 26)
    return (letter(head - 1) if head else "") + chr(ord("a") + tail)


def si(value: float, digits: int = 1) -> str:
    """A number with a metric prefix: 16.4K, 2.1M."""
    magnitude = abs(value)
    for power, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        # 999,960 rounds to 1000.0K: it belongs to the next prefix.
        if round(magnitude / power, digits) >= 1:
            return f"{value / power:.{digits}f}{prefix}"
    return f"{value:.{digits}f}" if value != int(value) else str(int(value))

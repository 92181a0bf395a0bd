"""What writers of readable tables share: the blocks of a table and how an entry reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sebench.tables.table import Column, Table, Value

DASH = "–"

#: Around the best value of a column, until the writer has escaped the rest.
BOLD, PLAIN = "\x00", "\x01"
#: Around the second best.
UNDERLINED, UNLINED = "\x02", "\x03"


@dataclass(frozen=True)
class Block:
    """One grid of a table, in words.

    Args:
        caption: what the entries are.
        header: of the columns, the row label's first.
        lines: per row its label, then its entries.
    """

    caption: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def blocks(table: Table) -> list[Block]:
    """Values (with the paper's), differences to the paper, and uncertainty; those that say anything.

    The best value of a column stands between `BOLD` and `PLAIN`, the second between `UNDERLINED` and `UNLINED`.
    """
    notes = table.footnotes()

    def value(column: Column, entry: Value) -> str:
        text = column.format(entry.ours) if entry.ours is not None else "—"
        text = f"{BOLD}{text}{PLAIN}" if entry.best else text
        text = f"{UNDERLINED}{text}{UNLINED}" if entry.second else text
        text += f" [{notes[entry.reason]}]" if entry.reason else ""
        return text + (f" ({column.format(entry.paper)})" if entry.paper is not None else "")

    def difference(column: Column, entry: Value) -> str:
        if entry.difference is None:
            return ""
        return ("" if entry.difference < 0 else "+") + column.format(entry.difference)

    whose, marks = ("Ours (paper's)", "best of each column bold") if table.has_paper else ("Ours", "best bold")
    marks += ", second underlined" if any(entry.second for row in table.values for entry in row) else ""
    found = [_block(table, f"{whose}; {marks}", value)]
    if table.has_paper:
        found.append(_block(table, "Ours less the paper's", difference))
    uncertainty = (
        ("95% interval", interval),
        ("Standard deviation over seeds", spread),
        ("Scored/all utterances", counts),
    )
    for caption, entry in uncertainty:
        block = _block(table, caption, entry)
        if block.lines:
            found.append(block)
    return found


def interval(column: Column, entry: Value) -> str:
    """Bounds of the interval."""
    if entry.low is None or entry.high is None:
        return ""
    joint = " to " if entry.low < 0 or entry.high < 0 else DASH
    return f"{column.format(entry.low)}{joint}{column.format(entry.high)}"


def spread(column: Column, entry: Value) -> str:
    """Standard deviation over seeds, and how many there are."""
    return "" if entry.sd is None else f"{entry.sd:.{column.digits}f} ({entry.seeds})"


def counts(column: Column, entry: Value) -> str:
    """Scored and all utterances."""
    del column
    return f"{entry.n_ok}/{entry.n}" if entry.n else ""


def _block(table: Table, caption: str, entry: Callable[[Column, Value], str]) -> Block:
    # The unit of the first column's metric (MOS-LQO at every SNR) is said once, in the footer.
    said = table.columns[0].unit
    header = ("", *(f"{c.header} [{c.unit}]" if c.unit and c.unit != said else c.header for c in table.columns))
    lines = tuple(
        (label, *(entry(column, value) for column, value in zip(table.columns, row, strict=True)))
        for label, row in zip(table.rows, table.values, strict=True)
    )
    # A row or column that says nothing in this block (no printed numbers, one seed) is left out of it.
    lines = tuple(line for line in lines if any(line[1:]))
    keep = [i for i in range(len(header)) if i == 0 or any(line[i] for line in lines)]
    return Block(caption, tuple(header[i] for i in keep), tuple(tuple(line[i] for i in keep) for line in lines))

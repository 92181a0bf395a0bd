"""A table as Markdown that also reads well unrendered, and for the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sebench.tables.table import Table
from sebench.tables.text import BOLD, PLAIN, UNDERLINED, UNLINED, Block, blocks

if TYPE_CHECKING:
    from rich.console import Console

_MARKDOWN = {BOLD: "**", PLAIN: "**", UNDERLINED: "<u>", UNLINED: "</u>"}
_CONSOLE = {BOLD: "[bold]", PLAIN: "[/bold]", UNDERLINED: "[underline]", UNLINED: "[/underline]"}


def write(table: Table) -> str:
    """Title, blocks with padded columns, footnotes of holes, claims, footer."""
    parts = [f"# {_escaped(table.title)}" + (" (partial)" if table.partial else "")]
    parts += [f"{block.caption}:\n\n{_grid(block)}" for block in blocks(table)]
    notes = [f"[{letter}] {_escaped(reason)}" for reason, letter in table.footnotes().items()]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    if table.claims:
        lines = [f"- {_escaped(claim.line(table.digits_of(claim.column)))}" for claim in table.claims]
        parts.append(f"{table.claims_heading}:\n\n" + "\n".join(lines))
    if table.footer:
        parts.append("\n".join(f"- {_escaped(line)}" for line in table.footer))
    return "\n\n".join(parts) + "\n"


def show(table: Table, console: Console) -> None:
    """Print to a terminal, best values bold, second ones underlined."""
    from rich.markup import escape
    from rich.table import Table as Grid

    console.print(f"[bold]{escape(table.title)}[/bold]" + (" (partial)" if table.partial else ""))
    for block in blocks(table):
        grid = Grid(title=escape(block.caption), title_justify="left", title_style="italic", box=None, pad_edge=False)
        for position, name in enumerate(block.header):
            grid.add_column(escape(name), justify="right" if position else "left", no_wrap=position > 0)
        for line in block.lines:
            grid.add_row(*(_marked(escape(text), _CONSOLE) for text in line))
        console.print(grid)
    for reason, letter in table.footnotes().items():
        console.print(escape(f"[{letter}] {reason}"))
    for claim in table.claims:
        console.print(escape(claim.line(table.digits_of(claim.column))))
    for text in table.footer:
        console.print(escape(text), style="dim")


def _marked(text: str, marks: Mapping[str, str]) -> str:
    return "".join(marks.get(character, character) for character in text)


def _grid(block: Block) -> str:
    lines = [tuple(_marked(_escaped(text), _MARKDOWN) for text in line) for line in (block.header, *block.lines)]
    widths = [max(3, *(_width(line[i]) for line in lines)) for i in range(len(block.header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in (lines[0], tuple(rule), *lines[1:]))


def _line(texts: tuple[str, ...], widths: list[int]) -> str:
    cells = []
    for position, (text, width) in enumerate(zip(texts, widths, strict=True)):
        pad = " " * (width - _width(text))
        cells.append(pad + text if position else text + pad)
    return f"| {' | '.join(cells)} |"


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("\n", " ")

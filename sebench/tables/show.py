"""Tables of a study for a person: in the terminal, or in one of the file formats."""

from __future__ import annotations

import sys

from sebench.artefacts import Node, Store
from sebench.errors import SebenchError, absent
from sebench.locales import print_files
from sebench.plan.plan import Plan

FORMATS = {"terminal": "", "markdown": "table.md", "csv": "table.csv", "latex": "table.tex", "json": "table.json"}


def show_tables(plan: Plan, store: Store, *, format: str = "terminal", only: str | None = None) -> None:
    """Print a study's tables; one that is not made yet is filled with what there is, and says so.

    Raises:
        SebenchError: no such format or table.
    """
    if format not in FORMATS:
        raise SebenchError(absent("format", format, FORMATS))
    if only is not None and only not in plan.tables:
        raise SebenchError(f"study {plan.study.name!r}: {absent('table', only, plan.tables)}")
    store.plan(plan.nodes.by_key)
    for name, node in plan.tables.items():
        if only in (None, name):
            _show(node, store, format)
    if format == "terminal":
        folder = store.folder(plan.publication)
        state = "" if store.complete(plan.publication) else " (not complete yet)"
        print(f"tables and figures: {folder}/{state}", file=sys.stderr)


def _show(node: Node, store: Store, format: str) -> None:
    from sebench.tables.step import WRITERS, build_table, provenance_footer

    complete = store.complete(node)
    if format != "terminal":
        print_files()
        if complete:
            print(store.outputs(node)[FORMATS[format]].read_text(encoding="utf-8"), end="")
        else:
            print(WRITERS[FORMATS[format]](build_table(node, store, partial=True)), end="")
        return
    from rich.console import Console

    from sebench.tables import markdown

    text = (
        store.outputs(node)["table.md"].read_text(encoding="utf-8")
        if complete
        else markdown.write(build_table(node, store, partial=True))
    )
    console = Console(
        width=None if sys.stdout.isatty() else 200, markup=False, emoji=False, highlight=False, soft_wrap=True
    )
    console.print(text)
    if complete:
        for line in provenance_footer(store, node):
            console.print(line)
        console.print()

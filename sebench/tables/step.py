"""Make a table: ours beside the paper's, with intervals, holes and verdicts, in four formats."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sebench.artefacts import Node, Store
from sebench.config import items
from sebench.config.columns import Column as ColumnSpec
from sebench.config.columns import ComplexityColumn, ScoreColumn
from sebench.config.facts import COLUMN
from sebench.config.table_spec import Published, Row, TableSpec
from sebench.config.tables import ClaimLayout
from sebench.corpora.align import aligned_pairs
from sebench.files import read_json, write_text
from sebench.statistics.bootstrap import RESAMPLES
from sebench.statistics.claims import judge, judge_numbers
from sebench.tables import csv_, json_, latex, markdown
from sebench.tables.aggregate import TableReader, paired
from sebench.tables.table import Column, Grid, JudgedClaim, Table, Value

WRITERS = {"table.json": json_.write, "table.md": markdown.write, "table.csv": csv_.write, "table.tex": latex.write}


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Write the table's files; every parent must be there.

    Raises:
        DataError: a parent's file is missing.
    """
    del threads
    started = time.time()
    table = build_table(node, store)
    for name, path in store.outputs(node).items():
        write_text(path, WRITERS[name](table))
    store.write_provenance(node, started)


def write_partial(node: Node, store: Store, folder: Path) -> Table:
    """Write what there is so far to `folder`, never onto the node's own outputs; what is missing is a hole."""
    table = build_table(node, store, partial=True)
    for name, write in WRITERS.items():
        write_text(folder / name, write(table))
    return table


def build_table(node: Node, store: Store, partial: bool = False) -> Table:
    """Read the parents and fill the table.

    Raises:
        DataError: a parent's file is missing and `partial` is false.
    """
    spec = TableSpec.model_validate(dict(node.spec))
    reader = TableReader(node, store, partial)
    printed = {(entry.row, entry.column): entry for entry in spec.published}
    columns = tuple(_column(column) for column in spec.columns)
    grid = Grid(columns, spec.second_best)
    for row in spec.rows:
        values = []
        for column in spec.columns:
            entry = printed.get((row.label, column.name))
            paper = entry.value if entry is not None else None
            values.append(_value(reader, row, column, paper))
        grid.values.append(values)
    return Table(
        title=spec.title,
        rows=tuple(row.label for row in spec.rows),
        columns=columns,
        values=grid.finished(),
        claims=tuple(_judged(reader, spec, claim) for claim in spec.claims),
        footer=tuple(_footer(spec, reader)),
        partial=partial,
    )


def _value(reader: TableReader, row: Row, column: ColumnSpec, paper: float | None) -> Value:
    found: Value = items.imported(items.get(COLUMN, column.kind))().value(reader, row, column, paper)
    return found


def _column(column: ColumnSpec) -> Column:
    return Column(
        column.name,
        getattr(column, "metric", getattr(column, "key", "")),
        tuple(column.conditions) if isinstance(column, ScoreColumn) else (),
        column.higher_is_better,
        column.unit,
        column.digits,
        getattr(column, "style", "plain"),
        "" if isinstance(column, ComplexityColumn) else column.note,
    )


def _judged(reader: TableReader, spec: TableSpec, claim: ClaimLayout) -> JudgedClaim:
    rows = {row.label: row for row in spec.rows}
    columns = {column.name: column for column in spec.columns}
    column, other = columns[claim.column], columns[claim.worse_column or claim.column]
    better, worse = rows[claim.better], rows[claim.worse]
    if isinstance(column, ScoreColumn) and isinstance(other, ScoreColumn):
        first, second = paired(reader, ((better, column), (worse, other)))
        verdict = judge(first, second, column.higher_is_better)
    else:
        numbers = [_value(reader, row, column, None).ours for row in (better, worse)]
        verdict = judge_numbers(numbers[0], numbers[1], column.higher_is_better)
    return JudgedClaim(claim.text, claim.better, claim.worse, claim.column, claim.source, verdict, claim.worse_column)


def _footer(spec: TableSpec, reader: TableReader) -> list[str]:
    lines = []
    for key, value in spec.footer.items():
        if key == "notes" or value in ("", [], {}, None):
            continue
        heading = key.replace("_", " ")
        lines.append(f"{heading[:1].upper()}{heading[1:]}: {_worded(value)}")
    if spec.choices:
        chosen = (_chosen(label, reader.choice(role)) for label, role in spec.choices.items())
        lines.append(f"Chosen on the validation set: {'; '.join(chosen)}")
    for metric, found in sorted(reader.implementations.items()):
        columns = [column for column in spec.columns if isinstance(column, ScoreColumn) and column.metric == metric]
        if columns:
            facts = [columns[0].unit, "higher is better" if columns[0].higher_is_better else "lower is better"]
            about = f"{metric} ({', '.join(fact for fact in facts if fact)})"
            names = ", ".join(column.name for column in columns)
            lines.append(f"{names}: {about} by {'; '.join(sorted(found))}")
    if any(isinstance(column, ScoreColumn) for column in spec.columns):
        lines.append(
            "Ours: mean over seeds, conditions and scored utterances (scored/all are counted). Interval: 95%, "
            f"percentile bootstrap over scenes ({RESAMPLES} samples), a scene's SNRs together; sd: over seeds."
        )
    if any(isinstance(c, ScoreColumn) and len(c.conditions) > 1 for c in spec.columns):
        printed_too = "; the paper's is as printed" if spec.published else ""
        lines.append(f"Averages: our mean over the conditions{printed_too}.")
    lines += _said_of_files(reader)
    return lines + _printed_notes(spec.published) + [str(note) for note in spec.footer.get("notes", ())]


def _said_of_files(reader: TableReader) -> list[str]:
    """How many pairs the corpora made equally long, how many files they left out, and where these are listed."""
    lines = []
    store = reader.store
    for corpus in store.ancestors(reader.node, "corpus"):
        if text := aligned_pairs(corpus, store):
            lines.append(f"Made equally long in {corpus.stem}: {text}")
        path = store.outputs(corpus)["rejected.json"]
        if path.exists() and (count := len(read_json(path))):
            files = "1 file" if count == 1 else f"{count} files"
            where = path.relative_to(store.root).as_posix()
            lines.append(f"Left out of {corpus.stem}: {files}, listed with reasons in {where}")
    return lines


def _printed_notes(published: Sequence[Published]) -> list[str]:
    """The paper's notes, each once, with the rows or entries that it is about."""
    about: dict[str, dict[str, list[str]]] = {}
    for entry in published:
        if entry.note:
            about.setdefault(entry.note, {}).setdefault(entry.row, []).append(entry.column)
    columns = Counter(entry.row for entry in published)
    lines = []
    for note, rows in about.items():
        names = [row if len(some) == columns[row] else f"{row} ({', '.join(some)})" for row, some in rows.items()]
        lines.append(f"Paper, {'; '.join(names)}: {note}")
    return lines


def _chosen(label: str, choice: Mapping[str, Any] | None) -> str:
    if choice is None:
        return f"{label}: not computed yet"
    failed = [entry for entry in choice["candidates"] if entry["mean"] is None]
    if choice["chosen"] is None:
        return f"{label}: none: {failed[0]['reason']}"
    best = next(entry for entry in choice["candidates"] if entry["value"] == choice["chosen"])
    tried = ", ".join(entry["value"] + (" failed" if entry in failed else "") for entry in choice["candidates"])
    return f"{label}: {choice['axis']} = {best['value']} ({choice['by']} {best['mean']:.3f}; of {tried})"


def _worded(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_worded(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_worded(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def provenance_footer(store: Store, node: Node) -> list[str]:
    """What `sebench table` prints below a table: commit, machine and real-time factors, from the provenance files.

    These are no part of the table's own files, which hold only what the ids determine.
    """
    own = _provenance(store, node)
    lines = []
    git = own.get("git") or {}
    if git:
        lines.append(f"Commit: {git['commit'][:12]}" + (" with uncommitted changes" if git.get("dirty") else ""))
    elif own:
        lines.append("Commit: none known (no git, or a copy of the code that git does not have)")
    machine = own.get("machine") or {}
    if machine:
        lines.append(f"Machine: {machine.get('processor', 'unknown')}, {machine.get('system', '')}".rstrip(", "))
    factors: dict[str, float] = {}
    for row in TableSpec.model_validate(dict(node.spec)).rows:
        sources = [store.parent(node, row.complexity)] if row.complexity in node.parents else []
        cells = [*row.cells, *(cell for group in row.groups.values() for cell in group)]
        for role in (role for cell in cells for role in cell.scores.values() if role in node.parents):
            scores = store.parent(node, role)
            sources += [store.parent(scores, "enhanced")] if "enhanced" in scores.parents else []
        measured = [_provenance(store, source).get("real_time_factor") for source in sources]
        found = [float(factor) for factor in measured if isinstance(factor, (int, float))]
        if found:
            factors[row.label] = sum(found) / len(found)
    if factors:
        parts = [f"{label} {factor:.3g}" for label, factor in factors.items()]
        lines.append(f"Real-time factor (time over duration): {', '.join(parts)}")
    return lines


def _provenance(store: Store, node: Node) -> dict[str, Any]:
    path = store.folder(node) / "provenance.json"
    return read_json(path) if path.exists() else {}

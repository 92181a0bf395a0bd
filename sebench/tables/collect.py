"""What a study shows, as files for DVC: tables, numbers as metrics, training curves and sweeps as plots."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sebench.artefacts import Store
from sebench.errors import DataError, SebenchError
from sebench.files import read_json, write_json, write_text
from sebench.kinds import KINDS
from sebench.names import file_names
from sebench.plan.plan import Plan
from sebench.targets import check_folder, check_target

#: What is written: three folders and a file.
PARTS = ("tables", "curves", "sweeps")
METRICS = "metrics.json"

#: What a part can hold. A folder that holds anything else was not left by an earlier call, and is not replaced.
SUFFIXES = frozenset({".csv", ".json", ".md", ".png", ".svg", ".tex"})


def collect(plan: Plan, store: Store, folder: Path, *, force: bool = False) -> None:
    """Write `tables/`, `metrics.json`, `curves/` and `sweeps/` of a finished study, each by rename when all are made.

    Args:
        plan: of the study.
        store: with its results.
        folder: of these files.
        force: whether what an earlier call left there is replaced.

    Raises:
        SebenchError: the study is not finished.
        DataError: the folder is one of the store's own, or has such files already, or others than such files.
    """
    shown = {**plan.tables, **plan.figures}
    missing = [name for name, node in shown.items() if not store.complete(node)]
    if missing:
        raise SebenchError(f"{plan.study.name} is not finished: {', '.join(missing)}; `sebench run` makes it")
    _check(folder, store, force)
    made = Path(tempfile.mkdtemp(prefix=".collect-", dir=folder))
    try:
        _write(plan, store, made)
        for part in (*PARTS, METRICS):
            if os.path.lexists(folder / part):
                (folder / part).rename(made / f"old-{part}")
            (made / part).rename(folder / part)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check(folder: Path, store: Store, force: bool) -> None:
    own = [store.root / kept for kept in (*(kind.folder for kind in KINDS.values()), "state", "frozen", "locations")]
    for part in PARTS:
        place = folder / part
        check_folder(place, own)
        if not os.path.lexists(place):
            continue
        if place.is_symlink() or not place.is_dir():
            raise DataError(f"{place}: is there and is no folder; accepted: another folder than {folder}")
        others = (path for path in sorted(place.iterdir()) if path.suffix not in SUFFIXES or not path.is_file())
        other = next(others, None)
        if other is not None:
            raise DataError(f"{other}: no `sebench collect` wrote this, so {place} is not replaced; move one of them")
        if not force:
            raise DataError(f"{place}: is there already; --force replaces it")
    check_target(folder / METRICS, (), force)


def _write(plan: Plan, store: Store, folder: Path) -> None:
    shown = {**plan.tables, **plan.figures}
    for part in PARTS:
        (folder / part).mkdir()
    for name, node in shown.items():
        for path in store.outputs(node).values():
            shutil.copyfile(path, folder / "tables" / f"{name}{path.suffix}")
        if node.spec.get("figure") == "sweep":
            sweeps = _sweeps(store.outputs(node)["figure.csv"])
            names = file_names(list(sweeps))
            for curve, text in sweeps.items():
                write_text(folder / "sweeps" / f"{name} {names[curve]}.csv", text)
    tables = {name: read_json(store.outputs(node)["table.json"]) for name, node in plan.tables.items()}
    write_json(folder / METRICS, {name: _numbers(table) for name, table in tables.items()})
    curves = _curves(plan, store)
    names = file_names(list(curves))
    for label, text in curves.items():
        write_text(folder / "curves" / f"{names[label]}.csv", text)


def _numbers(table: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Row -> column -> our value, without holes."""
    columns = [column["name"] for column in table["columns"]]
    return {
        row: {name: value["ours"] for name, value in zip(columns, values, strict=True) if value["ours"] is not None}
        for row, values in zip(table["rows"], table["values"], strict=True)
    }


def _sweeps(path: Path) -> dict[str, str]:
    """Curve -> CSV of its values, without those that failed."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    place = header.split(",").index("mean")
    found: dict[str, list[str]] = {}
    for line in csv.reader(lines):
        if line[place]:
            found.setdefault(line[0], [header.partition(",")[2]]).append(",".join(line[1:]))
    return {curve: "\n".join(rows) + "\n" for curve, rows in found.items()}


def _curves(plan: Plan, store: Store) -> dict[str, str]:
    """Cell -> CSV of its last stage: step, running loss, validation, and then all else that its history has."""
    found = {}
    for planned in plan.cells:
        history = read_json(store.outputs(planned.run)["history.json"])
        columns = list(dict.fromkeys(["step", "loss", "valid", *(name for row in history for name in row)]))
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        for row in history:
            values = (row.get(name) for name in columns)
            writer.writerow("" if value is None else f"{value:.10g}" for value in values)
        label = planned.cell.label
        seeds = {other.cell.seed for other in plan.cells}
        found[label if len(seeds) == 1 else f"{label} seed {planned.cell.seed}"] = buffer.getvalue()
    return found

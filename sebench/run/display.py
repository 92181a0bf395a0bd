"""The live view of a run on a terminal: phases, and each training run's step, loss, validation and time left."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sebench.artefacts import Node, Store
from sebench.files import read_json
from sebench.kinds import KINDS


def watch_live(process: subprocess.Popen[bytes], todo: list[Node], store: Store) -> None:
    """Show progress until the process ends; `Ctrl-C` passes through."""
    started = time.monotonic()
    with Live(console=Console(), refresh_per_second=4, transient=False) as live:
        while True:
            over = process.poll() is not None
            live.update(view(todo, store, time.monotonic() - started))
            if over:
                return
            time.sleep(0.5)


def view(todo: list[Node], store: Store, seconds: float) -> Group:
    """What is shown at one moment."""
    total = Counter(node.kind for node in todo)
    open_nodes = [node for node in todo if not store.complete(node)]
    remaining = Counter(node.kind for node in open_nodes)
    phases = Table.grid(padding=(0, 2))
    for kind in KINDS.values():
        if count := total[kind.name]:
            done = count - remaining[kind.name]
            phases.add_row(kind.word, ProgressBar(total=count, completed=done, width=24), f"{done}/{count}")
    runs = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("training", "step", "loss", "validation", "left"):
        runs.add_column(column, justify="left" if column == "training" else "right")
    for node in open_nodes:
        if node.kind == "run":
            progress = _progress(store.state(node) / "progress.json")
            if progress is not None:
                runs.add_row(str(node.hints.get("label") or node.name), *_columns(progress))
    head = Text(f"{len(todo) - len(open_nodes)} of {len(todo)} artefacts, {_clock(seconds)}", style="bold")
    return Group(head, phases, runs if runs.row_count else Text(""))


def _progress(path: Path) -> dict[str, Any] | None:
    """A run's progress, if it was written within the last half minute."""
    try:
        if time.time() - path.stat().st_mtime > 30:
            return None
        return dict(read_json(path))
    except (OSError, ValueError):
        return None


def _columns(progress: dict[str, Any]) -> list[str]:
    step, steps = int(progress["step"]), int(progress["steps"])
    since = step - int(progress.get("started_step") or 0)
    left = _clock(float(progress["seconds"]) / since * (steps - step)) if since else ""
    loss, valid = progress.get("loss"), progress.get("valid")
    return [
        f"{step}/{steps}",
        "" if loss is None else f"{loss:.4g}",
        "" if valid is None else f"{progress.get('valid_name') or ''} {valid:.3f}",
        left,
    ]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"

"""Make a figure of spectrograms from a rendered set and enhanced sets: PNG, SVG and the numbers behind it."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from sebench.artefacts import Node, Store
from sebench.config.figures import FigureSpec, Select
from sebench.errors import DataError
from sebench.files import read_parquet
from sebench.report.spectrograms import Panel, draw

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

HEADER = "panel,source,mixture,noise_kind,snr_db,seconds,rms_dbfs,peak_dbfs,error_rms_dbfs,reason"


def make(node: Node, store: Store, spec: FigureSpec) -> tuple[Figure, str]:
    """The figure and its numbers as CSV; a signal that is missing is a panel with the reason."""
    from sebench.synthesis.store import AudioStore

    set_node = store.parent(node, "set")
    index = read_parquet(store.outputs(set_node)["index.parquet"])
    position, remark = choose(index, spec.select)
    row = index.iloc[position]
    signals = AudioStore.open(store, set_node).row(position)
    panels = []
    for panel in spec.panels:
        if panel.source in ("clean", "noisy"):
            signal, reason = signals.get(panel.source), "the set has no clean speech"
        else:
            signal, reason = enhanced_signal(node, store, panel.source, str(row["mixture"]))
        panels.append(Panel(panel.label, signal, "" if signal is not None else reason))
    kind = str(row["noise_kind"] or "noise").replace("_", " ")
    snr_db = f"{row['snr_db']:g}".replace("-", "\N{MINUS SIGN}")
    title = f"{spec.title}\n{kind} at {snr_db} dB{remark}"
    figure = draw(title, panels, int(set_node.spec["sample_rate"]))
    rate = int(set_node.spec["sample_rate"])
    return figure, _numbers(spec, panels, row, signals.get("clean"), rate)


def choose(index: pd.DataFrame, select: Select) -> tuple[int, str]:
    """Position of the mixture that is shown, and what the title must say about the choice.

    Raises:
        DataError: the set is empty.
    """
    if index.empty:
        raise DataError("a figure needs a set with at least one mixture")
    kinds = sorted(set(index["noise_kind"].astype(str)))
    wanted = [select.noise_kind, *select.fallbacks] if select.noise_kind else []
    kind = next((kind for kind in wanted if kind in kinds), None)
    remark = ""
    if wanted and kind != select.noise_kind:
        remark = f" (the set has no {select.noise_kind} noise)"
    candidates = index if kind is None else index[index["noise_kind"] == kind]
    distance = (candidates["samples"] / 16000 - select.seconds).abs()
    order = sorted(range(len(candidates)), key=lambda i: (distance.iloc[i], int(candidates["index"].iloc[i])))
    return list(index.index).index(candidates.index[order[0]]), remark


def enhanced_signal(node: Node, store: Store, role: str, mixture: str) -> tuple[NDArray[np.float32] | None, str]:
    """One utterance of an enhanced parent, or why it is not there."""
    import numpy as np

    if role not in node.parents:
        return None, "not computed yet"
    enhanced = store.parent(node, role)
    path = store.outputs(enhanced)["index.parquet"]
    if not path.exists():
        return None, "not computed yet"
    rows = read_parquet(path)
    rows = rows[rows["mixture"] == mixture]
    if rows.empty:
        return None, "the mixture was not enhanced"
    row = rows.iloc[0]
    if row["status"] != "ok":
        return None, str(row["reason"])
    audio = store.state(enhanced) / "audio.f32"
    return np.fromfile(audio, "<f4", count=int(row["samples"]), offset=4 * int(row["offset"])), ""


def _numbers(
    spec: FigureSpec, panels: list[Panel], row: pd.Series, clean: NDArray[np.float32] | None, sample_rate: int
) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    for layout, panel in zip(spec.panels, panels, strict=True):
        levels = ["", "", "", ""]
        if panel.signal is not None:
            error = "" if clean is None or len(clean) != len(panel.signal) else _rms_dbfs(panel.signal - clean)
            peak = _decibels(float(abs(panel.signal).max()))
            levels = [f"{len(panel.signal) / sample_rate:.4f}", _rms_dbfs(panel.signal), peak, error]
        head = [panel.label, layout.source, row["mixture"], row["noise_kind"], f"{row['snr_db']:g}"]
        writer.writerow([*head, *levels, panel.reason])
    return buffer.getvalue()


def _rms_dbfs(signal: NDArray[np.float32]) -> str:
    import numpy as np

    return _decibels(float(np.sqrt(np.mean(np.square(signal, dtype=np.float64)))))


def _decibels(amplitude: float) -> str:
    return f"{20 * math.log10(amplitude):.2f}" if amplitude > 0 else "-inf"

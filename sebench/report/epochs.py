"""Figure of alternating training: what was measured on the validation set after each epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node, Store
from sebench.config.figures import EpochsSpec
from sebench.files import read_json
from sebench.report.style import STYLE
from sebench.report.sweep import MARKERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def make(node: Node, store: Store, spec: EpochsSpec) -> tuple[Figure, str]:
    """The figure and its numbers as CSV."""
    histories = {
        label: read_json(store.outputs(store.parent(node, role))["history.json"]) for label, role in spec.curves.items()
    }
    return draw(spec.title, spec.quantities, histories), _numbers(spec.quantities, histories)


def draw(title: str, quantities: Mapping[str, str], histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """One panel per quantity, one line per run; filled markers are epochs of the enhancer, open ones the predictor's.

    Args:
        quantities: column of the histories -> its label.
        histories: label -> rows, of which each has its `epoch`, the first one 0: before the training.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 1.7 * len(quantities) + 0.6), dpi=200, layout="constrained")
        figure.suptitle(title, fontsize=10)
        axes = figure.subplots(len(quantities), 1, squeeze=False, sharex=True)[:, 0]
        for axis, (column, label) in zip(axes, quantities.items(), strict=True):
            for position, (name, rows) in enumerate(histories.items()):
                points = [(row["epoch"], row[column]) for row in rows if row.get(column) is not None]
                colour, marker = f"C{position}", MARKERS[position % len(MARKERS)]
                axis.plot(*zip(*points, strict=True), color=colour, linewidth=1, label=name) if points else None
                for own in (True, False):
                    some = [(x, y) for x, y in points if (x % 2 == 1) == own]
                    if some:
                        face = colour if own else "white"
                        axis.plot(*zip(*some, strict=True), marker, color=colour, markerfacecolor=face, markersize=3.5)
            axis.set_ylabel(label)
            axis.grid(linewidth=0.3, color="0.85")
        axes[-1].set_xlabel("epoch (odd: enhancer, filled; even: predictor, open; 0: before)")
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": len(histories)}  # no line runs there
        axes[0].legend(fontsize=7, frameon=False, **place)
        return figure


def _numbers(quantities: Mapping[str, str], histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["row", "epoch", *quantities])
    for label, rows in histories.items():
        for row in rows:
            values = (row.get(name) for name in quantities)
            writer.writerow([label, row["epoch"], *("" if value is None else f"{value:.9g}" for value in values)])
    return buffer.getvalue()

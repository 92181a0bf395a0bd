"""Figure of alternating training: what was measured on the validation set after each epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from sebench.artefacts import Node, Store
from sebench.config.base import ByLabel, Label, Text
from sebench.config.facts import LOSS_PART
from sebench.config.figures import FigureLayout, FigureSpec
from sebench.config.keys import Words
from sebench.errors import DataError, choices, nearest
from sebench.figures.base import FigureKind, Mistaken, Showable
from sebench.figures.style import MARKERS, STYLE
from sebench.files import read_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Quantities that are in units of the metric that is predicted.
ON_THE_SCALE = {"measured", "predicted", "mae"}


class EpochsLayout(FigureLayout):
    """What alternating runs measured on the validation set after each epoch: a panel for each quantity."""

    rows: Annotated[ByLabel, Words("list of rows, or mapping label -> row")] = Field(
        min_length=1, description="rows that end in a stage of whole epochs (kind `alternating`)"
    )
    quantities: dict[Annotated[Text, Words("column of `history.json`")], Label] = Field(
        min_length=1,
        description="panels; columns are `valid_loss`, `mae`, `lcc`, `measured`, `predicted`, `loss/PART`, ...; an "
        "unknown one is refused, of a part of a loss when the figure is made",
    )


class EpochsSpec(FigureSpec):
    """The spec of a figure of epochs; curves are label -> role of a run."""

    curves: dict[str, str] = Field(min_length=1)
    quantities: dict[str, str] = Field(min_length=1)


def make(node: Node, store: Store, spec: EpochsSpec) -> tuple[Figure, str]:
    """The figure and its numbers as CSV.

    Raises:
        DataError: no run has a column of that name.
    """
    histories = {
        label: read_json(store.outputs(store.parent(node, role))["history.json"]) for label, role in spec.curves.items()
    }
    there = {column: None for rows in histories.values() for row in rows for column in row}
    for name in spec.quantities if there else ():
        if name not in there:
            near = nearest(name, there)
            hint = f"; did you mean {near!r}?" if near else ""
            raise DataError(
                f"figure {node.stem}: no column {name!r} in history.json; accepted: {choices(there, name)}{hint}"
            )
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


class Epochs(FigureKind[EpochsLayout, EpochsSpec]):
    """What alternating runs measured on the validation set after each epoch."""

    name = "epochs"
    version = 4
    layout = EpochsLayout
    spec = EpochsSpec
    make = staticmethod(make)

    def mistakes(self, layout: EpochsLayout, there: Showable, unknown: Mistaken) -> Iterator[Any]:
        """Rows that do not end in a stage of whole epochs, and columns that none of them has.

        The parts of a loss are known when there is a history.
        """
        what, runs = "row that ends in a stage of whole epochs", there.runs(whole_epochs=True)
        for place, (label, row) in enumerate(layout.rows.items()):
            yield from unknown(("rows", label), what, row, runs, place)
        columns = {name: None for row in layout.rows.values() if row in runs for name in there.columns(row)}
        for name in layout.quantities if columns else ():
            if not name.startswith(LOSS_PART):
                yield from unknown(("quantities", name), "column of history.json", name, columns)

    def resolve(self, layout: EpochsLayout, there: Showable) -> tuple[EpochsSpec, Mapping[str, str]]:
        """Its parents are runs."""
        runs = there.runs(whole_epochs=True)
        curves = {label: runs[row] for label, row in layout.rows.items()}
        title = layout.title
        if not ON_THE_SCALE.isdisjoint(layout.quantities):
            title = "\n".join([title, *(f"scores: {called}" for called in there.stand_ins(layout.rows.values()))])
        spec = EpochsSpec(title=title, curves=curves, quantities=dict(layout.quantities))
        return spec, {key: key for key in curves.values()}

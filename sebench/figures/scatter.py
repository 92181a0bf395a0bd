"""Figure of predicted over measured scores, a point per utterance."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from sebench.artefacts import Node, Store
from sebench.config.base import Spec, Text
from sebench.config.figures import FigureLayout, FigureSpec
from sebench.config.keys import Words
from sebench.figures.base import FigureKind, Mistaken, Showable
from sebench.figures.style import STYLE
from sebench.files import read_parquet
from sebench.metrics.agreement import lcc, mae

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HEADER = ["panel", "condition", "mixture", "measured", "predicted"]
COLUMNS = 2


class ScatterLayout(FigureLayout):
    """Predicted over measured scores, a point per utterance: a panel for each row of tables of agreement."""

    tables: list[Annotated[Text, Words("table")]] = Field(
        min_length=1, description="of type `agreement`; a panel for each row, for enhanced and for noisy speech"
    )


class ScatterPanelSpec(Spec):
    """Points of one row, of its first seed."""

    label: str
    predictions: dict[str, str] = Field(description="condition -> role of a predictions parent")
    scores: dict[str, str] = Field(description="condition -> role of a scores parent")


class ScatterSpec(FigureSpec):
    """The spec of a scatter figure."""

    metric: str = Field(description="what is measured, by its name in the score file")
    called: str = Field(description="how tables call it")
    panels: list[ScatterPanelSpec] = Field(min_length=1)


def make(node: Node, store: Store, spec: ScatterSpec) -> tuple[Figure, str]:
    """The figure and its points as CSV; an utterance that lacks one of the two scores has none."""
    found = {panel.label: _points(node, store, spec.metric, panel) for panel in spec.panels}
    return draw(spec.title, spec.called, found), _numbers(found)


def _points(node: Node, store: Store, metric: str, panel: ScatterPanelSpec) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for condition, role in panel.predictions.items():
        predicted = read_parquet(store.outputs(store.parent(node, role))["predictions.parquet"])
        scores = read_parquet(store.outputs(store.parent(node, panel.scores[condition]))["scores.parquet"])
        measured = scores[scores["metric"] == metric]
        joined = predicted.merge(measured, on="mixture", suffixes=("_predicted", "_measured"))
        there = joined[(joined["status_predicted"] == "ok") & (joined["status_measured"] == "ok")]
        parts.append(there.assign(condition=condition))
    if not parts:  # no test set of the row is there
        return pd.DataFrame(columns=HEADER[1:])
    points = pd.concat(parts)
    names = {"value_measured": "measured", "value_predicted": "predicted"}
    return points.rename(columns=names)[["condition", "mixture", "measured", "predicted"]]


def draw(title: str, called: str, found: dict[str, pd.DataFrame]) -> Figure:
    """One square panel per row, all on the same axes, with the line on which both scores are equal.

    Args:
        called: the metric.
        found: label -> points.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    values = [value for points in found.values() for name in ("measured", "predicted") for value in points[name]]
    low, high = (min(values), max(values)) if values else (1.0, 5.0)
    edge = 0.05 * ((high - low) or 1.0)
    rows = math.ceil(len(found) / COLUMNS)
    with mpl.rc_context(STYLE):
        columns = min(COLUMNS, len(found))
        figure = Figure(figsize=(3.1 * columns, 3.2 * rows + 0.3), dpi=200, layout="constrained")
        figure.suptitle(title, fontsize=10)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axis in axes.flat[len(found) :]:
            axis.set_visible(False)
        for axis, (label, points) in zip(axes.flat, found.items(), strict=False):
            axis.plot([low - edge, high + edge], [low - edge, high + edge], color="0.6", linewidth=0.8)
            for i, (condition, some) in enumerate(points.groupby("condition", sort=False)):
                axis.plot(some["measured"], some["predicted"], ".", color=f"C{i}", markersize=3.5, label=condition)
            axis.set_title(f"{label}\n{_agreement(points)}")
            axis.set_xlim(low - edge, high + edge)
            axis.set_ylim(low - edge, high + edge)
            axis.set_aspect("equal")
            axis.grid(linewidth=0.3, color="0.85")
            if points["condition"].nunique() > 1:
                axis.legend(fontsize=6, frameon=False, handletextpad=0.1)
        for axis in axes[-1]:
            axis.set_xlabel(f"{called}, measured")
        for axis in axes[:, 0]:
            axis.set_ylabel(f"{called}, predicted")
        return figure


def _agreement(points: pd.DataFrame) -> str:
    found = {"MAE": mae, "LCC": lcc}
    values = {name: of(points["predicted"].to_numpy(), points["measured"].to_numpy()) for name, of in found.items()}
    told = ", ".join(f"{name} {value:.2f}" for name, value in values.items() if value is not None)
    return f"{told}, {len(points)} utterances" if told else "no utterance has both scores"


def _numbers(found: dict[str, pd.DataFrame]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    for label, points in found.items():
        for condition, mixture, measured, predicted in points.itertuples(index=False):
            writer.writerow([label, condition, mixture, f"{measured:.9g}", f"{predicted:.9g}"])
    return buffer.getvalue()


class Scatter(FigureKind[ScatterLayout, ScatterSpec]):
    """Predicted over measured scores, a point per utterance."""

    name = "scatter"
    version = 4
    layout = ScatterLayout
    spec = ScatterSpec
    make = staticmethod(make)

    def mistakes(self, layout: ScatterLayout, there: Showable, unknown: Mistaken) -> Iterator[Any]:
        """Tables that show no agreement."""
        agreement = [name for name in there.tables if there.predicted(name) is not None]
        for place, table in enumerate(layout.tables):
            yield from unknown(("tables", place), "table of agreement", table, agreement)

    def resolve(self, layout: ScatterLayout, there: Showable) -> tuple[ScatterSpec, Mapping[str, str]]:
        """Its parents are predictions and scores of the first seed: of enhanced speech, then of noisy speech."""
        panels = []
        for table in layout.tables:
            for row in there.tables[table]["rows"]:
                cell = row["cells"][0]
                for prefix, symbol in (("", "s_hat"), ("noisy_", "y")):
                    given = cell[f"{prefix}predictions"], cell[f"{prefix}scores"]
                    panels.append(
                        ScatterPanelSpec(label=f"{row['label']}, {symbol}", predictions=given[0], scores=given[1])
                    )
        first = layout.tables[0]
        metric = next(column["metric"] for column in there.tables[first]["columns"])
        called = there.predicted(first) or ""
        spec = ScatterSpec(title=layout.title, metric=metric, called=called, panels=panels)
        return spec, {
            key: key for panel in panels for roles in (panel.predictions, panel.scores) for key in roles.values()
        }

"""Figure of sweeps: what the validation set says about each value, with intervals and the chosen points."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from sebench.artefacts import Node, Store
from sebench.config.base import ByLabel, Strict, Text
from sebench.config.figures import FigureLayout, FigureSpec
from sebench.config.keys import Words
from sebench.figures.base import FigureKind, Mistaken, Showable
from sebench.figures.style import MARKERS, STYLE
from sebench.files import read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADER = ["curve", "axis", "value", "by", "mean", "low", "high", "utterances", "chosen", "reason"]


class SweepPanel(Strict):
    """One axis with the curves of several sweeps."""

    axis: Text = Field(description="its label, the parameter that is swept")
    curves: Annotated[ByLabel, Words("list of choices, or mapping label -> choice")] = Field(
        min_length=1,
        description="of the study; 95% intervals over validation utterances, a ring around the chosen point",
    )


class SweepLayout(FigureLayout):
    """What the validation set says about the values of sweeps, with intervals and the chosen points."""

    panels: list[Annotated[SweepPanel, Words("panel")]] = Field(min_length=1, description="side by side")


class SweepSpec(FigureSpec):
    """The spec of a sweep figure; a panel's curves are label -> role of a choice."""

    by: str = Field(description="what validation measures, as it is called in tables")
    panels: list[tuple[str, dict[str, str]]] = Field(min_length=1, description="label of the axis, curves")


def make(node: Node, store: Store, spec: SweepSpec) -> tuple[Figure, str]:
    """The figure and its numbers as CSV; a value that failed is left out of its curve and stands in the numbers."""
    panels = [
        (
            axis,
            {label: read_json(store.outputs(store.parent(node, role))["choice.json"]) for label, role in some.items()},
        )
        for axis, some in spec.panels
    ]
    return draw(spec.title, spec.by, panels), _numbers(panels)


def draw(title: str, by: str, panels: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure:
    """One panel per axis, one line per curve, bars for the 95% intervals, a ring around the chosen point.

    Args:
        by: what validation measured.
        panels: label of the axis, and curve -> content of choice.json.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        widths = [3.0 if len(curves) > 1 else 2.0 for _, curves in panels]
        size = (max(3.6, 7.2 * sum(widths) / 5.0), 3.4)
        figure = Figure(figsize=size, dpi=200, layout="constrained")
        figure.suptitle(title, fontsize=10)
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True, gridspec_kw={"width_ratios": widths})[0]
        drawn = 0
        for axis, (label, curves) in zip(axes, panels, strict=True):
            _panel(axis, label, curves, drawn)
            drawn += len(curves)  # no two curves look alike, in whichever panel
        axes[0].set_ylabel(f"{by} on the validation set, 95% interval")
        return figure


def _panel(axis: Axes, label: str, curves: Mapping[str, Any], drawn: int) -> None:
    names = list(dict.fromkeys(entry["value"] for curve in curves.values() for entry in curve["candidates"]))
    numeric = all(_is_number(name) for name in names)
    place = {name: float(name) if numeric else float(i) for i, name in enumerate(names)}
    spread = (max(place.values()) - min(place.values())) or 1.0
    for position, (name, curve) in enumerate(curves.items()):
        colour = f"C{drawn + position}"
        able = [entry for entry in curve["candidates"] if entry["mean"] is not None]
        # side by side, so that the bars of several curves can be told apart
        aside = 0.015 * spread * (position - (len(curves) - 1) / 2)
        x = [place[entry["value"]] + aside for entry in able]
        y = [entry["mean"] for entry in able]
        below = [0.0 if entry["low"] is None else entry["mean"] - entry["low"] for entry in able]
        above = [0.0 if entry["high"] is None else entry["high"] - entry["mean"] for entry in able]
        marker = MARKERS[(drawn + position) % len(MARKERS)]
        # Intervals are wide, as utterances differ; differences between values, which are paired, are smaller.
        axis.errorbar(x, y, yerr=[below, above], fmt="none", ecolor=colour, alpha=0.35, elinewidth=0.8, capsize=1.5)
        axis.plot(x, y, label=name, marker=marker, color=colour, markersize=3.5, linewidth=1)
        for entry, at in zip(able, x, strict=True):
            if entry["value"] == curve["chosen"]:
                axis.plot(at, entry["mean"], "o", markersize=9, markerfacecolor="none", markeredgecolor=colour)
    axis.set_xticks(list(place.values()), names)
    axis.set_xlabel(label)
    axis.grid(linewidth=0.3, color="0.85")
    axis.legend(fontsize=7, frameon=False)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(panels: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    for _, curves in panels:
        for label, curve in curves.items():
            for entry in curve["candidates"]:
                numbers = ["" if entry[key] is None else f"{entry[key]:.9g}" for key in ("mean", "low", "high")]
                chosen = int(entry["value"] == curve["chosen"])
                head = [label, curve["axis"], entry["value"], curve["by"]]
                writer.writerow([*head, *numbers, entry["utterances"], chosen, entry["reason"]])
    return buffer.getvalue()


class Sweep(FigureKind[SweepLayout, SweepSpec]):
    """What the validation set says about the values of sweeps."""

    name = "sweep"
    version = 4
    layout = SweepLayout
    spec = SweepSpec
    make = staticmethod(make)

    def mistakes(self, layout: SweepLayout, there: Showable, unknown: Mistaken) -> Iterator[Any]:
        """Curves of no choice."""
        for i, panel in enumerate(layout.panels):
            for place, (label, choice) in enumerate(panel.curves.items()):
                yield from unknown(("panels", i, "curves", label), "choice", choice, there.choices, place)

    def resolve(self, layout: SweepLayout, there: Showable) -> tuple[SweepSpec, Mapping[str, str]]:
        """Its parents are choices."""
        curves = [(panel.axis, {k: there.choices[name] for k, name in panel.curves.items()}) for panel in layout.panels]
        spec = SweepSpec(title=layout.title, by=there.selected_by, panels=curves)
        return spec, {key: key for _, shown in curves for key in shown.values()}

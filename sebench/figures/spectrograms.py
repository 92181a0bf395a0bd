"""Figure of spectrograms of one mixture: clean, noisy and several systems, on one scale."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from sebench.artefacts import Node, Store
from sebench.config.base import Seconds, Strict, Text
from sebench.config.figures import FigureLayout, FigureSpec
from sebench.config.keys import Words
from sebench.errors import DataError
from sebench.figures.base import FigureKind, Mistaken, Showable
from sebench.figures.style import STYLE
from sebench.files import read_parquet

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

HEADER = "panel,source,mixture,noise_kind,snr_db,seconds,rms_dbfs,peak_dbfs,error_rms_dbfs,reason"
WINDOW = 512
HOP = 128
RANGE_DB = 70.0
COLUMNS = 2


class Select(Strict):
    """Which mixture of the set is shown."""

    noise_kind: Annotated[str, Words(default="any")] = Field(default="", description="wanted kind of noise")
    fallbacks: list[str] = Field(
        default=[],
        description="kinds to take where the set has none of that kind, nearest first; the title says so",
    )
    seconds: Seconds = Field(default=3.0, description="the mixture of that kind whose length is nearest")


class PanelLayout(Strict):
    """A panel: one signal of the chosen mixture."""

    label: Text = Field(description="stands above it")
    source: Annotated[Text, Words("`clean`, `noisy`, or a row")] = Field(description="whose signal is shown")


class SpectrogramsLayout(FigureLayout):
    """Spectrograms of one mixture: clean, noisy, and what several rows made of it."""

    condition: Text = Field(description="the condition whose set is shown, as tables call it: `-5 dB`")
    panels: list[Annotated[PanelLayout, Words("panel")]] = Field(min_length=1, description="in reading order")
    select: Annotated[Select, Words(default="any mixture")] = Field(Select(), description="which mixture")


class SpectrogramsSpec(FigureSpec):
    """The spec of a spectrogram figure; a panel's source is clean, noisy, or the role of an enhanced parent."""

    panels: list[PanelLayout] = Field(min_length=1)
    select: Select = Select()


@dataclass(frozen=True)
class Panel:
    """One signal to draw, or the reason why there is none."""

    label: str
    signal: NDArray[np.float32] | None
    reason: str = ""


def make(node: Node, store: Store, spec: SpectrogramsSpec) -> tuple[Figure, str]:
    """The figure and its numbers as CSV; a signal that is missing is a panel with the reason."""
    from sebench.synthesis.store import AudioStore

    set_node = store.parent(node, "set")
    index = read_parquet(store.outputs(set_node)["index.parquet"])
    rate = int(set_node.spec["sample_rate"])
    position, remark = choose(index, spec.select, rate)
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
    snr_db = _snr_db(row).replace("-", "\N{MINUS SIGN}")
    title = f"{spec.title}\n{kind}{f' at {snr_db} dB' if snr_db else ''}{remark}"
    figure = draw(title, panels, rate)
    return figure, _numbers(spec, panels, row, signals.get("clean"), rate)


def choose(index: pd.DataFrame, select: Select, sample_rate: int = 16000) -> tuple[int, str]:
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
    distance = (candidates["samples"] / sample_rate - select.seconds).abs()
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
    spec: SpectrogramsSpec, panels: list[Panel], row: pd.Series, clean: NDArray[np.float32] | None, sample_rate: int
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
        head = [panel.label, layout.source, row["mixture"], row["noise_kind"], _snr_db(row)]
        writer.writerow([*head, *levels, panel.reason])
    return buffer.getvalue()


def _snr_db(row: pd.Series) -> str:
    """Empty where no SNR is known: a recording, or a published mixture that does not state it."""
    return "" if math.isnan(row["snr_db"]) else f"{row['snr_db']:g}"


def _rms_dbfs(signal: NDArray[np.float32]) -> str:
    import numpy as np

    return _decibels(float(np.sqrt(np.mean(np.square(signal, dtype=np.float64)))))


def _decibels(amplitude: float) -> str:
    return f"{20 * math.log10(amplitude):.2f}" if amplitude > 0 else "-inf"


def spectrogram_db(signal: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power in dB relative to a full-scale sine, `(bins, frames)`; Hann window, zeros around the signal."""
    import numpy as np

    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    padded = np.pad(np.asarray(signal, np.float64), (WINDOW // 2, WINDOW))
    frames = 1 + len(signal) // HOP
    index = HOP * np.arange(frames)[:, None] + np.arange(WINDOW)
    spectrum = np.fft.rfft(padded[index] * window).T
    decibels: NDArray[np.float64] = 20 * np.log10(np.maximum(2 * np.abs(spectrum) / window.sum(), 1e-10))
    return decibels


def draw(title: str, panels: Sequence[Panel], sample_rate: int) -> Figure:
    """The figure: panels on one colour scale, its top the loudest point of the first panel that has a signal."""
    import matplotlib as mpl
    import numpy as np
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        rows = -(-len(panels) // COLUMNS)
        figure = Figure(figsize=(7.2, 0.55 + 1.55 * rows), dpi=200, layout="constrained")
        figure.suptitle(title, fontsize=10)
        axes = np.atleast_1d(figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)).ravel()
        images = [None if panel.signal is None else spectrogram_db(panel.signal) for panel in panels]
        top = next((float(image.max()) for image in images if image is not None), 0.0)
        seconds = max((len(panel.signal) / sample_rate for panel in panels if panel.signal is not None), default=1.0)
        drawn = None
        for position, (panel, image) in enumerate(zip(panels, images, strict=True)):
            axis = axes[position]
            axis.set_title(f"({chr(ord('a') + position)}) {panel.label}", loc="left", pad=3)
            extent = (0.0, seconds, 0.0, sample_rate / 2000)
            if image is None:
                _hole(axis, panel.reason, extent)
            else:
                drawn = axis.imshow(
                    image,
                    origin="lower",
                    aspect="auto",
                    extent=extent,
                    cmap="magma",
                    vmin=top - RANGE_DB,
                    vmax=top,
                    interpolation="nearest",
                )
            if position % COLUMNS == 0:
                axis.set_ylabel("Frequency (kHz)")
            if position // COLUMNS == rows - 1:
                axis.set_xlabel("Time (s)")
        if drawn is not None:
            _scale(figure, drawn, axes, len(panels))
        return figure


def _scale(figure: Figure, drawn: AxesImage, axes: NDArray[np.object_], count: int) -> None:
    """The colour scale: in the free place of the last row where there is one, else beside the panels."""
    label = "Level (dB re full-scale sine)"
    if count == len(axes):
        figure.colorbar(drawn, ax=list(axes), label=label, aspect=40, pad=0.01)
        return
    axes[count].axis("off")
    place = axes[count].inset_axes((0.05, 0.5, 0.9, 0.14))
    figure.colorbar(drawn, cax=place, orientation="horizontal", label=label)


def _hole(axis: Axes, reason: str, extent: tuple[float, float, float, float]) -> None:
    axis.set_xlim(extent[0], extent[1])
    axis.set_ylim(extent[2], extent[3])
    axis.set_facecolor("0.93")
    axis.text(
        0.5, 0.5, f"no signal:\n{reason}", transform=axis.transAxes, ha="center", va="center", wrap=True, color="0.3"
    )


class Spectrograms(FigureKind[SpectrogramsLayout, SpectrogramsSpec]):
    """Spectrograms of one mixture, on one scale."""

    name = "spectrograms"
    version = 4
    layout = SpectrogramsLayout
    spec = SpectrogramsSpec
    make = staticmethod(make)

    def mistakes(self, layout: SpectrogramsLayout, there: Showable, unknown: Mistaken) -> Iterator[Any]:
        """A condition or rows that the study does not have, and rows at another sample rate than the first."""
        yield from unknown(("condition",), "condition", layout.condition, there.sets)
        if layout.condition in there.sets:
            sets = {row: there.set_of(key) for row, key in there.enhanced(layout.condition).items()}
            shown = next((sets[panel.source] for panel in layout.panels if panel.source in sets), None)
            others = ("clean", "noisy", *there.external_absent)
            for i, panel in enumerate(layout.panels):
                yield from unknown(("panels", i, "source"), "row", panel.source, (*others, *sets))
                if panel.source in sets:
                    alike = [row for row, its in sets.items() if its == shown]
                    what = f"row at {there.rates[str(shown)]} Hz, as the first panel's is,"
                    yield from unknown(("panels", i, "source"), what, panel.source, (*others, *alike))

    def resolve(self, layout: SpectrogramsLayout, there: Showable) -> tuple[SpectrogramsSpec, Mapping[str, str]]:
        """Its parents are the condition's set, at the rate of its rows, and their enhanced sets."""
        enhanced = there.enhanced(layout.condition)
        shown = [panel for panel in layout.panels if panel.source not in there.external_absent]
        panels = [PanelLayout(label=p.label, source=enhanced.get(p.source, p.source)) for p in shown]
        read = [enhanced[panel.source] for panel in shown if panel.source in enhanced]
        spec = SpectrogramsSpec(title=layout.title, panels=panels, select=layout.select)
        rendered = there.set_of(read[0]) if read else there.sets[layout.condition]
        return spec, {"set": rendered, **{key: key for key in read}}

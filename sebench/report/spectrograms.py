"""Spectrograms of one mixture: clean, noisy and several systems, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sebench.report.style import STYLE

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

WINDOW = 512
HOP = 128
RANGE_DB = 70.0
COLUMNS = 2


@dataclass(frozen=True)
class Panel:
    """One signal to draw, or the reason why there is none."""

    label: str
    signal: NDArray[np.float32] | None
    reason: str = ""


def spectrogram_db(signal: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power in dB relative to a full-scale sine, `(bins, frames)`; Hann window, zeros around the signal."""
    import numpy as np

    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    padded = np.pad(np.asarray(signal, np.float64), (WINDOW // 2, WINDOW))
    frames = 1 + len(signal) // HOP
    index = HOP * np.arange(frames)[:, None] + np.arange(WINDOW)
    spectrum = np.fft.rfft(padded[index] * window).T
    return 20 * np.log10(np.maximum(2 * np.abs(spectrum) / window.sum(), 1e-10))


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

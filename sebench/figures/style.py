"""How figures look, and how they become files that are a function of their content."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Of curves that one panel has several of.
MARKERS = "osD^vP*X<>"
#: Settings that make the files a function of their content.
STYLE: Any = {
    "svg.hashsalt": "sebench",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def encoded(figure: Figure, kind: str) -> bytes:
    """The figure as PNG or SVG, without date or program."""
    import matplotlib as mpl

    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}[kind]
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()

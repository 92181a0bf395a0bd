"""What the layout of any figure says in a study, and what the node of any figure carries.

What the figures of one kind say besides stands with that kind, a file of `sebench.figures` or of another package.
"""

from __future__ import annotations

from sebench.config.base import OfAKind, Prose, Spec, Text
from sebench.config.facts import FIGURE


class FigureLayout(OfAKind):
    """One figure of a study, as its YAML gives it."""

    item_kind = FIGURE
    attribute = "layout"
    default_type = "spectrograms"

    title: Prose
    type: Text = "spectrograms"


class FigureSpec(Spec):
    """What a figure's node carries, besides its kind and its version."""

    title: str

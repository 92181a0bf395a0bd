"""What the layout of any figure says in a study, and what the node of any figure carries.

What the figures of one kind say besides stands with that kind, a file of `sebench.figures` or of another package.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sebench.config.base import OfAKind, Prose, Spec, Text
from sebench.config.facts import FIGURE
from sebench.config.keys import Words


class FigureLayout(OfAKind):
    """One figure of a study, as its YAML gives it."""

    item_kind = FIGURE
    attribute = "layout"
    default_type = "spectrograms"

    title: Prose = Field(description="stands above it")
    type: Annotated[Text, Words("kind of figure, or `package.module:Class`")] = Field(
        "spectrograms",
        description="what it shows; see below",
    )


class FigureSpec(Spec):
    """What a figure's node carries, besides its kind and its version."""

    title: str

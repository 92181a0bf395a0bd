"""What a study says about its figures. Imports nothing heavy: the planner reads this."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sebench.config.tables import Strict


class Select(Strict):
    """Which mixture of the set is shown."""

    noise_kind: str = Field(default="", description="wanted kind of noise; any if empty")
    fallbacks: list[str] = Field(
        default=[], description="kinds to take where the set has none of `noise_kind`, nearest first"
    )
    seconds: float = Field(default=3.0, gt=0, description="the mixture of that kind whose length is nearest to this")


class PanelLayout(Strict):
    """A panel: one signal of the chosen mixture."""

    label: str
    source: str = Field(description="clean, noisy, or a row of the study")


class FigureLayout(Strict):
    """One figure of a study, as its YAML gives it."""

    title: str
    type: Literal["spectrograms"] = "spectrograms"
    condition: str = Field(description="the condition whose set is shown")
    panels: list[PanelLayout] = Field(min_length=1)
    select: Select = Select()


class FigureSpec(Strict):
    """The spec of a figure node; a panel's source is clean, noisy, or the role of an enhanced parent."""

    figure: Literal["spectrograms"] = "spectrograms"
    title: str
    panels: list[PanelLayout] = Field(min_length=1)
    select: Select = Select()
    version: int = 1


def figure_spec(layout: FigureLayout, roles: dict[str, str], version: int = 1) -> dict[str, Any]:
    """The JSON-able spec of a figure node.

    Args:
        roles: row of the study -> role of its enhanced parent.
    """
    panels = [PanelLayout(label=panel.label, source=roles.get(panel.source, panel.source)) for panel in layout.panels]
    spec = FigureSpec(figure=layout.type, title=layout.title, panels=panels, select=layout.select, version=version)
    return spec.model_dump(mode="json")

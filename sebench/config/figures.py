"""What a study says about its figures. Imports nothing heavy: the planner reads this."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, model_validator

from sebench.config.base import ByLabel, Prose, Seconds, Strict, Text
from sebench.errors import Mistake


class Spec(BaseModel):
    """Base of what a node carries."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Select(Strict):
    """Which mixture of the set is shown."""

    noise_kind: str = Field(default="", description="wanted kind of noise; any if empty")
    fallbacks: list[str] = Field(
        default=[], description="kinds to take where the set has none of `noise_kind`, nearest first"
    )
    seconds: Seconds = Field(default=3.0, description="the mixture of that kind whose length is nearest to this")


class PanelLayout(Strict):
    """A panel: one signal of the chosen mixture."""

    label: Text
    source: Text = Field(description="clean, noisy, or a row of the study")


class SpectrogramsLayout(Strict):
    """Spectrograms of one mixture: clean, noisy, and what several rows made of it."""

    title: Prose
    type: Literal["spectrograms"] = "spectrograms"
    condition: Text = Field(description="the condition whose set is shown")
    panels: list[PanelLayout] = Field(min_length=1)
    select: Select = Select()


class SweepPanel(Strict):
    """One axis with the curves of several sweeps."""

    axis: Text = Field(description="its label, the parameter that is swept")
    curves: ByLabel = Field(min_length=1, description="label -> choice of the study, or a list of choices")


class SweepLayout(Strict):
    """What the validation set says about the values of sweeps, with intervals and the chosen points."""

    title: Prose
    type: Literal["sweep"]
    panels: list[SweepPanel] = Field(min_length=1)


class DistributionsLayout(Strict):
    """How the values of noisy speech's spectra are distributed, linear, compressed, and as logarithms."""

    title: Prose
    type: Literal["distributions"]
    condition: Text = Field(description="the condition whose set is shown")
    exponent: float = Field(0.3, gt=0, le=10, description="of the compression")
    window_length: int = Field(512, ge=4, le=65536, description="of the sqrt-Hann STFT, in samples")
    hop: int = Field(256, ge=1, le=65536, description="in samples")
    minutes: float = Field(5.0, gt=0, le=1e4, description="of the set's mixtures, from its first on")

    @model_validator(mode="after")
    def _overlap(self) -> DistributionsLayout:
        if self.window_length % self.hop or 2 * self.hop > self.window_length:
            found = f"hop {self.hop} with window_length {self.window_length}"
            raise Mistake(found, "hop", accepted="a hop that divides window_length and is at most half of it")
        return self


class ScatterLayout(Strict):
    """Predicted over measured scores, a point per utterance: a panel for each row of tables of agreement."""

    title: Prose
    type: Literal["scatter"]
    tables: list[Text] = Field(min_length=1, description="tables of the study, of type agreement")


Quantity = Literal["valid_loss", "mae", "lcc", "measured", "predicted"]


class EpochsLayout(Strict):
    """What alternating runs measured on the validation set after each epoch: a panel for each quantity."""

    title: Prose
    type: Literal["epochs"]
    rows: ByLabel = Field(
        min_length=1, description="label -> row of the study, or a list of rows; each ends in an alternating stage"
    )
    quantities: dict[Quantity, Text] = Field(min_length=1, description="column of history.json -> its label")


def _type_of(value: Any) -> str:
    return str(value.get("type", "spectrograms") if isinstance(value, dict) else getattr(value, "type", "spectrograms"))


FigureLayout = Annotated[
    Annotated[SpectrogramsLayout, Tag("spectrograms")]
    | Annotated[SweepLayout, Tag("sweep")]
    | Annotated[DistributionsLayout, Tag("distributions")]
    | Annotated[ScatterLayout, Tag("scatter")]
    | Annotated[EpochsLayout, Tag("epochs")],
    Discriminator(_type_of),
]


class SpectrogramsSpec(Spec):
    """The spec of a spectrogram figure; a panel's source is clean, noisy, or the role of an enhanced parent."""

    figure: Literal["spectrograms"] = "spectrograms"
    title: str
    panels: list[PanelLayout] = Field(min_length=1)
    select: Select = Select()
    version: int = 1


class SweepSpec(Spec):
    """The spec of a sweep figure; a panel's curves are label -> role of a choice."""

    figure: Literal["sweep"] = "sweep"
    title: str
    by: str = Field(description="what validation measures, as it is called in tables")
    panels: list[tuple[str, dict[str, str]]] = Field(min_length=1, description="label of the axis, curves")
    version: int = 1


class DistributionsSpec(Spec):
    """The spec of a figure of distributions, whose parent is a set."""

    figure: Literal["distributions"] = "distributions"
    title: str
    exponent: float
    window_length: int
    hop: int
    minutes: float
    version: int = 1


class ScatterPanelSpec(Spec):
    """Points of one row, of its first seed."""

    label: str
    predictions: dict[str, str] = Field(description="condition -> role of a predictions parent")
    scores: dict[str, str] = Field(description="condition -> role of a scores parent")


class ScatterSpec(Spec):
    """The spec of a scatter figure."""

    figure: Literal["scatter"] = "scatter"
    title: str
    metric: str = Field(description="what is measured, by its name in the score file")
    called: str = Field(description="how tables call it")
    panels: list[ScatterPanelSpec] = Field(min_length=1)
    version: int = 1


class EpochsSpec(Spec):
    """The spec of a figure of epochs; curves are label -> role of a run."""

    figure: Literal["epochs"] = "epochs"
    title: str
    curves: dict[str, str] = Field(min_length=1)
    quantities: dict[str, str] = Field(min_length=1)
    version: int = 1


AnySpec = SpectrogramsSpec | SweepSpec | DistributionsSpec | ScatterSpec | EpochsSpec
read_spec: TypeAdapter[AnySpec] = TypeAdapter(Annotated[AnySpec, Field(discriminator="figure")])

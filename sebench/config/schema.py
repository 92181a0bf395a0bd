"""The schema of everything under `config/`. Unknown keys are refused; every field says what it means."""

from __future__ import annotations

import string
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sebench.config.figures import FigureLayout
from sebench.config.tables import ClaimLayout, TableLayout


class Strict(BaseModel):
    """Base: no unknown keys, no silent conversion of words to numbers, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _by_role(value: Any) -> Any:
    return {"": value} if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed)]
ByRole = Annotated[dict[str, str], BeforeValidator(_by_role)]
Positive = Annotated[int, Field(gt=0)]
SnrDb = Annotated[float, Field(ge=-60, le=100)]


class Entry(Strict):
    """What every named entry may say about itself."""

    label: str = Field("", description="how tables call it; the entry's name if empty")
    description: str = ""


class ItemEntry(Entry):
    """A parameterisation of a registered item."""

    type: str = Field(description="a registered name, or package.module:Class")
    params: dict[str, Any] = {}


class Mix(Strict):
    """Equation (21) of source 002: (1 - beta) * magnitude + beta * complex."""

    magnitude: str
    complex: str
    beta: float | None = Field(None, ge=0, le=1, description="required, unless it is swept")


class Range(Strict):
    """Values at equal distances, both ends among them."""

    start: float = Field(alias="from")
    stop: float = Field(alias="to")
    step: float = Field(gt=0)

    @model_validator(mode="after")
    def _ends_meet(self) -> Range:
        steps = (self.stop - self.start) / self.step
        if steps < 1 or abs(steps - round(steps)) > 1e-6:
            raise ValueError("`to` must lie a whole number of steps above `from`")
        return self

    def values(self) -> list[float]:
        """All of them, as decimal fractions."""
        count = round((self.stop - self.start) / self.step)
        return [round(self.start + i * self.step, 9) for i in range(count + 1)]


def _values(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return Range.model_validate(value).values()
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(map(str, detail["loc"]))
        reason = detail["msg"].removeprefix("Value error, ")
        raise ValueError(f"a list of values, or a range with the keys from, to, step ({where} {reason})") from None


Point = float | str
Points = Annotated[list[Point], BeforeValidator(_values), Field(min_length=1)]


def point_name(point: Point) -> str:
    """A swept value as it stands in names and labels."""
    return f"{point:g}" if isinstance(point, (int, float)) else point


class LossEntry(Entry):
    """A loss: a parameterised item, a weighted sum of other entries, or a mix of two; or a family of such entries."""

    type: str | None = None
    params: dict[str, Any] = {}
    sum: dict[str, float] | None = None
    mix: Mix | None = None
    sweep: dict[str, Points] = Field(
        {}, max_length=1, description="one parameter (of a mix: beta) -> its values: the entry is a family of entries"
    )

    @model_validator(mode="after")
    def _one_form(self) -> LossEntry:
        if sum(form is not None for form in (self.type, self.sum, self.mix)) != 1:
            raise ValueError("give exactly one of type, sum, mix")
        if self.params and self.type is None:
            raise ValueError("params belong to type; the parts of a sum or mix are entries of their own")
        if self.sum is not None and not any(self.sum.values()):
            raise ValueError("a sum needs at least one term with a weight other than 0")
        return self

    @model_validator(mode="after")
    def _sweep_fits(self) -> LossEntry:
        for axis, points in self.sweep.items():
            if self.sum is not None or (self.mix is not None and axis != "beta"):
                raise ValueError("a sweep is over a parameter of `type`, or over the beta of a mix")
            if axis in self.params or (self.mix is not None and self.mix.beta is not None):
                raise ValueError(f"{axis} has a value and is swept")
            if len({point_name(point) for point in points}) != len(points):
                raise ValueError(f"a value of {axis} stands twice")
        if self.mix is not None and self.mix.beta is None and not self.sweep:
            raise ValueError("a mix needs beta, or a sweep over it")
        return self


class MetricEntry(ItemEntry):
    """A metric, and what stands in for it where its package is not installed."""

    instead: str = Field(
        "", description="metric entry used where this one's package is not installed; tables mark it: another scale"
    )


class CorpusEntry(ItemEntry):
    """A corpus: its adapter, and where it lies."""

    root: str | None = Field(None, description="folder; relative to the working folder")
    root_env: str | None = Field(None, description="environment variable that holds the folder; wins over root")
    strict: bool = Field(False, description="stop where any file or pair cannot be used, instead of leaving it out")


class ExternalEntry(ItemEntry):
    """A model that others trained: how a signal goes through it, and where its file lies."""

    file: str | None = Field(None, description="the model's file; relative to the working folder")
    file_env: str | None = Field(None, description="environment variable that holds the file; wins over file")
    address: str = Field("", description="which file it is, and where it is published")


class Optimiser(Strict):
    """The optimiser of a stage."""

    type: Literal["adamw", "adam"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    betas: list[float] = Field([0.9, 0.999], min_length=2, max_length=2)


class Schedule(Strict):
    """The learning rate over the steps of a stage."""

    type: Literal["constant", "cosine", "linear_decay", "halve_on_plateau"] = "constant"
    warmup_steps: int = Field(0, ge=0)
    final_factor: float = Field(0.0, ge=0, le=1, description="cosine and linear_decay: last rate over first")
    patience: Positive = Field(5, description="halve_on_plateau: validations without a better value")
    stop_lr: float | None = Field(None, gt=0, description="halve_on_plateau: stop below this rate")


Augment = Literal["remix", "remix_levels", "band_mask", "shift"]


Hears = Literal["enhanced", "both"]


class Stage(Strict):
    """One training phase of a recipe."""

    name: str
    kind: Literal["supervised", "predictor", "alternating"] = Field(
        "supervised",
        description="supervised: a model by a loss; predictor: a predictor on the output of a frozen model; "
        "alternating: the two in turn, epoch by epoch",
    )
    model: str | None = Field(None, description="a model entry; the cell's if absent")
    loss: str | None = Field(None, description="a loss entry; the cell's if absent")
    predictor: str | None = Field(None, description="a predictor entry; kinds predictor and alternating")
    labels: str | None = Field(None, description="the metric entry that the predictor predicts")
    data: str = Field("", description="role of the corpus and mixing, where the study names several")
    init: dict[str, str] = Field(
        {},
        description="what starts from an earlier stage of this recipe: a submodule ('' for the whole of what the stage "
        "trains), the `enhancer` of a predictor stage, the `predictor` of an alternating one",
    )
    freeze: list[str] = Field([], description="submodules that are not trained")
    effort: float = Field(1.0, gt=0, description="steps, as a multiple of the scale's")
    epochs: Positive | None = Field(
        None, description="length in passes over the training set, each with a validation, instead of the scale's steps"
    )
    utterances: Literal["segments", "whole"] = Field(
        "segments", description="segments: of the scale's length, from random places; whole: whole utterances, padded"
    )
    optimiser: Optimiser = Optimiser()
    hears: Hears = Field(
        "enhanced", description="kinds predictor and alternating: signals that the predictor learns from"
    )
    predictor_optimiser: Optimiser | None = Field(None, description="kind alternating: of the predictor's epochs")
    optimiser_state: Literal["keep", "reset"] = Field(
        "keep", description="kind alternating: what the optimisers know at the start of each epoch"
    )
    schedule: Schedule = Schedule()
    clip_norm: float | None = Field(5.0, gt=0)
    augment: list[Augment] = Field([], description="changes of a batch, in this order; see sebench/training/augment.py")
    keep: Literal["best", "last"] = "best"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    @model_validator(mode="after")
    def _augmented_once(self) -> Stage:
        if len(set(self.augment)) != len(self.augment):
            raise ValueError("an augmentation stands twice")
        if self.augment and self.utterances == "whole":
            raise ValueError("an augmentation is of segments: `utterances: segments`, or no `augment`")
        return self

    @model_validator(mode="after")
    def _whole_kind(self) -> Stage:
        alone = {"predictor": self.predictor, "labels": self.labels}
        for name, value in alone.items():
            if (value is None) != (self.kind == "supervised"):
                raise ValueError(f"`{name}` belongs to a stage of kind predictor or alternating, which needs it")
        if self.hears != "enhanced" and self.kind == "supervised":
            raise ValueError("`hears` belongs to a stage of kind predictor or alternating")
        if (self.predictor_optimiser is None) != (self.kind != "alternating"):
            raise ValueError("`predictor_optimiser` belongs to a stage of kind alternating, which needs it")
        if self.kind == "predictor" and "enhancer" not in self.init:
            raise ValueError(
                "a stage of kind predictor needs `init: { enhancer: STAGE }`, whose output it is trained on"
            )
        if self.kind == "alternating" and (self.epochs is None or self.utterances != "whole"):
            raise ValueError("a stage of kind alternating needs `epochs` and `utterances: whole`")
        if self.kind == "alternating" and not {"", "predictor"} <= set(self.init):
            raise ValueError(
                'a stage of kind alternating needs `init: { "": STAGE, predictor: STAGE }`: both networks are trained '
                "before it"
            )
        if self.kind != "supervised" and self.freeze:
            raise ValueError("`freeze` is for stages of kind supervised: the others freeze whole networks in turn")
        return self


class RecipeEntry(Entry):
    """A chain of stages."""

    stages: list[Stage] = Field(min_length=1)


class Utterances(Strict):
    """Mixtures per split."""

    train: Positive
    valid: Positive
    test: Positive


class Amounts(Strict):
    """What a scale sets."""

    utterances: Utterances
    steps: Positive
    batch_size: Positive
    segment_seconds: float = Field(gt=0)
    validations: Positive = Field(description="how often validation runs during a stage")
    seeds: Positive = Field(description="runs per cell")
    threads: Positive = Field(1, description="intra-op threads of a run: part of its identity")
    devices: Positive = Field(1, description="GPUs (on the CPU: processes) that train one run: part of its identity")


class PartialUtterances(Strict):
    """Mixtures per split that a study sets for itself."""

    train: Positive | None = None
    valid: Positive | None = None
    test: Positive | None = None


class StageAmounts(Strict):
    """What a study changes of one stage of its recipes."""

    epochs: Positive | None = None
    mixtures: Positive | None = Field(None, description="of its training set, the first so many; absent: all")
    lr_factor: float = Field(1.0, gt=0, description="times the stage's learning rates and the rate that it stops at")
    patience: Positive | None = Field(None, description="of a schedule that waits for a better validation")
    hears: Hears | None = Field(None, description="signals that a predictor learns from")


class StudyAmounts(Strict):
    """What a study changes of a scale."""

    utterances: PartialUtterances | None = None
    steps: Positive | None = None
    batch_size: Positive | None = None
    segment_seconds: float | None = Field(None, gt=0)
    max_seconds: float | None = Field(None, ge=0.1, description="of longer utterances only the beginning is mixed")
    validations: Positive | None = None
    seeds: Positive | None = None
    threads: Positive | None = None
    devices: Positive | None = None
    models: dict[str, dict[str, Any]] = Field({}, description="model entry -> parameters (widths) at this scale")
    predictors: dict[str, dict[str, Any]] = Field({}, description="predictor entry -> parameters at this scale")
    stages: dict[str, StageAmounts] = Field({}, description="stage name -> its epochs, amounts, rates and patience")
    snr_db: list[SnrDb] | None = Field(None, min_length=1, description="those of the test SNRs that are computed")
    lr_factor: float = Field(1.0, gt=0, description="times every stage's learning rate: few steps need larger ones")
    sweeps: dict[str, Points] = Field({}, description="swept parameter -> those of its values that this scale computes")


class ScaleEntry(Entry, Amounts):
    """A scale: amounts under a name."""


Axis = Literal["model", "loss", "recipe", "seed"]
AxisValues = Annotated[list[str | int], BeforeValidator(_listed)]


class GridBlock(Strict):
    """Cells: the product of `product`'s axes, times `zip`'s axes taken together."""

    product: dict[Axis, AxisValues] = {}
    zip: dict[Axis, AxisValues] = {}
    label: str = Field("{model}({loss})", description="row label; {model}, {loss}, {recipe} stand for labels")
    test: Literal["all", "ends", "none"] = Field(
        "all", description="which cells are enhanced and scored: all; of a sweep the first and the last value; none"
    )

    @model_validator(mode="after")
    def _understood(self) -> GridBlock:
        names = [field for _, field, _, _ in string.Formatter().parse(self.label) if field is not None]
        unknown = sorted(set(names) - {"model", "loss", "recipe"})
        if unknown:
            raise ValueError(f"label knows {{model}}, {{loss}} and {{recipe}}, not {', '.join(unknown)}")
        seeds = [*self.product.get("seed", []), *self.zip.get("seed", [])]
        if not all(isinstance(seed, int) for seed in seeds):
            raise ValueError("seeds are whole numbers")
        return self


class Exclusion(Strict):
    """Cells that are left out, and why."""

    model: str | None = None
    loss: str | None = None
    recipe: str | None = None
    reason: str


class TestSet(Strict):
    """One test set of several."""

    data: str = Field("", description="role of the corpus, where the study names several; its first if empty")
    mixing: str | None = Field(None, description="a mixing entry; the role's if absent")
    snr_db: list[SnrDb] = Field([], description="a condition for each; as the mixing draws them if empty")
    part: Names = Field(
        [],
        description="a published test set, or the first of several that the corpus brings, taken as it is; where it "
        "brings none, a set is mixed instead, or, with `mixing: none`, left out",
    )

    @model_validator(mode="after")
    def _mixed_or_published(self) -> TestSet:
        if self.mixing == "none" and not self.part:
            raise ValueError("`mixing: none` needs a `part`")
        if self.part and self.snr_db:
            raise ValueError("a `part` is taken as it was published, whatever its SNRs: no `snr_db`")
        if len(set(self.snr_db)) != len(self.snr_db):
            raise ValueError("an SNR stands twice")
        return self


class Conditions(Strict):
    """The test conditions of a study: SNRs of one test set, or several test sets."""

    snr_db: list[SnrDb] = []
    data: str = Field("", description="role of the corpus, where the study names several; its first if empty")
    sets: dict[str, TestSet] = Field({}, description="name -> test set, instead of `snr_db` and `data`")

    @model_validator(mode="after")
    def _one_form(self) -> Conditions:
        if bool(self.snr_db) == bool(self.sets) or (self.sets and self.data):
            raise ValueError("give `snr_db` (and `data`), or `sets`")
        if len(set(self.snr_db)) != len(self.snr_db):
            raise ValueError("an SNR stands twice")
        return self

    def all_snr_db(self) -> list[float]:
        """SNRs of all conditions that state one."""
        return list(dict.fromkeys([*self.snr_db, *(snr for test in self.sets.values() for snr in test.snr_db)]))


class Selection(Strict):
    """How the best weights are chosen."""

    by: str = Field(
        "loss", description="a metric entry, or 'loss': what validation measures to choose the best weights"
    )


class Choice(Strict):
    """The best member of a sweep on the validation set: a row that is trained already."""

    among: str = Field(description="the loss entry with the sweep")
    model: str | None = Field(None, description="where the study trains the sweep with several models")
    recipe: str | None = Field(None, description="where the study trains the sweep with several recipes")


class StudyEntry(Strict):
    """A study: a grid, its conditions and metrics, its tables, figures and claims."""

    title: str
    source: str = ""
    description: str = ""
    corpus: ByRole
    mixing: ByRole
    grid: list[GridBlock] = Field(min_length=1)
    exclude: list[Exclusion] = []
    conditions: Conditions
    metrics: Names
    select: Selection = Selection()
    choices: dict[str, Choice] = Field({}, description="label -> the best of a sweep, by `select.by`")
    external: dict[str, str] = Field({}, description="label -> an external model: a row that is not trained here")
    scales: dict[str, StudyAmounts] = {}
    tables: dict[str, TableLayout] = {}
    figures: dict[str, FigureLayout] = {}
    claims: list[ClaimLayout] = []


class Settings(Strict):
    """`config/config.yaml`: what is run when nothing else is said."""

    study: Names
    scale: str = "demo"
    corpus: str | None = None
    results: str = "results"

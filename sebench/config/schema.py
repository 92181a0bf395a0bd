"""The schema of everything under `config/`. Unknown keys are refused; every field says what it means."""

from __future__ import annotations

import functools
import json
import re
import string
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    create_model,
    model_validator,
)

from sebench.config import items
from sebench.config.annotations import EntryOf, OptimiserOf, Param
from sebench.config.base import (
    MOST_STEPS,
    Count,
    EachOnce,
    Names,
    OptionalText,
    Prose,
    Rate,
    Seconds,
    Seed,
    SnrDb,
    Strict,
    Text,
    listed,
)
from sebench.config.explain import shown
from sebench.config.facts import STAGE, StageFacts
from sebench.config.figures import FigureLayout
from sebench.config.source import SourceError
from sebench.config.tables import ClaimLayout, TableLayout
from sebench.errors import Mistake, SebenchError, choices
from sebench.files import expanded
from sebench.sections import one_of


def _by_role(value: Any) -> Any:
    if not isinstance(value, (str, dict)):
        raise Mistake(f"found {shown(value)}", accepted="a name, or a mapping from roles to names")
    return {"": value} if isinstance(value, str) else value


def _path(text: str) -> str:
    try:
        return str(expanded(text))
    except SebenchError as error:
        raise ValueError(str(error)) from None


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise Mistake(f"found {name!r}", accepted="the name of an environment variable: letters, digits and _")
    return name


ByRole = Annotated[
    dict[str, Text],
    BeforeValidator(_by_role, json_schema_input_type=dict[str, Text] | Text),
    Field(min_length=1),
]
SnrsDb = Annotated[list[SnrDb], EachOnce]
Weight = Annotated[float, Field(ge=-1e9, le=1e9)]
PathText = Annotated[Text, AfterValidator(_path)]
Variable = Annotated[str, AfterValidator(_variable)]


class Entry(Strict):
    """What every named entry may say about itself."""

    label: OptionalText = Field("", description="how tables call it; the entry's name if empty")
    description: str = ""


class ItemEntry(Entry):
    """A parameterisation of a registered item."""

    type: Text = Field(description="a registered name, or package.module:Class")
    params: dict[str, Any] = Field({})


class Mix(Strict):
    """Equation (21) of source 002: (1 - beta) * magnitude + beta * complex."""

    magnitude: Text
    complex: Text
    beta: float | None = Field(None, ge=0, le=1, description="required, unless it is swept")


#: Values of a sweep: each is a training of its own.
MOST_POINTS = 1000


class Range(Strict):
    """Values at equal distances, both ends among them."""

    start: float = Field(alias="from")
    stop: float = Field(alias="to")
    step: float = Field(gt=0)

    @model_validator(mode="after")
    def _ends_meet(self) -> Range:
        steps = (self.stop - self.start) / self.step
        if steps >= MOST_POINTS:
            raise Mistake(f"{steps + 1:g} values", "step", accepted=f"no more than {MOST_POINTS} of them")
        if steps < 1 or abs(steps - round(steps)) > 1e-6:
            found = f"from {self.start:g} to {self.stop:g} by {self.step:g}"
            raise Mistake(found, "to", accepted="a whole number of steps above `from`")
        return self

    def values(self) -> list[float]:
        """All of them, as decimal fractions."""
        count = round((self.stop - self.start) / self.step)
        return [round(self.start + i * self.step, 9) for i in range(count + 1)]


Point = float | str


def _form_of_points(value: Any) -> str | None:
    return "range" if isinstance(value, (dict, Range)) else "points" if isinstance(value, list) else None


def _values(value: list[Point] | Range) -> list[Point]:
    return list(value.values()) if isinstance(value, Range) else value


if TYPE_CHECKING:
    Points = list[Point]
else:
    Points = Annotated[
        Annotated[list[Point], Field(min_length=1, max_length=MOST_POINTS), Tag("points")]
        | Annotated[Range, Tag("range")],
        Discriminator(
            _form_of_points,
            custom_error_type="points",
            custom_error_message="a list of numbers or words, or a range with the keys from, to, step",
        ),
        AfterValidator(_values),
    ]


def point_name(point: Point) -> str:
    """A swept value as it stands in names and labels."""
    return f"{point:g}" if isinstance(point, (int, float)) else point


class LossEntry(Entry):
    """A loss: a parameterised item, a weighted sum of other entries, or a mix of two; or a family of such entries."""

    type: Text | None = None
    params: dict[str, Any] = Field({})
    sum: dict[str, Weight] | None = None
    mix: Mix | None = None
    sweep: dict[str, Points] = Field(
        {}, max_length=1, description="one parameter (of a mix: beta) -> its values: the entry is a family of entries"
    )

    @model_validator(mode="after")
    def _one_form(self) -> LossEntry:
        forms = [name for name in ("type", "sum", "mix") if getattr(self, name) is not None]
        if len(forms) != 1:
            raise Mistake(
                f"found {' and '.join(forms) or 'none of type, sum, mix'}", accepted="exactly one of type, sum, mix"
            )
        if self.params and self.type is None:
            raise Mistake("`params` belong to type; the parts of a sum or mix are entries of their own", "params")
        if self.sum is not None and not any(self.sum.values()):
            raise Mistake("a sum needs at least one term with a weight other than 0", "sum")
        return self

    @model_validator(mode="after")
    def _sweep_fits(self) -> LossEntry:
        for axis, points in self.sweep.items():
            if self.sum is not None or (self.mix is not None and axis != "beta"):
                raise Mistake("a sweep is over a parameter of `type`, or over the beta of a mix", "sweep", axis)
            if axis in self.params or (self.mix is not None and self.mix.beta is not None):
                raise Mistake(f"{axis} has a value and is swept", "sweep", axis)
            if len({point_name(point) for point in points}) != len(points):
                raise Mistake(f"a value of {axis} stands twice", "sweep", axis)
        if self.mix is not None and self.mix.beta is None and not self.sweep:
            raise Mistake("a mix needs `beta`, or a sweep over it", "mix")
        return self


class MetricEntry(ItemEntry):
    """A metric, and what stands in for it where its package is not installed."""

    instead: str = Field(
        "", description="metric entry used where this one's package is not installed; tables mark it: another scale"
    )


class CorpusEntry(ItemEntry):
    """A corpus: its adapter, and where it lies."""

    root: Text | None = Field(None, description="folder; relative to the working folder")
    root_env: Variable | None = Field(None, description="environment variable that holds the folder; wins over root")
    strict: bool = Field(False, description="stop where any file or pair cannot be used, instead of leaving it out")
    align: Literal["cut", "pad"] | None = Field(
        None,
        description="published pairs whose lengths differ by 0.1 s at most: both are cut to the shorter file, or zeros "
        "follow the shorter one; absent: they are left out",
    )


class ExternalEntry(ItemEntry):
    """A model that others trained: how a signal goes through it, and where its file lies."""

    file: Text | None = Field(None, description="the model's file; relative to the working folder")
    file_env: Variable | None = Field(None, description="environment variable that holds the file; wins over file")
    address: str = Field("", description="which file it is, and where it is published")


class Optimiser(Strict):
    """The optimiser of a stage."""

    type: Literal["adamw", "adam"] = "adamw"
    lr: Rate = 1e-3
    weight_decay: float = Field(0.0, ge=0, le=10)
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field([0.9, 0.999], min_length=2, max_length=2)


Warmup = Annotated[int, Field(ge=0, le=MOST_STEPS)]
PLATEAU = "halve_on_plateau"
SCHEDULES = ("constant", "cosine", "linear_decay", PLATEAU)
#: Key of a schedule -> the types that read it.
SCHEDULE_KEYS = {
    "warmup_steps": SCHEDULES,
    "final_factor": ("cosine", "linear_decay"),
    "patience": (PLATEAU,),
    "stop_lr": (PLATEAU,),
}


class ScheduleEntry(Strict):
    """The learning rate over the steps of a stage."""

    type: Literal["constant", "cosine", "linear_decay", "halve_on_plateau"] = "constant"
    warmup_steps: Warmup = 0
    final_factor: float = Field(0.0, ge=0, le=1, description="cosine and linear_decay: last rate over first")
    patience: Count = Field(5, description="halve_on_plateau: validations without a better value")
    stop_lr: Rate | None = Field(None, description="halve_on_plateau: stop below this rate")

    @model_validator(mode="after")
    def _heeded(self) -> ScheduleEntry:
        """A key that the type does not read would be believed to do something."""
        for key, types in SCHEDULE_KEYS.items():
            if key in self.model_fields_set and getattr(self, key) is not None and self.type not in types:
                raise Mistake(
                    f"`{key}` with a schedule of type {self.type}, which does not read it",
                    key,
                    accepted=f"`{key}` with type {' or '.join(types)}",
                )
        return self


Augment = Literal["remix", "remix_levels", "band_mask", "shift"]


Hears = Literal["enhanced", "both"]

M = TypeVar("M", EntryOf, OptimiserOf)


class StageEntry(Strict):
    """One training phase of a recipe. A kind's own parameters are keys too: `stage_model` has the schema of each."""

    # Editors: a kind's own parameters stand beside these.
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("additionalProperties"))

    #: Its subclasses are its forms, for what is said of an unknown key.
    forms: ClassVar[bool] = True

    name: Text
    kind: Text = Field("supervised", description="a kind of stage (`sebench list stages`), or package.module:Class")
    model: Text | None = Field(None, description="a model entry; the cell's if absent")
    loss: Text | None = Field(None, description="a loss entry; the cell's if absent")
    data: str = Field("", description="role of the corpus and mixing, where the study names several")
    init: dict[str, str] = Field(
        {},
        description="what starts from an earlier stage of this recipe: a submodule ('' for the whole of what the stage "
        "trains), the `enhancer` of a predictor stage, the `predictor` of an alternating one",
    )
    freeze: Annotated[list[Text], EachOnce] = Field([], description="submodules that are not trained")
    effort: float = Field(1.0, gt=0, le=1000, description="steps, as a multiple of the scale's")
    epochs: Count | None = Field(
        None, description="length in passes over the training set, each with a validation, instead of the scale's steps"
    )
    utterances: Literal["segments", "whole"] = Field(
        "segments", description="segments: of the scale's length, from random places; whole: whole utterances, padded"
    )
    optimiser: Optimiser = Optimiser()
    schedule: ScheduleEntry = ScheduleEntry()
    clip_norm: float | None = Field(5.0, gt=0, le=1e6)
    augment: list[Augment] = Field([], description="changes of a batch, in this order; see sebench/training/augment.py")
    keep: Literal["best", "last"] = "best"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    @model_validator(mode="after")
    def _augmented_once(self) -> StageEntry:
        if len(set(self.augment)) != len(self.augment):
            raise Mistake("an augmentation stands twice", "augment")
        if self.augment and self.utterances == "whole":
            raise Mistake(
                "an augmentation is of segments", "augment", accepted="`utterances: segments`, or no `augment`"
            )
        return self

    @model_validator(mode="after")
    def _length_and_rate(self) -> StageEntry:
        if self.epochs is not None and "effort" in self.model_fields_set:
            raise Mistake(
                "`effort` is of the scale's steps, and `epochs` replaces them", "effort", accepted="one of them"
            )
        if self.schedule.stop_lr is not None and self.schedule.stop_lr >= self.optimiser.lr:
            found = f"stop_lr {self.schedule.stop_lr:g} is not below the optimiser's lr {self.optimiser.lr:g}"
            raise Mistake(found, "schedule", "stop_lr", accepted=f"above 0 and below {self.optimiser.lr:g}")
        return self

    @model_validator(mode="after")
    def _as_its_kind_is(self) -> StageEntry:
        facts, of = self.item.facts, f"in a stage of kind {self.kind}"
        if self.loss is not None and not facts.takes_loss:
            raise Mistake(f"`loss` {of}, which takes none", "loss")
        if self.augment and not facts.augments:
            raise Mistake(f"`augment` {of}, which takes its batches as they are", "augment")
        if self.freeze and not facts.parts:
            kinds = one_of([name for name, item in items.registry(STAGE).items() if item.facts.parts])
            raise Mistake(f"`freeze` is for stages of kind {kinds}: the others freeze whole networks", "freeze")
        if facts.whole_epochs and (self.epochs is None or self.utterances != "whole"):
            raise Mistake(f"a stage of kind {self.kind} needs `epochs` and `utterances: whole`", "utterances")
        if not set(facts.needs) <= set(self.init):
            wanted = ", ".join(f"{name or json.dumps(name)}: STAGE" for name in facts.needs)
            found = f"a stage of kind {self.kind} needs `init: {{ {wanted} }}`: networks that are trained before it"
            raise Mistake(found, "init")
        return self

    @property
    def item(self) -> items.Item[StageFacts]:
        """Its kind."""
        return items.get(STAGE, self.kind)

    def own(self, mark: type[M]) -> dict[str, tuple[M, Any]]:
        """Parameters of its kind with such a mark: name -> mark and value; without those that it leaves open."""
        marks = {name: param.mark for name, param in self.item.params.items()}
        given = {name: (found, getattr(self, name)) for name, found in marks.items() if isinstance(found, mark)}
        return {name: (found, value) for name, (found, value) in given.items() if value is not None}


_MODELS: dict[str, tuple[items.Item[StageFacts], type[StageEntry]]] = {}


def stage_model(item: items.Item[StageFacts]) -> type[StageEntry]:
    """The schema of a stage of one kind: that of all stages, and the kind's own parameters."""
    known, model = _MODELS.get(item.path, (None, None))
    if model is None or known != item:
        model = _stage_model(item)
        _MODELS[item.path] = item, model
    return model


def _stage_model(item: items.Item[StageFacts]) -> type[StageEntry]:
    fields: dict[str, Any] = {}
    for name, param in item.params.items():
        of: Any = Annotated[Any, AfterValidator(functools.partial(_own_value, param))]
        of = {EntryOf: Text, OptimiserOf: Optimiser}.get(type(param.mark), of)
        fields[name] = (of, ...) if param.required else (of, param.default)
    return create_model(f"{item.cls}Entry", __base__=StageEntry, __module__=__name__, **fields)


def _own_value(param: Param, value: Any) -> Any:
    try:
        return param.validate(value)
    except ValueError as error:
        raise Mistake(f"found {shown(value)}", accepted=str(error)) from None


def _of_its_kind(value: Any, _: Any) -> Any:
    """A stage by the schema of its kind."""
    kind = value.get("kind", "supervised") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return StageEntry.model_validate(value)
    try:
        item = items.find(STAGE, kind)
    except SourceError as error:
        raise Mistake(str(error), "kind") from None
    if item is None:
        found, accepted, _ = items.absent(STAGE, kind)
        raise Mistake(found if ":" in kind else f"found {kind!r}", "kind", accepted=accepted)
    owners: dict[str, list[str]] = {}
    for name, other in items.registry(STAGE).items():
        stage_model(other)
        for own in other.params:
            owners.setdefault(own, []).append(name)
    for key in value:
        if key in owners and key not in item.params:
            raise Mistake(f"`{key}` belongs to a stage of kind {one_of(owners[key])}", key)
    for name, param in item.params.items():
        if param.required and name not in value:
            of = one_of(owners.get(name, [kind]))
            raise Mistake(f"`{name}` belongs to a stage of kind {of}, which needs it", name)
    return stage_model(item).model_validate(value)


class RecipeEntry(Entry):
    """A chain of stages."""

    stages: list[Annotated[SerializeAsAny[StageEntry], WrapValidator(_of_its_kind)]] = Field(min_length=1)


class Utterances(Strict):
    """Mixtures per split."""

    train: Count
    valid: Count
    test: Count


#: The largest machines have some 500.
Cores = Annotated[int, Field(ge=1, le=1024)]


class Amounts(Strict):
    """What a scale sets."""

    utterances: Utterances
    steps: Count
    batch_size: Annotated[int, Field(ge=1, le=65536)]
    segment_seconds: Seconds
    validations: Count = Field(description="how often validation runs during a stage")
    warmup_steps: Warmup | None = Field(
        None, description="of the stages whose schedule has a warm-up, instead of theirs"
    )
    seeds: Annotated[int, Field(ge=1, le=1000)] = Field(description="runs per cell")
    threads: Cores = Field(1, description="intra-op threads of a run: part of its identity")
    devices: Cores = Field(1, description="GPUs (on the CPU: processes) that train one run: part of its identity")


class PartialUtterances(Strict):
    """Mixtures per split that a study sets for itself."""

    train: Count | None = None
    valid: Count | None = None
    test: Count | None = None


class StageAmounts(Strict):
    """What a study changes of one stage of its recipes."""

    epochs: Count | None = None
    mixtures: Count | None = Field(None, description="of its training set, the first so many; absent: all")
    lr_factor: float = Field(
        1.0, gt=0, le=1e6, description="times the stage's learning rates and the rate that it stops at"
    )
    patience: Count | None = Field(None, description="of a schedule that waits for a better validation")
    hears: Hears | None = Field(None, description="signals that a predictor learns from")


class StudyAmounts(Strict):
    """What a study changes of a scale."""

    utterances: PartialUtterances | None = None
    steps: Count | None = None
    batch_size: Annotated[int, Field(ge=1, le=65536)] | None = None
    segment_seconds: Seconds | None = None
    max_seconds: float | None = Field(
        None, ge=0.1, le=600, description="of longer utterances only the beginning is mixed"
    )
    validations: Count | None = None
    warmup_steps: Warmup | None = None
    seeds: Annotated[int, Field(ge=1, le=1000)] | None = None
    threads: Cores | None = None
    devices: Cores | None = None
    models: dict[str, dict[str, Any]] = Field({}, description="model entry -> parameters (widths) at this scale")
    predictors: dict[str, dict[str, Any]] = Field({}, description="predictor entry -> parameters at this scale")
    stages: dict[str, StageAmounts] = Field({}, description="stage name -> its epochs, amounts, rates and patience")
    snr_db: SnrsDb | None = Field(None, min_length=1, description="those of the test SNRs that are computed")
    lr_factor: float = Field(
        1.0, gt=0, le=1e6, description="times every stage's learning rate: few steps need larger ones"
    )
    sweeps: dict[str, Points] = Field({}, description="swept parameter -> those of its values that this scale computes")


class ScaleEntry(Entry, Amounts):
    """A scale: amounts under a name."""


Axis = Literal["model", "loss", "recipe", "seed"]
AxisValues = Annotated[list[Any], BeforeValidator(listed, json_schema_input_type=Any), Field(min_length=1), EachOnce]


_NAME = TypeAdapter(Text)
#: Axis whose values are no names -> what they are.
_AXES = {"seed": (TypeAdapter(Seed, config={"strict": True}), "a whole number from 0 to 4294967295")}


class GridBlock(Strict):
    """Cells: the product of `product`'s axes, times `zip`'s axes taken together."""

    product: dict[Axis, AxisValues] = Field({})
    zip: dict[Axis, AxisValues] = Field({})
    label: Text = Field("{model}({loss})", description="row label; {model}, {loss}, {recipe} stand for labels")
    test: Literal["all", "ends", "none"] = Field(
        "all", description="which cells are enhanced and scored: all; of a sweep the first and the last value; none"
    )

    @model_validator(mode="after")
    def _understood(self) -> GridBlock:
        try:
            fields = [part[1:] for part in string.Formatter().parse(self.label) if part[1] is not None]
        except ValueError as error:
            raise Mistake(f"{self.label!r}: {error}", "label", accepted="braces around model, loss or recipe") from None
        unknown = sorted({str(name) for name, _, _ in fields} - {"model", "loss", "recipe"})
        if unknown:
            found = f"a label with {choices(f'{{{name}}}' for name in unknown)}"
            raise Mistake(found, "label", accepted="{model}, {loss} and {recipe}")
        if any(form or conversion for _, form, conversion in fields):
            found = f"{self.label!r} cannot be filled in"
            raise Mistake(found, "label", accepted="{model}, {loss} and {recipe}, and nothing else in braces")
        for form in ("product", "zip"):
            for axis, values in getattr(self, form).items():
                for place, value in enumerate(values):
                    adapter, accepted = _AXES.get(axis, (_NAME, f"the name of a {axis}"))
                    try:
                        adapter.validate_python(value)
                    except ValidationError:
                        keys = (form, axis, place) if len(values) > 1 else (form, axis)
                        raise Mistake(f"found {shown(value)}", *keys, accepted=accepted) from None
        return self


class Exclusion(Strict):
    """Cells that are left out, and why."""

    model: Text | None = None
    loss: Text | None = None
    recipe: Text | None = None
    reason: Prose

    @model_validator(mode="after")
    def _of_something(self) -> Exclusion:
        if self.model is None and self.loss is None and self.recipe is None:
            raise Mistake("nothing that is left out", accepted="at least one of model, loss, recipe")
        return self


class TestSet(Strict):
    """One test set of several."""

    data: str = Field("", description="role of the corpus, where the study names several; its first if empty")
    mixing: Text | None = Field(None, description="a mixing entry; the role's if absent")
    snr_db: SnrsDb = Field([], description="a condition for each; as the mixing draws them if empty")
    part: Names = Field(
        [],
        description="a published test set, or the first of several that the corpus brings, taken as it is; where it "
        "brings none, a set is mixed instead, or, with `mixing: none`, left out",
    )

    @model_validator(mode="after")
    def _mixed_or_published(self) -> TestSet:
        if self.mixing == "none" and not self.part:
            raise Mistake("`mixing: none` needs a `part`", "mixing")
        if self.part and self.snr_db:
            raise Mistake("a `part` is taken as it was published, whatever its SNRs: no `snr_db`", "snr_db")
        return self


class Conditions(Strict):
    """The test conditions of a study: SNRs of one test set, or several test sets."""

    snr_db: SnrsDb = Field([])
    data: str = Field("", description="role of the corpus, where the study names several; its first if empty")
    sets: dict[Text, TestSet] = Field({}, description="name -> test set, instead of `snr_db` and `data`")

    @model_validator(mode="after")
    def _one_form(self) -> Conditions:
        if bool(self.snr_db) == bool(self.sets) or (self.sets and self.data):
            both = "both" if self.snr_db and self.sets else "`sets` and `data`" if self.sets else "neither"
            raise Mistake(f"{both} of two forms", accepted="give `snr_db` (and `data`), or `sets`")
        return self

    def all_snr_db(self) -> list[float]:
        """SNRs of all conditions that state one."""
        return list(dict.fromkeys([*self.snr_db, *(snr for test in self.sets.values() for snr in test.snr_db)]))


class Selection(Strict):
    """How the best weights are chosen."""

    by: Text = Field(
        "loss", description="a metric entry, or 'loss': what validation measures to choose the best weights"
    )


class ChoiceEntry(Strict):
    """The best member of a sweep on the validation set: a row that is trained already."""

    among: Text = Field(description="the loss entry with the sweep")
    model: Text | None = Field(None, description="where the study trains the sweep with several models")
    recipe: Text | None = Field(None, description="where the study trains the sweep with several recipes")


class StudyEntry(Strict):
    """A study: a grid, its conditions and metrics, its tables, figures and claims."""

    title: Prose
    source: str = ""
    description: str = ""
    corpus: ByRole
    mixing: ByRole
    grid: list[GridBlock] = Field(min_length=1)
    exclude: list[Exclusion] = Field([])
    conditions: Conditions
    metrics: Annotated[Names, Field(min_length=1)]
    select: Selection = Selection()
    choices: dict[Text, ChoiceEntry] = Field({}, description="label -> the best of a sweep, by `select.by`")
    external: dict[Text, Text] = Field({}, description="label -> an external model: a row that is not trained here")
    scales: dict[str, StudyAmounts] = Field({})
    tables: dict[Text, TableLayout] = Field({})
    figures: dict[Text, FigureLayout] = Field({})
    claims: list[ClaimLayout] = Field([])


class Settings(Strict):
    """`config/config.yaml`: what is run when nothing else is said."""

    study: Annotated[Names, Field(min_length=1)]
    scale: Text = "demo"
    corpus: Text | None = None
    results: PathText = "results"
    python_path: Names = Field(
        [], description="folders with modules of one's own, relative to the working folder: `type: module:Class`"
    )

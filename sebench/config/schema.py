"""The schema of everything under `config/`. Unknown keys are refused; every field says what it means."""

from __future__ import annotations

import functools
import json
import re
import string
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    SerializeAsAny,
    Tag,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    WrapValidator,
    create_model,
    model_validator,
)

from sebench.config import items
from sebench.config.annotations import EntryOf, OptimiserOf, Param
from sebench.config.base import (
    MOST_STEPS,
    Align,
    Count,
    EachOnce,
    ItemType,
    Label,
    LossName,
    ModelName,
    Names,
    OptionalText,
    Prose,
    Rate,
    RecipeName,
    Seconds,
    Seed,
    SnrDb,
    Strict,
    Text,
    listed,
)
from sebench.config.classes import describe
from sebench.config.explain import shown
from sebench.config.facts import STAGE, StageFacts
from sebench.config.figures import FigureLayout
from sebench.config.keys import Words
from sebench.config.registries import AUGMENTATIONS, OPTIMISERS, PRECISIONS, SCHEDULES, accepted, registered
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
if TYPE_CHECKING:
    OptimiserType = str
    ScheduleType = str
    Augment = str
    Precision = str
    Hears = str
else:
    OptimiserType, ScheduleType = accepted(OPTIMISERS), accepted(SCHEDULES)
    Augment, Precision = accepted(AUGMENTATIONS), accepted(PRECISIONS)
    #: Of every kind of stage that has it.
    Hears = describe(STAGE, "sebench.stages.with_predictor", "WithPredictor", builtin=True).params["hears"].type
Submodule = Annotated[str, Words("submodule")]
SnrsDb = Annotated[list[SnrDb], EachOnce]
Weight = Annotated[float, Field(ge=-1e9, le=1e9), Words("weight")]
PathText = Annotated[Text, AfterValidator(_path)]
Variable = Annotated[str, AfterValidator(_variable), Words("name")]


class Entry(Strict):
    """What every named entry may say about itself."""

    label: Annotated[OptionalText, Words(default="the entry's name")] = Field("", description="how tables call it")
    description: str = Field("", description="shown by `sebench list` and `sebench show`")


class ItemEntry(Entry):
    """A parameterisation of a registered item."""

    type: ItemType = Field(description="a registered item of the section's kind")
    params: dict[str, Any] = Field(
        {}, description="its parameters (`sebench show`); those not given have their defaults"
    )


class Mix(Strict):
    """Equation (21) of source 002: (1 - beta) * magnitude + beta * complex."""

    magnitude: LossName = Field(description="the term of weight 1 - beta")
    complex: LossName = Field(description="the term of weight beta")
    beta: Annotated[float | None, Words(default="required, unless it is swept")] = Field(
        None, ge=0, le=1, description="the share; at 0 and 1 the mix is the pure loss and shares its runs"
    )


#: Values of a sweep: each is a training of its own.
MOST_POINTS = 1000


class Range(Strict):
    """Values at equal distances, both ends among them."""

    start: float = Field(alias="from", description="first value")
    stop: float = Field(alias="to", description="last value: a whole number of steps above the first")
    step: float = Field(gt=0, description="from each value to the next")

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
        Words("list of values, or range"),
    ]


def point_name(point: Point) -> str:
    """A swept value as it stands in names and labels."""
    return f"{point:g}" if isinstance(point, (int, float)) else point


class LossEntry(Entry):
    """A loss: a parameterised item, a weighted sum of other entries, or a mix of two; or a family of such entries."""

    type: ItemType | None = Field(None, description="a registered loss")
    params: dict[str, Any] = Field({}, description="parameters of `type`; those not given have their defaults")
    sum: dict[Annotated[str, Words("loss")], Weight] | None = Field(
        None, description="weighted sum of other losses; terms of weight 0 vanish"
    )
    mix: Mix | None = Field(None, description="two losses and a share between them")
    sweep: dict[Annotated[str, Words("parameter")], Points] = Field(
        {},
        max_length=1,
        description="the entry is a family: one entry for each value of one parameter of `type`, or of the `beta` of "
        "a mix",
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

    instead: Annotated[str, Words("metric", "none")] = Field(
        "",
        description="of a metric: what takes its place where its package is not installed, for labels too. Tables mark "
        'its columns "other scale" and print no differences there',
    )


class CorpusEntry(ItemEntry):
    """A corpus: its adapter, and where it lies."""

    type: ItemType = Field(description="one of the adapters below, or one from outside")
    root: Annotated[Text, Words("folder")] | None = Field(
        None, description="where the files lie; a relative path starts at the working folder"
    )
    root_env: Variable | None = Field(
        None, description="environment variable that holds the folder; where it is set, it wins over `root`"
    )
    strict: bool = Field(
        False,
        description="stop where any file or published pair cannot be used, instead of leaving it out and listing it in "
        "`rejected.json`",
    )
    align: Align | None = Field(
        None,
        description="of a corpus with published pairs: what is done where the lengths of a pair's files differ by up "
        "to 0.1 s; without it such a pair is left out",
    )


class ExternalEntry(ItemEntry):
    """A model that others trained: how a signal goes through it, and where its file lies."""

    type: ItemType = Field(description="how a signal goes through it: `onnx_gain`, or one from outside")
    file: Annotated[Text, Words("file")] | None = Field(
        None, description="where it lies; a relative path starts at the working folder"
    )
    file_env: Variable | None = Field(
        None, description="environment variable that holds the file; where it is set, it wins over `file`"
    )
    address: str = Field(
        "", description="which file it is, and where it is published; stands in plans and footers where it is not there"
    )


class Optimiser(Strict):
    """The optimiser of a stage."""

    type: OptimiserType = Field("adamw", description="the algorithm; see below")
    lr: Rate = Field(1e-3, description="base rate")
    weight_decay: float = Field(0.0, ge=0, le=10, description="pulls the weights towards 0, as the type says")
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        [0.9, 0.999], min_length=2, max_length=2, description="decay of the first and second moment"
    )


Warmup = Annotated[int, Field(ge=0, le=MOST_STEPS)]
#: Key of a schedule -> the types that read it.
SCHEDULE_KEYS: Mapping[str, list[str]] = {
    key: [name for name, schedule in registered(SCHEDULES).items() if key in schedule.facts["reads"]]
    for key in ("warmup_steps", "final_factor", "patience", "stop_lr")
}


def _read_by(key: str) -> str:
    return ", ".join(f"`{name}`" for name in SCHEDULE_KEYS[key])


class ScheduleEntry(Strict):
    """The learning rate over the steps of a stage."""

    type: ScheduleType = Field("constant", description="what the rate does behind the warm-up; see below")
    warmup_steps: Warmup = Field(
        0,
        description="steps over which the rate rises; at most those of the stage. A scale may set another number "
        "(`scales`)",
    )
    final_factor: float = Field(0.0, ge=0, le=1, description=f"{_read_by('final_factor')}: last rate over first")
    patience: Count = Field(5, description=f"{_read_by('patience')}: validations without a better value")
    stop_lr: Rate | None = Field(
        None,
        description=f"{_read_by('stop_lr')}: the stage ends below this rate, which is below the optimiser's `lr`",
    )

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


M = TypeVar("M", EntryOf, OptimiserOf)


class StageEntry(Strict):
    """One training phase of a recipe. A kind's own parameters are keys too: `stage_model` has the schema of each."""

    #: Its subclasses are its forms, for what is said of an unknown key.
    forms: ClassVar[bool] = True

    name: Text = Field(description="how later stages of this recipe refer to it; no part of an id")
    kind: Annotated[Text, Words("kind of stage, or `package.module:Class`")] = Field(
        "supervised", description="how it trains what; see below, and `sebench list stages`"
    )
    model: Annotated[ModelName | None, Words(default="the cell's")] = Field(
        None, description="what is trained, or what the predictor listens to"
    )
    loss: Annotated[LossName | None, Words(default="the cell's")] = Field(None, description="with what loss")
    data: Annotated[str, Words(default="the first")] = Field(
        "", description="role of corpus and mixing, where the study names several"
    )
    init: dict[Submodule, Annotated[str, Words("stage")]] = Field(
        {},
        description='weights to start from, with the input statistics of a model that has them (`fcrn`); `""` is the '
        "whole model; the stage must stand earlier. `enhancer`: the frozen model of a stage of kind `predictor`; "
        '`predictor`: that of an `alternating` one, which needs both `""` and `predictor`',
    )
    freeze: Annotated[list[Annotated[Text, Words("submodule")]], EachOnce] = Field(
        [], description="what is not trained"
    )
    effort: float = Field(1.0, gt=0, le=1000, description="steps, as a multiple of the scale's")
    epochs: Count | None = Field(
        None, description="length in passes over the training set, each with a validation, instead of the scale's steps"
    )
    utterances: Literal["segments", "whole"] = Field(
        "segments",
        description="a batch is segments of the scale's length from random places, or whole utterances, padded",
    )
    optimiser: Optimiser = Field(Optimiser(), description="how the weights are updated; see below")
    schedule: ScheduleEntry = Field(ScheduleEntry(), description="the learning rate over the steps; see below")
    clip_norm: float | None = Field(5.0, gt=0, le=1e6, description="largest norm of the gradient; null: no clipping")
    augment: list[Augment] = Field([], description="changes of a training batch, in this order; see below")
    keep: Literal["best", "last"] = Field("best", description="which weights are published")
    precision: Precision = Field("32-true", description="of the model's forward pass; losses are computed in float32")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """For editors: a stage of one of sebench's own kinds, with that kind's keys, or of another, with any."""
        if cls is not StageEntry:
            return handler(core_schema)
        own = {name: stage_model(item) for name, item in items.registry(STAGE).items() if item.builtin}
        forms = []
        for name, model in own.items():
            forms.append(handler(model.__pydantic_core_schema__))
            form = handler.resolve_ref_schema(forms[-1])
            form["properties"]["kind"].update(const=name, default=name)
            if name != cls.model_fields["kind"].default:
                form["required"] = [*form["required"], "kind"]
        other = handler.resolve_ref_schema(handler(core_schema))
        other["additionalProperties"], other["required"] = True, [*other["required"], "kind"]
        other["properties"]["kind"]["not"] = {"enum": list(own)}
        return {"anyOf": [*forms, other]}

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
        shown_as = WithJsonSchema(param.annotation.json_schema())
        of: Any = Annotated[Any, AfterValidator(functools.partial(_own_value, param)), shown_as]
        of = {EntryOf: Text, OptimiserOf: Optimiser}.get(type(param.mark), of)
        default = ... if param.required else param.default
        fields[name] = (of, Field(default, description=param.meaning))
    return create_model(f"{item.cls}Entry", __base__=StageEntry, __module__=__name__, **fields)


def _own_value(param: Param, value: Any) -> Any:
    try:
        return param.validate(value)
    except ValueError as error:
        raise Mistake(f"found {shown(value)}", accepted=str(error)) from None


def _of_its_kind(value: Any, _: Any) -> Any:
    """A stage by the schema of its kind."""
    kind = value.get("kind", StageEntry.model_fields["kind"].default) if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return StageEntry.model_validate(value)
    try:
        item = items.find(STAGE, kind)
    except SourceError as error:
        raise Mistake(str(error), "kind") from None
    if item is None:
        found, accepted, _ = items.unknown(STAGE, kind)
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


Stage = Annotated[SerializeAsAny[StageEntry], WrapValidator(_of_its_kind), Words("stage")]


class RecipeEntry(Entry):
    """A chain of stages."""

    stages: list[Stage] = Field(
        min_length=1, description="in order, at least one; the last one's run is what the cell ends in"
    )


class Utterances(Strict):
    """Mixtures per split."""

    train: Count = Field(description="of the training set")
    valid: Count = Field(description="of the validation set")
    test: Count = Field(description="per test condition")


#: The largest machines have some 500.
Cores = Annotated[int, Field(ge=1, le=1024)]


class Amounts(Strict):
    """What a scale sets."""

    utterances: Utterances = Field(
        description="mixtures: `train` and `valid` in each set for training and validation, `test` per condition"
    )
    steps: Count = Field(description="training steps of a stage of `effort` 1")
    batch_size: Annotated[int, Field(ge=1, le=65536)] = Field(description="segments per step")
    segment_seconds: Seconds = Field(description="length of a training segment")
    validations: Count = Field(description="how often validation runs in a stage; at most its steps")
    warmup_steps: Annotated[Warmup | None, Words(default="the recipe's")] = Field(
        None,
        description="steps over which the rate rises, in stages whose schedule has a warm-up; at most the steps of "
        "each of them",
    )
    seeds: Annotated[int, Field(ge=1, le=1000)] = Field(description="runs per cell, seeds 0, 1, ...")
    threads: Cores = Field(
        1, description="intra-op threads of a run; part of its identity, since they change the last bits"
    )
    devices: Cores = Field(
        1,
        description="GPUs of one node (on the CPU: processes) that train one run together; part of a run's identity; "
        "must divide `batch_size`; stages of kind predictor and alternating train on one",
    )


class PartialUtterances(Strict):
    """Mixtures per split that a study sets for itself."""

    train: Count | None = Field(None, description="of the training set")
    valid: Count | None = Field(None, description="of the validation set")
    test: Count | None = Field(None, description="per test condition")


class StageAmounts(Strict):
    """What a study changes of one stage of its recipes."""

    epochs: Annotated[Count | None, Words(default="the stage's")] = Field(
        None, description="an error where the scale's `steps` are its length"
    )
    mixtures: Annotated[Count | None, Words(default="all")] = Field(
        None, description="of its training set, the first so many"
    )
    lr_factor: float = Field(1.0, gt=0, le=1e6, description="times its learning rates and its `stop_lr`")
    patience: Annotated[Count | None, Words(default="the stage's")] = Field(
        None, description=f"an error without {_read_by('patience')}"
    )
    hears: Annotated[Hears | None, Words(default="the stage's")] = Field(
        None, description="an error of a stage that trains no predictor"
    )


class StudyAmounts(Strict):
    """What a study changes of a scale."""

    utterances: PartialUtterances | None = Field(None, description="any of `train`, `valid`, `test`")
    steps: Count | None = Field(None, description="as of a scale")
    batch_size: Annotated[int, Field(ge=1, le=65536)] | None = Field(None, description="as of a scale")
    segment_seconds: Seconds | None = Field(None, description="as of a scale")
    max_seconds: Annotated[float | None, Words(default="the mixing's")] = Field(
        None,
        ge=0.1,
        le=600,
        description="of longer utterances only the beginning is mixed, in all sets that are not published ones",
    )
    validations: Count | None = Field(None, description="as of a scale")
    warmup_steps: Warmup | None = Field(None, description="as of a scale")
    seeds: Annotated[int, Field(ge=1, le=1000)] | None = Field(None, description="as of a scale")
    threads: Cores | None = Field(None, description="as of a scale")
    devices: Cores | None = Field(None, description="as of a scale")
    models: Annotated[dict[str, dict[str, Any]], Words("mapping model -> parameters")] = Field(
        {}, description="widths at this scale"
    )
    predictors: Annotated[dict[str, dict[str, Any]], Words("mapping predictor -> parameters")] = Field(
        {}, description="widths at this scale"
    )
    stages: dict[Annotated[str, Words("name of a stage")], Annotated[StageAmounts, Words("changes")]] = Field(
        {},
        description="what changes in stages of that name; a change that a stage would not heed is an error",
    )
    snr_db: Annotated[SnrsDb | None, Words(default="all")] = Field(
        None, min_length=1, description="those of the test SNRs that are computed at this scale"
    )
    lr_factor: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="times the learning rate of every stage: a few hundred steps need a larger one than the published "
        "hundred thousands. No rate may come above 10",
    )
    sweeps: Annotated[dict[Annotated[str, Words("swept parameter")], Points], Words(default="all")] = Field(
        {}, description="those of the parameter's values that are computed at this scale"
    )


class ScaleEntry(Entry, Amounts):
    """A scale: amounts under a name."""


Axis = Literal["model", "loss", "recipe", "seed"]
AxisValues = Annotated[list[Any], BeforeValidator(listed, json_schema_input_type=Any), Field(min_length=1), EachOnce]


_NAME = TypeAdapter(Text)
#: Axis whose values are no names -> what they are.
_AXES = {"seed": (TypeAdapter(Seed, config={"strict": True}), "a whole number from 0 to 4294967295")}
#: Axes of names, which a label may hold.
_NAMED = [axis for axis in get_args(Axis) if axis not in _AXES]
_BRACES = f"{', '.join(f'{{{axis}}}' for axis in _NAMED[:-1])} and {{{_NAMED[-1]}}}"


class GridBlock(Strict):
    """Cells: the product of `product`'s axes, times `zip`'s axes taken together."""

    product: Annotated[dict[Axis, AxisValues], Words("mapping axis -> name or list")] = Field(
        {}, description="every combination"
    )
    zip: Annotated[dict[Axis, AxisValues], Words("mapping axis -> list")] = Field(
        {}, description="taken together, first with first; lists of equal length"
    )
    label: Text = Field(
        "{model}({loss})",
        description="label of the row; `{model}`, `{loss}`, `{recipe}` stand for the entries' labels",
    )
    test: Literal["all", "ends", "none"] = Field(
        "all",
        description="which cells are enhanced and scored: all, of each sweep the first and the last value, or none; "
        "the others are trained only, for a choice",
    )

    @model_validator(mode="after")
    def _understood(self) -> GridBlock:
        try:
            fields = [part[1:] for part in string.Formatter().parse(self.label) if part[1] is not None]
        except ValueError as error:
            raise Mistake(f"{self.label!r}: {error}", "label", accepted=f"braces around {one_of(_NAMED)}") from None
        unknown = sorted({str(name) for name, _, _ in fields} - set(_NAMED))
        if unknown:
            found = f"a label with {choices(f'{{{name}}}' for name in unknown)}"
            raise Mistake(found, "label", accepted=_BRACES)
        if any(form or conversion for _, form, conversion in fields):
            found = f"{self.label!r} cannot be filled in"
            raise Mistake(found, "label", accepted=f"{_BRACES}, and nothing else in braces")
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


_MATCH = "cells that match all that are given are left out"


class Exclusion(Strict):
    """Cells that are left out, and why."""

    model: Annotated[ModelName | None, Words(default="any")] = Field(None, description=_MATCH)
    loss: Annotated[LossName | None, Words(default="any")] = Field(None, description=_MATCH)
    recipe: Annotated[RecipeName | None, Words(default="any")] = Field(None, description=_MATCH)
    reason: Prose = Field(description="stands in the plan and in the footer")

    @model_validator(mode="after")
    def _of_something(self) -> Exclusion:
        if self.model is None and self.loss is None and self.recipe is None:
            raise Mistake("nothing that is left out", accepted="at least one of model, loss, recipe")
        return self


class TestSet(Strict):
    """One test set of several."""

    data: Annotated[str, Words(default="the first role")] = Field("", description="role of its corpus")
    mixing: Annotated[Text | None, Words("mixing, or `none`", "the role's")] = Field(
        None, description="how it is mixed"
    )
    snr_db: SnrsDb = Field(
        [],
        description="a condition for each (`wsj0 5 dB`); empty: one condition, with SNRs as the mixing draws them",
    )
    part: Annotated[Names, Words("name or list")] = Field(
        [],
        description="a published test set, or the first of several that the corpus brings, taken as it is. Where it "
        "brings none a set is mixed instead; with `mixing: none` it is left out, and columns and tables that show "
        "nothing else with it",
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

    snr_db: SnrsDb = Field([], description="one test set per SNR; all of them hold the same scenes")
    data: Annotated[str, Words(default="the first role")] = Field(
        "", description="role of the corpus that is tested on"
    )
    sets: dict[Annotated[Text, Words("name")], Annotated[TestSet, Words("test set")]] = Field(
        {}, description="several test sets, instead of the two keys above"
    )

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

    by: Annotated[Text, Words("metric, or `loss`")] = Field(
        "loss", description="what validation measures, on the validation split, to choose the best weights"
    )


class ChoiceEntry(Strict):
    """The best member of a sweep on the validation set: a row that is trained already."""

    among: Annotated[Text, Words("loss with a sweep")] = Field(description="the grid must train it")
    model: Annotated[ModelName | None, Words(default="the only one")] = Field(
        None, description="where the grid trains the sweep with several"
    )
    recipe: Annotated[RecipeName | None, Words(default="the only one")] = Field(
        None, description="where the grid trains the sweep with several"
    )


class StudyEntry(Strict):
    """A study: a grid, its conditions and metrics, its tables, figures and claims."""

    title: Prose = Field(description="what it is, in words; stands above its plan")
    source: str = Field("", description="where the published table is from; stands in the footer")
    description: str = Field("", description="shown by `sebench list` and `sebench show`")
    corpus: Annotated[ByRole, Words("corpus, or mapping role -> corpus")] = Field(
        description="what is trained and tested on; stages and test sets name a role"
    )
    mixing: Annotated[ByRole, Words("mixing, or mapping role -> mixing")] = Field(
        description="one for all roles, or one for each role of `corpus`"
    )
    grid: list[Annotated[GridBlock, Words("block")]] = Field(min_length=1, description="the cells")
    exclude: list[Annotated[Exclusion, Words("exclusion")]] = Field([], description="cells that are left out, and why")
    conditions: Conditions = Field(description="the test sets")
    metrics: Annotated[Names, Field(min_length=1), Words("metric or list of metrics")] = Field(
        description="what every test set is scored by"
    )
    select: Annotated[Selection, Words(default="by the loss")] = Field(
        Selection(), description="how the best weights are chosen"
    )
    choices: dict[Label, Annotated[ChoiceEntry, Words("choice")]] = Field(
        {}, description="rows that are the best member of a sweep on the validation set"
    )
    external: dict[Label, Annotated[Text, Words("external model")]] = Field(
        {}, description="rows of models that others trained"
    )
    scales: dict[Annotated[str, Words("scale")], Annotated[StudyAmounts, Words("changes")]] = Field(
        {}, description="what this study changes of a scale"
    )
    tables: dict[Annotated[Text, Words("name")], Annotated[TableLayout, Words("table")]] = Field(
        {}, description="what is shown as numbers"
    )
    figures: dict[Annotated[Text, Words("name")], Annotated[FigureLayout, Words("figure")]] = Field(
        {}, description="what is shown as drawings"
    )
    claims: list[Annotated[ClaimLayout, Words("claim")]] = Field(
        [], description="orderings that the source states, judged on our numbers"
    )


class Settings(Strict):
    """`config/config.yaml`: what is run when nothing else is said."""

    study: Annotated[Names, Field(min_length=1), Words("name or list of names")] = Field(
        description="the studies that `snakemake`, `sebench run`, `plan` and `table` take"
    )
    scale: Annotated[Text, Words("name")] = Field("demo", description="the scale")
    corpus: Annotated[Text, Words("name")] | None = Field(
        None, description="replaces the corpus of a study, or all of them where it names several"
    )
    results: Annotated[PathText, Words("folder")] = Field(
        "results", description="root of the store; under any name, with spaces and quotes too"
    )
    python_path: Annotated[Names, Words("folder or list of folders")] = Field(
        [],
        description="where modules of one's own lie (`type: module:Class`), relative to the working folder; commands, "
        "jobs and workers find them there",
    )

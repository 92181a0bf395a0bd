"""What all schemas of the configuration share: strictness, and the kinds of value with their ranges.

Imports nothing heavy: the planner reads this, and so do steps.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)

from sebench.config.keys import Words
from sebench.config.source import SourceError
from sebench.errors import Mistake

#: Whole numbers above this are slips: the longest published trainings have some 10^7 steps.
MOST_STEPS = 100_000_000


class Strict(BaseModel):
    """Base: no unknown keys, no silent conversion of words to numbers, immutable, finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Spec(BaseModel):
    """Base of what a node carries."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfAKind(Strict):
    """Base of a schema that each kind of item has its own of: `type` names the kind, sebench's own or from outside.

    Attributes:
        item_kind: of item.
        attribute: of its class, with the schema of what is read here.
        default_type: where no `type` is given.
    """

    item_kind: ClassVar[str]
    attribute: ClassVar[str]
    default_type: ClassVar[str]

    @classmethod
    def for_value(cls, value: Any) -> type[OfAKind]:
        """The schema of the kind that a mapping names.

        Raises:
            Mistake: there is no such kind, or it cannot be used.
        """
        from sebench.config import items

        given = value.get("type", cls.default_type)
        if not isinstance(given, str):
            raise Mistake(f"found {given!r}", "type", accepted=f"the name of a kind of {cls.item_kind}")
        try:
            item = items.find(cls.item_kind, given)
            if item is None:
                found, accepted, near = items.unknown(cls.item_kind, given)
                raise Mistake(found, "type", accepted=accepted, nearest=near)
            schema: Any = getattr(items.imported(item), cls.attribute, None)
        except SourceError as error:
            raise Mistake(str(error), "type") from None
        if not isinstance(schema, type) or not issubclass(schema, cls):
            accepted = f"a subclass of {cls.__module__}.{cls.__name__}"
            raise Mistake(f"`{cls.attribute}` of {item.path} is {schema!r}", "type", accepted=accepted)
        return schema

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """For editors: the names of sebench's own kinds; further keys are the kind's."""
        from sebench.config import items

        schema = handler(core_schema)
        if "item_kind" in vars(cls):
            general = handler.resolve_ref_schema(schema)
            general["additionalProperties"] = True
            own = [name for name, item in items.registry(cls.item_kind).items() if item.builtin]
            named = general["properties"]["type"]
            named["anyOf"] = [{"enum": own}, {"type": named.pop("type")}]
        return schema

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_kind(cls, value: Any, handler: Any) -> Any:
        general = "item_kind" in vars(cls) and isinstance(value, dict)
        schema = cls.for_value(value) if general else cls
        return handler(value) if schema is cls else schema.model_validate(value)  # a kind may have no keys of its own


def listed(value: Any) -> Any:
    """A list, or one value that stands for a list of one."""
    return [value] if isinstance(value, (str, int, float)) else value


def by_label(value: Any) -> Any:
    """A mapping, or a list of names that are their own labels."""
    if not isinstance(value, list):
        return value
    labels = [label for label in value if isinstance(label, str)]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if len(labels) != len(value):
        raise Mistake(
            f"found a list with {next(v for v in value if not isinstance(v, str))!r}", accepted="a list of names"
        )
    if twice is not None:
        raise Mistake(f"{twice!r} stands twice in the list", accepted="each once, or a mapping from labels to names")
    return {label: label for label in labels}


def _visible(text: str) -> str:
    inside = text.strip()
    if not inside or any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in inside):
        raise Mistake(f"found {text!r}", accepted="text that can be seen, in one line")
    return text


def _each_once(values: list[Any]) -> list[Any]:
    for value in values:
        if values.count(value) > 1:
            told = f"{value:g}" if isinstance(value, float) else repr(value)
            raise Mistake(f"{told} stands twice", accepted="each once")
    return values


def _or_empty(text: str) -> str:
    return text if text == "" else _visible(text)


def _readable(text: str) -> str:
    for line in text.strip().split("\n"):
        if line.strip() or not text.strip():
            _visible(line)
    return text


#: Sentences and titles, over several lines too: never empty.
Prose = Annotated[str, AfterValidator(_readable)]
#: What people read as a name: never empty.
Text = Annotated[str, AfterValidator(_visible)]
#: The same where an empty text says that there is none.
OptionalText = Annotated[str, AfterValidator(_or_empty)]
EachOnce = AfterValidator(_each_once)
Names = Annotated[list[Text], BeforeValidator(listed, json_schema_input_type=list[Text] | Text), EachOnce]
ByLabel = Annotated[dict[Text, Text], BeforeValidator(by_label, json_schema_input_type=dict[Text, Text] | list[Text])]
Count = Annotated[int, Field(ge=1, le=MOST_STEPS)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Seconds = Annotated[float, Field(ge=0.01, le=3600)]
#: What is done with files that belong together and have not one length.
Align = Literal["cut", "pad"]
#: Names of entries, and what else a key may name.
ModelName = Annotated[Text, Words("model")]
LossName = Annotated[Text, Words("loss")]
RecipeName = Annotated[Text, Words("recipe")]
MetricName = Annotated[Text, Words("metric")]
RowName = Annotated[Text, Words("row")]
Label = Annotated[Text, Words("label")]
ItemType = Annotated[Text, Words("name or dotted path")]
MOST_RATE = 10.0
Rate = Annotated[float, Field(gt=0, le=MOST_RATE)]
SnrDb = Annotated[float, Field(ge=-60, le=100)]

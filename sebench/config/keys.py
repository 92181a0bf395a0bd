"""The keys of a schema as its table in config/README.md has them: type, default and meaning in a reader's words.

They come from the annotation, the default and the description of each field; `Words` says what these do not.
"""

from __future__ import annotations

import itertools
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import annotated_types
import pydantic
from pydantic.fields import FieldInfo

from sebench.config.annotations import EntryOf, OptimiserOf, Param

#: Bounds beyond this one only stop slips of the keyboard, and are not told.
LARGEST_TOLD = 100_000


@dataclass(frozen=True)
class Words:
    """Marks a type, in `Annotated`, with what the tables of keys call it.

    Args:
        type: what such a value is; several are this with an s.
        default: what is taken where the key is absent.
    """

    type: str = ""
    default: str = ""


@dataclass(frozen=True)
class Key:
    """One row of a table of keys.

    Args:
        name: as it stands in files.
        type, default, meaning: in words, as Markdown.
    """

    name: str
    type: str
    default: str
    meaning: str


def keys(model: type[pydantic.BaseModel], *, base: type[pydantic.BaseModel] | None = None) -> Iterator[Key]:
    """The keys of a schema, in order.

    Args:
        base: a schema whose keys are told elsewhere.
    """
    for name, field in model.model_fields.items():
        if base is None or name not in base.model_fields:
            told = type_words(field.annotation, field.metadata)
            if field.get_default() is not None and types.NoneType in typing.get_args(field.annotation):
                told += ", or null"
            yield Key(field.alias or name, told, _default(field), field.description or "")


def parameters(params: Iterable[Param]) -> Iterator[Key]:
    """The parameters of an item."""
    for param in params:
        default = "required" if param.required else default_words(param.default)
        yield Key(param.name, type_words(param.type), default, param.meaning.rstrip("."))


def table(found: Iterable[Key], heading: str = "key") -> Iterator[str]:
    """The rows as Markdown; those that follow each other and differ in name alone are one.

    Args:
        heading: of the first column.
    """
    yield f"| {heading} | type | default | meaning |"
    yield "|---|---|---|---|"
    for told, several in itertools.groupby(found, lambda key: (key.type, key.default, key.meaning)):
        names = ", ".join(f"`{key.name}`" for key in several)
        yield "| " + " | ".join(text.replace("|", r"\|") for text in (names, *told)) + " |"


def _default(field: FieldInfo) -> str:
    own = next((mark.default for mark in _marks(field.metadata) if isinstance(mark, Words) and mark.default), "")
    return own or ("required" if field.is_required() else default_words(field.get_default()))


def default_words(value: Any) -> str:
    """A default as Markdown."""
    if value is None:
        return "none"
    if isinstance(value, pydantic.BaseModel):
        given = value.model_dump(mode="json", exclude_defaults=True)
        return f"`{{ {', '.join(f'{k}: {_literal(v)}' for k, v in given.items())} }}`" if given else "its defaults"
    if isinstance(value, str | list | dict | tuple) and not value:
        return "empty"
    text = _literal(value)
    return text if isinstance(value, int | float) and not isinstance(value, bool) else f"`{text}`"


def _literal(value: Any) -> str:
    """As YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def type_words(annotation: Any, marks: Iterable[Any] = (), *, several: bool = False) -> str:
    """A type as Markdown: `Annotated[float, Field(gt=0, le=1)]` is "number above 0, at most 1".

    Args:
        marks: of the annotation, where it comes without them.
        several: whether the word is for several such values.
    """
    s = "s" if several else ""
    own = list(_marks(marks))
    if typing.get_origin(annotation) is typing.Annotated:
        return type_words(annotation.__origin__, (*annotation.__metadata__, *own), several=several)
    told = next(filter(None, map(_word, reversed(own))), "")
    if told:
        return told + s
    wider = next((mark.json_schema_input_type for mark in own if isinstance(mark, pydantic.BeforeValidator)), None)
    if typing.get_origin(wider) is not None:  # what stands in a file
        return type_words(wider)
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in inside)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_words(one, own, several=several) for one in inside if one is not types.NoneType)
    if origin in (list, tuple):
        shortest = {mark.min_length for mark in own if isinstance(mark, annotated_types.MinLen)}
        longest = {mark.max_length for mark in own if isinstance(mark, annotated_types.MaxLen)}
        lengths = {len(inside)} if origin is tuple and inside[-1] is not Ellipsis else shortest & longest
        return f"list{s} of " + "".join(f"{length} " for length in lengths) + type_words(inside[0], several=True)
    if origin is dict:
        return f"mapping{s}" if inside[1] is Any else f"mapping{s} {_members(annotation)}"
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return f"mapping{s}"
    if annotation is bool:
        return "`true`, `false`"
    return f"{ {str: 'text', int: 'integer', float: 'number'}[annotation] }{s}{_bounds(own)}"


def _word(mark: Any) -> str:
    """What a mark calls a type."""
    if isinstance(mark, EntryOf):
        return mark.kind
    return "optimiser" if isinstance(mark, OptimiserOf) else mark.type if isinstance(mark, Words) else ""


def _members(mapping: Any) -> str:
    """What a mapping maps to what, mappings in it too."""
    key, value = typing.get_args(mapping)
    while typing.get_origin(value) is typing.Annotated and typing.get_origin(value.__origin__) is dict:
        value = value.__origin__
    inner = typing.get_origin(value) is dict and typing.get_args(value)[1] is not Any
    return f"{type_words(key)} -> {_members(value) if inner else type_words(value)}"


def _marks(marks: Iterable[Any]) -> Iterator[Any]:
    for mark in marks:
        if isinstance(mark, FieldInfo):
            yield from _marks(mark.metadata)
        elif isinstance(mark, annotated_types.GroupedMetadata):
            yield from mark
        else:
            yield mark


def _bounds(marks: Iterable[Any]) -> str:
    """ ", 0 to 1", " above 0, at most 1", and the like."""
    low, high = "", ""
    for mark in marks:
        for kind, bound in ((k, getattr(mark, k, None)) for k in ("ge", "gt", "le", "lt")):
            if isinstance(bound, int | float) and abs(bound) <= LARGEST_TOLD:
                told = f"{bound:g}"
                low = {"ge": told, "gt": f"above {told}"}.get(kind, low)
                high = {"le": told, "lt": f"below {told}"}.get(kind, high)
    if low and high:
        return f", {low} to {high}"
    if low.startswith("above"):
        return f" {low}"
    return f", at least {low}" if low else f", at most {high}".replace("at most below", "below") if high else ""

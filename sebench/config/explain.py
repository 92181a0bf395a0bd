"""What pydantic finds in an entry, as problems in a reader's words: file and line, what was found, what is accepted."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from sebench.config.base import OfAKind
from sebench.config.yaml_lines import Document, Location
from sebench.errors import Mistake, Problem, choices, nearest

#: kind of error -> what is accepted; `{x}` is filled from pydantic's context.
WORDS: Mapping[str, str] = {
    "string_type": "text, in quotes where it looks like something else",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number that is not that large",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "at most {le}",
    "union_tag_not_found": "one of the types {expected_tags}",
    "union_tag_invalid": "{expected_tags}",
    "literal_error": "{expected}",
}


def explain(error: pydantic.ValidationError, model: Any, document: Document, location: Location) -> Iterator[Problem]:
    """All mistakes of an entry, one for each place: what the members of a union say of it is one sentence.

    Args:
        error: pydantic's.
        model: that refused it.
        location: of the entry in the document.
    """
    found: dict[Location, list[tuple[bool, Problem]]] = {}
    details, entry = error.errors(), _value(document.data, location)
    misspelt = set(_misspelt(details))
    for detail in details:
        if detail["type"] == "missing" and detail["loc"] in misspelt:
            continue
        loc = _real_location(document.data, location, detail["loc"], detail["type"] == "missing")
        mistake = detail.get("ctx", {}).get("error")
        if isinstance(mistake, Mistake):
            loc = (*loc, *mistake.keys)
        problem = _problem(detail, loc, model, document, entry)
        found.setdefault(loc, []).append((isinstance(mistake, Mistake), problem))
    for told in found.values():
        first = next((problem for exact, problem in told if exact), told[0][1])
        accepted = dict.fromkeys(problem.accepted for _, problem in told if problem.found == first.found)
        yield Problem(first.where, first.key, first.found, " or ".join(filter(None, accepted)), first.nearest)


def _misspelt(details: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Keys that are absent for standing there by another name: that is told of the other name."""
    at: dict[tuple[Any, ...], tuple[list[str], list[str]]] = {}
    for detail in details:
        if detail["type"] in ("missing", "extra_forbidden"):
            absent, unknown = at.setdefault(detail["loc"][:-1], ([], []))
            (absent if detail["type"] == "missing" else unknown).append(str(detail["loc"][-1]))
    for parent, (absent, unknown) in at.items():
        like = absent if len(absent) <= len(unknown) else [nearest(name, absent) for name in unknown]
        yield from ((*parent, name) for name in like)


def in_words(detail: Any) -> str:
    """What is accepted instead of what pydantic found."""
    context = dict(detail.get("ctx", {}))
    for name in ("gt", "ge", "lt", "le"):
        if isinstance(context.get(name), float):
            context[name] = f"{context[name]:g}"
    kind = detail["type"]
    if kind in ("too_short", "too_long"):
        bound = "at least" if kind == "too_short" else "at most"
        count = context["min_length" if kind == "too_short" else "max_length"]
        return f"{bound} {count} {'entry' if count == 1 else 'entries'}"
    if kind in WORDS:
        return WORDS[kind].format(**context)
    return str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")


def shown(value: Any) -> str:
    """What was found, in few words."""
    if value is None:
        return "nothing"
    if isinstance(value, (dict, pydantic.BaseModel)):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)) and not value:
        return "an empty list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else ("a list" if isinstance(value, (list, tuple)) else f"{text[:56]}...")


def _problem(detail: Any, loc: Location, model: Any, document: Document, entry: Any) -> Problem:
    where, key = document.where(loc), ".".join(str(part) for part in loc) or "the file"
    mistake = detail.get("ctx", {}).get("error")
    if isinstance(mistake, Mistake):
        return Problem(where, key, mistake.found, mistake.accepted, mistake.nearest)
    if detail["type"] == "extra_forbidden":
        accepted = _fields_at(model, detail["loc"][:-1], entry)
        name = str(detail["loc"][-1])
        return Problem(where, key, f"unknown key {name!r}", choices(accepted, name), nearest(name, accepted))
    if detail["type"] == "missing":
        return Problem(where, key, "required and absent", _field_note(model, detail["loc"], entry))
    if isinstance(detail.get("ctx", {}).get("error"), ValueError):  # a sentence, which says what is accepted
        return Problem(where, key, in_words(detail))
    found = detail["input"]
    near, accepted_words = "", in_words(detail)
    if detail["type"] in ("literal_error", "union_tag_invalid"):
        context = detail["ctx"]
        given = str(context.get("tag", found))
        known = str(context.get("expected") or context["expected_tags"]).replace(" or ", ", ").split(", ")
        near = nearest(given, [name.strip("'") for name in known])
        if "tag" in context:
            where, key, found = document.where((*loc, "type")), f"{key}.type", given
    if detail["type"] == "model_type" and detail["loc"] and detail["loc"][-1] == "[key]":
        found = detail["loc"][-2]
    return Problem(where, key, f"found {shown(found)}", accepted_words, near)


def _value(data: Any, location: Location) -> Any:
    """What stands at a location; None where nothing does."""
    for part in location:
        data = data[part] if isinstance(data, dict) and part in data else None
    return data


def _real_location(data: Any, base: Location, loc: tuple[Any, ...], missing: bool) -> Location:
    """Drop the parts of a pydantic location that name union members instead of keys; the last one may be missing."""
    value = _value(data, base)
    result: list[str | int | float] = list(base)
    for position, part in enumerate(loc):
        if part == "[key]":
            continue
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            value = value[part]
        elif not missing or position != len(loc) - 1:
            continue
        result.append(part)
    return tuple(result)


def _at(model: Any, loc: tuple[Any, ...], value: Any) -> list[type[pydantic.BaseModel]]:
    """The schemas that may stand at a location below a schema.

    Args:
        value: what the schema was to read.
    """
    current: list[Any] = [model]
    for part in loc:
        following: list[Any] = []
        for candidate in (_of_kind(candidate, value) for candidate in current):
            if isinstance(candidate, _Member):
                following.append(candidate.schema)
            elif _is_model(candidate) and part in candidate.model_fields:
                following.extend(_unwrap(candidate.model_fields[part].annotation))
            elif not _is_model(candidate) or not isinstance(part, str) or not _tagged(candidate, part, current):
                following.append(candidate)
        inside = isinstance(value, dict) or (isinstance(value, list) and isinstance(part, int) and part < len(value))
        if inside and (not isinstance(value, dict) or part in value):
            value = value[part]
        current = following
    return [candidate for candidate in (_of_kind(candidate, value) for candidate in current) if _is_model(candidate)]


@dataclass(frozen=True)
class _Member:
    """The schema of what stands in a mapping under names that people choose."""

    schema: Any


def _of_kind(candidate: Any, value: Any) -> Any:
    """The schema of the kind that a mapping names, where each kind has a schema of its own."""
    if _is_model(candidate) and issubclass(candidate, OfAKind) and isinstance(value, dict):
        try:
            return candidate.for_value(value) if "item_kind" in vars(candidate) else candidate
        except Mistake:
            return candidate
    return candidate


def _fields_at(model: Any, loc: tuple[Any, ...], value: Any) -> list[str]:
    return list(dict.fromkeys(name for candidate in _at(model, loc, value) for name in _keys(candidate)))


def _keys(model: type[pydantic.BaseModel]) -> list[str]:
    """A model's keys as they stand in files."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, pydantic.BaseModel)


def _tagged(candidate: type[pydantic.BaseModel], tag: str, members: list[Any]) -> bool:
    """Whether a tag names another member of a union than this one."""

    def of(member: Any) -> bool:
        field = member.model_fields.get("type") if _is_model(member) else None
        return field is not None and tag in typing.get_args(field.annotation)

    return any(of(member) for member in members) and not of(candidate)


def _unwrap(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is dict:
        return [_Member(leaf) for leaf in _unwrap(typing.get_args(annotation)[1])]
    if origin in (typing.Union, types.UnionType, typing.Annotated, list, tuple):
        return [leaf for argument in typing.get_args(annotation) for leaf in _unwrap(argument)]
    forms = annotation.__subclasses__() if getattr(annotation, "forms", False) else []
    return [annotation, *forms]


def _field_note(model: Any, loc: tuple[Any, ...], value: Any) -> str:
    """What the absent key is for."""
    fields = (candidate.model_fields.get(loc[-1]) for candidate in _at(model, loc[:-1], value))
    return next((str(field.description) for field in fields if field is not None and field.description), "")

"""A parameter of an item: its annotation as a type, the values that it takes, and both in a reader's words."""

from __future__ import annotations

import ast
import functools
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import annotated_types
import pydantic


@dataclass(frozen=True)
class EntryOf:
    """Marks a parameter that a recipe gives as the name of an entry, and the item gets as that entry's description.

    Args:
        kind: of item.
    """

    kind: str


@dataclass(frozen=True)
class OptimiserOf:
    """Marks a parameter that is the settings of an optimiser.

    Args:
        network: whose weights it updates.
    """

    network: str


_NAMESPACE = {
    **{t.__name__: t for t in (float, int, bool, str, tuple, list, dict)},
    **{n: getattr(annotated_types, n) for n in ("Ge", "Gt", "Le", "Lt", "Interval", "MinLen", "MaxLen", "MultipleOf")},
    "Annotated": typing.Annotated,
    "Literal": typing.Literal,
    "EntryOf": EntryOf,
    "Mapping": Mapping,
    "OptimiserOf": OptimiserOf,
    "None": None,
    "Any": Any,
}


@dataclass(frozen=True)
class Param:
    """One keyword of an item's `__init__`.

    Args:
        annotation: its type.
        text: the annotation as it stands in the source.
        meaning: what the docstring of its class or of a base says of it, under `Args:`.
    """

    name: str
    annotation: Any
    text: str
    default: Any = None
    required: bool = False
    meaning: str = ""

    def validate(self, value: Any) -> Any:
        """The value as its type, JSON-able.

        Raises:
            ValueError: with what is accepted.
        """
        adapter = adapter_of(self.text)
        try:
            found = adapter.dump_python(adapter.validate_json(json.dumps(value), strict=True), mode="json")
        except (pydantic.ValidationError, TypeError, ValueError):
            raise ValueError(self.words) from None
        if not _sensible(found):
            raise ValueError(f"{self.words}; no number beyond {LARGEST:g}")
        return found

    @functools.cached_property
    def whole(self) -> bool:
        """Whether it takes whole numbers and no others."""
        return bool(adapter_of(self.text).json_schema().get("type") == "integer")

    @property
    def mark(self) -> EntryOf | OptimiserOf | None:
        """Of a parameter that is more than its value."""
        return next((mark for mark in _marks(self.text) if isinstance(mark, (EntryOf, OptimiserOf))), None)

    @property
    def type(self) -> Any:
        """Its type, with the marks of `Annotated`."""
        return _evaluated(self.text)

    @property
    def words(self) -> str:
        """What is accepted."""
        return words(ast.parse(self.text, mode="eval").body)


#: No width, weight or length of a signal is larger.
LARGEST = 1e9


def _sensible(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 1000 and all(map(_sensible, value))
    return not isinstance(value, (int, float)) or abs(value) <= LARGEST


_TYPES = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "text", "None": "null"}
_LISTS = {"float": "numbers", "int": "whole numbers", "str": "words"}
_BOUNDS = {"Ge": "at least", "Gt": "above", "Le": "at most", "Lt": "below", "MultipleOf": "a multiple of"}


def words(node: ast.expr) -> str:
    """An annotation in a reader's words: `Annotated[float, Gt(0), Le(1)]` is 'a number above 0, at most 1'."""
    if isinstance(node, ast.BinOp):
        return f"{words(node.left)} or {words(node.right)}"
    if isinstance(node, ast.Subscript):
        head = ast.unparse(node.value)
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if head == "Literal":
            return ", ".join(map(ast.unparse, inside))
        if head == "Annotated":
            for call in inside[1:]:
                if ast.unparse(call).startswith("EntryOf("):
                    return f"the name of a {_marks(ast.unparse(node))[0].kind} entry"
                if ast.unparse(call).startswith("OptimiserOf("):
                    return f"the settings of the {_marks(ast.unparse(node))[0].network}'s optimiser"
            calls = [part for part in inside[1:] if isinstance(part, ast.Call) and part.args]
            known = [(_BOUNDS.get(ast.unparse(call.func)), ast.unparse(call.args[0])) for call in calls]
            bounds = ", ".join(f"{what} {value}" for what, value in known if what)
            return f"{words(inside[0])} {bounds}".rstrip()
        if head in ("tuple", "list"):
            many = isinstance(inside[-1], ast.Constant) or head == "list"
            of = _LISTS.get(ast.unparse(inside[0]), f"values, each {words(inside[0])}")
            return f"a list of {of}" if many else f"a list of {len(inside)}: {', '.join(map(words, inside))}"
    text = ast.unparse(node)
    return _TYPES.get(text, text)


@functools.lru_cache(maxsize=4096)
def _marks(text: str) -> tuple[Any, ...]:
    return getattr(_evaluated(text), "__metadata__", ())


def _evaluated(text: str) -> Any:
    return eval(text, {"__builtins__": {}}, dict(_NAMESPACE))


@functools.lru_cache(maxsize=4096)
def adapter_of(text: str) -> pydantic.TypeAdapter[Any]:
    """The type that an annotation's text stands for; raises what its evaluation raises."""
    return pydantic.TypeAdapter(_evaluated(text))

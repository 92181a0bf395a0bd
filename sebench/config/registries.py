"""Words that a key accepts, where other modules say what each does: a mapping from words to code, or a tuple of words.

They are read from source text: `config` imports neither torch nor NumPy. Schema, messages, JSON schemas and the tables
of config/README.md have them from here.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sebench.config.classes import literals
from sebench.config.source import SourceError, read_module

OPTIMISERS = "training.optimisers:OPTIMISERS"
SCHEDULES = "training.schedules:SCHEDULES"
AUGMENTATIONS = "training.augment:AUGMENTATIONS"
PRECISIONS = "training.device:PRECISIONS"
MEASURES = "synthesis.levels:MEASURES"


@dataclass(frozen=True)
class Registered:
    """What is known of one word.

    Args:
        title: first paragraph of the docstring of the code that it stands for.
        facts: literals among the attributes of a class.
    """

    title: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def accepted(place: str) -> Any:
    """The type of a key that takes one of the words."""
    return Literal[tuple(registered(place))]


@functools.cache
def registered(place: str) -> Mapping[str, Registered]:
    """The words of a registry, in order.

    Args:
        place: `module:NAME` below `sebench`: a mapping or a tuple with literal words. A value that calls something with
            the code (`Augmentation(remix)`) stands for that code.

    Raises:
        SourceError: there is no such mapping or tuple.
    """
    module_name, _, name = place.partition(":")
    module = read_module(f"sebench.{module_name}")
    statement = module.definitions.get(name) if module is not None else None
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    if module is not None and isinstance(value, ast.Dict):
        words = [ast.literal_eval(key) for key in value.keys if key is not None]
        return {word: _described(module.definitions, code) for word, code in zip(words, value.values, strict=True)}
    if isinstance(value, ast.Tuple):
        return {word: Registered() for word in ast.literal_eval(value)}
    raise SourceError(f"sebench.{module_name} has no mapping or tuple {name}")


def _described(definitions: Mapping[str, ast.stmt], code: ast.expr) -> Registered:
    while isinstance(code, ast.Call) and code.args:
        code = code.args[0]
    found = definitions.get(code.id) if isinstance(code, ast.Name) else None
    if not isinstance(found, (ast.ClassDef, ast.FunctionDef)):
        return Registered()
    title = (ast.get_docstring(found) or "").partition("\n\n")[0]
    return Registered(" ".join(title.split()), literals(found) if isinstance(found, ast.ClassDef) else {})

"""Relations of an item's parameters that must hold together: what its `requires` says."""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Iterator, Mapping
from typing import Any

from sebench.config.classes import Item, ItemError
from sebench.config.facts import Facts
from sebench.errors import choices


def broken_requirements(item: Item[Facts], params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(relation, values of its parameters) of what an item requires of its parameters together and does not get.

    Args:
        params: those that are given, of the right types; the others have their defaults.

    Raises:
        ItemError: a requirement is not a comparison of parameters and whole numbers.
    """
    values = {name: params.get(name, param.default) for name, param in item.params.items()}
    for text in item.facts.requires:
        names, code = _relation(item.path, text)
        if not names <= set(values):  # of a base class whose parameter this one fixes
            continue
        if any(values[name] is None for name in names) and " is " not in text:
            continue
        try:
            holds = eval(code, {"__builtins__": _FUNCTIONS}, {name: values[name] for name in names})
        except ArithmeticError:
            holds = False
        except (TypeError, ValueError) as error:
            raise ItemError(f"{item.path}: `requires` {text!r} cannot be computed: {error}") from None
        if not holds:
            yield text, ", ".join(f"{name} {values[name]}" for name in values if name in names)


_FUNCTIONS = {"min": min, "max": max, "len": len, "all": all, "any": any}
_RELATION = (
    *(ast.Expression, ast.Compare, ast.Name, ast.Load, ast.Store, ast.Constant, ast.BinOp, ast.BoolOp, ast.Or, ast.And),
    *(ast.cmpop, ast.Add, ast.Sub, ast.Mult, ast.Mod, ast.FloorDiv, ast.Call, ast.GeneratorExp, ast.comprehension),
    ast.Tuple,
)


@functools.lru_cache(maxsize=512)
def _relation(path: str, text: str) -> tuple[frozenset[str], types.CodeType]:
    """Parameters of a relation, and its code."""
    try:
        tree = ast.parse(text, mode="eval")
        strange = [type(node).__name__ for node in ast.walk(tree) if not isinstance(node, _RELATION)]
        if strange:
            raise ValueError(f"{strange[0]} is not for a relation of parameters")
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        if not set(calls) <= set(_FUNCTIONS):
            raise ValueError(f"a call of {choices(calls)}; accepted: {', '.join(_FUNCTIONS)}")
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        bound = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(_FUNCTIONS)
        return frozenset(node.id for node in names) - bound, compile(tree, text, "eval")
    except (SyntaxError, ValueError, TypeError) as error:
        raise ItemError(f"{path}: `requires` {text!r} is not understood: {error}") from None

"""Parameters of a degradation that are drawn for each mixture: their forms, and their ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sebench.config.annotations import Param
from sebench.config.classes import Item
from sebench.config.facts import Facts

if TYPE_CHECKING:
    import numpy as np

FORMS = "or a distribution of such: { uniform: [lowest, highest] } or { choice: [values] }"


def ends(value: Any) -> list[Any]:
    """What a parameter can be: the ends of a uniform distribution, all values of a choice, else the value itself.

    Raises:
        ValueError: a distribution that is none.
    """
    if not isinstance(value, dict):
        return [value]
    form, values = next(iter(value.items())) if len(value) == 1 else ("", None)
    if not isinstance(values, list) or not values or form not in ("uniform", "choice"):
        raise ValueError("found a mapping")
    if form == "uniform":
        if len(values) != 2 or any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in values):
            raise ValueError(f"found {values!r}")
        if values[0] > values[1]:
            raise ValueError(f"lowest value {values[0]:g} is above highest value {values[1]:g}")
    return values


def validated(param: Param, value: Any) -> Any:
    """A parameter's value or distribution, each value as its type.

    Raises:
        ValueError: with what is accepted.
    """
    try:
        checked = [param.validate(each) for each in ends(value)]
    except ValueError as error:
        raise ValueError(f"{param.words}, {FORMS}") from error
    return {next(iter(value)): checked} if isinstance(value, dict) else checked[0]


def corners(item: Item[Facts], params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All combinations of the ends of what can be drawn."""
    given = {name: ends(value) for name, value in params.items() if name in item.params}
    for values in itertools.product(*given.values()):
        yield dict(zip(given, values, strict=True))


def draw(param: Param, value: Any, rng: np.random.Generator) -> Any:
    """One value of a parameter. What is given as a value takes nothing from the generator."""
    values = ends(value)
    if not isinstance(value, dict):
        return value
    if "choice" in value:
        return values[int(rng.integers(len(values)))]
    if param.whole:
        return int(rng.integers(values[0], values[1], endpoint=True))
    # What a reader of the table sees is what is used.
    return min(max(float(f"{rng.uniform(*values):.6g}"), values[0]), values[1])

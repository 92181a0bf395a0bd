"""A study's grid: blocks of product and zip axes, exclusions with reasons, cells with labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sebench.config import items
from sebench.config.load import Config, Named
from sebench.errors import ConfigError, Problem, nearest
from sebench.plan.resolve import loss_problems, raise_problems


@dataclass(frozen=True)
class Cell:
    """One row of a grid, for one seed."""

    label: str
    model: str
    loss: str
    recipe: str
    seed: int


@dataclass(frozen=True)
class Excluded:
    """A cell that the study leaves out, and why."""

    label: str
    reason: str


def expand(config: Config, study: Named, seeds: int) -> tuple[list[Cell], list[Excluded]]:
    """All cells of a study in the order of its blocks.

    Raises:
        ConfigError: a cell whose loss needs what its model cannot give, with the line that asks for it.
    """
    cells: dict[Cell, None] = {}
    excluded: dict[Excluded, None] = {}
    problems: list[Problem] = []
    checked: set[tuple[str, str, str]] = set()
    for index, block in enumerate(study.entry.grid):
        for point in _points(block):
            model, loss, recipe = (str(point[axis]) for axis in ("model", "loss", "recipe"))
            label = _label(config, block.label, model, loss, recipe)
            reason = _exclusion(study.entry.exclude, point)
            if reason is not None:
                excluded[Excluded(label, reason)] = None
                continue
            if (model, loss, recipe) not in checked:
                checked.add((model, loss, recipe))
                problems.extend(_cell_problems(config, study, index, model, loss, recipe))
            chosen = [int(point["seed"])] if "seed" in point else range(seeds)
            for seed in chosen:
                cells[Cell(label, model, loss, recipe, seed)] = None
    raise_problems(problems)
    _check_labels(study, list(cells))
    return list(cells), list(excluded)


def _points(block: Any) -> Iterator[dict[str, str | int]]:
    names = list(block.product)
    zipped = [dict(zip(block.zip, values, strict=True)) for values in zip(*block.zip.values(), strict=True)] or [{}]
    for values in itertools.product(*block.product.values()):
        for together in zipped:
            yield {**dict(zip(names, values, strict=True)), **together}


def _label(config: Config, template: str, model: str, loss: str, recipe: str) -> str:
    return template.format(
        model=config.get("models", model).label,
        loss=config.get("losses", loss).label,
        recipe=config.get("recipes", recipe).label,
    )


def _exclusion(exclusions: list[Any], point: dict[str, str | int]) -> str | None:
    for exclusion in exclusions:
        given = {axis: getattr(exclusion, axis) for axis in ("model", "loss", "recipe")}
        if all(value is None or value == point[axis] for axis, value in given.items()):
            return str(exclusion.reason)
    return None


def _cell_problems(config: Config, study: Named, block: int, model: str, loss: str, recipe: str) -> Iterator[Problem]:
    where = study.where("grid", block)
    for stage in config.get("recipes", recipe).entry.stages:
        named = config.get("models", stage.model or model)
        key = f"{study.name}.grid.{block} ({model}, {loss}, {recipe}: stage {stage.name})"
        if stage.data and stage.data not in study.entry.corpus:
            roles = [role for role in study.entry.corpus if role]
            found = f"the stage trains on {stage.data!r}, which this study's corpora do not have"
            yield Problem(where, key, found, ", ".join(roles) or "no `data:`", nearest(stage.data, roles))
        item = items.find("model", named.entry.type)
        parts = [] if item is None else list(item.submodules)
        for module in (*stage.init, *stage.freeze):
            if module and module.partition(".")[0] not in parts:
                found = f"model {named.name!r} has no submodule {module!r}"
                yield Problem(where, key, found, ", ".join(["'' for the whole model", *parts]), nearest(module, parts))
        yield from loss_problems(config, stage.loss or loss, named, where, key)


def _check_labels(study: Named, cells: list[Cell]) -> None:
    """Two different cells with one label would be averaged as if they were seeds of one row."""
    owners: dict[str, tuple[str, str, str]] = {}
    for cell in cells:
        what = (cell.model, cell.loss, cell.recipe)
        if owners.setdefault(cell.label, what) != what:
            found = f"{owners[cell.label]} and {what} have the same label {cell.label!r}"
            raise ConfigError(
                [Problem(study.where("grid"), f"{study.name}.grid", found, "a `label:` that tells them apart")]
            )

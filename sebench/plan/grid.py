"""A study's grid: blocks of product and zip axes, exclusions with reasons, cells with labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sebench.config import items
from sebench.config.annotations import OptimiserOf
from sebench.config.base import MOST_RATE
from sebench.config.entries import Config, Named
from sebench.config.facts import MODEL, ModelFacts
from sebench.config.schema import Amounts, GridBlock, StageAmounts, StageEntry, StudyAmounts, point_name
from sebench.errors import ConfigError, Problem, choices, nearest
from sebench.plan.resolve import loss_problems, raise_problems

#: What tables and figures call signals that no model has touched.
RESERVED = ("Noisy", "noisy", "clean")


@dataclass(frozen=True)
class Cell:
    """One row of a grid, for one seed.

    Args:
        tested: whether it is enhanced and scored, or only trained, for a sweep to choose from.
    """

    label: str
    model: str
    loss: str
    recipe: str
    seed: int
    tested: bool = True


@dataclass(frozen=True)
class Excluded:
    """A row that the study leaves out, and why.

    Args:
        reason: stands in tables.
        hint: what can be done about it here; for the plan alone.
    """

    label: str
    reason: str
    hint: str = ""


def expand(
    config: Config, study: Named, seeds: int, thinned: Mapping[str, Sequence[float | str]] | None = None
) -> tuple[list[Cell], list[Excluded]]:
    """All cells of a study in the order of its blocks.

    Args:
        seeds: of a cell whose block names none.
        thinned: swept parameter -> those of its values that are wanted.

    Raises:
        ConfigError: a cell whose loss needs what its model cannot give, with the line that asks for it.
    """
    cells: dict[tuple[str | int, ...], Cell] = {}
    excluded: dict[Excluded, None] = {}
    problems: list[Problem] = []
    checked: set[tuple[str, str, str]] = set()
    blocks: dict[tuple[str, str, str, str], int] = {}
    for index, block in enumerate(study.entry.grid):
        for point in _points(block):
            family = str(point["loss"])
            wanted = members(config, family, thinned or {})
            for member in wanted:
                model, loss, recipe = str(point["model"]), member.name, str(point["recipe"])
                label = _label(config, block.label, model, loss, recipe)
                reason = _exclusion(study.entry.exclude, {**point, "loss": loss}, family)
                if reason is not None:
                    excluded[Excluded(label, reason)] = None
                    continue
                if (model, loss, recipe) not in checked:
                    checked.add((model, loss, recipe))
                    problems.extend(_cell_problems(config, study, index, model, loss, recipe))
                blocks.setdefault((label, model, loss, recipe), index)
                chosen = [int(point["seed"])] if "seed" in point else range(seeds)
                for seed in chosen:
                    key = (label, model, loss, recipe, seed)
                    before = cells.get(key)
                    tested = _tested(block, member, wanted) or (before is not None and before.tested)
                    cells[key] = Cell(label, model, loss, recipe, seed, tested)
    problems.extend(_idle_exclusions(config, study))
    if not cells and not problems:
        found = f"nothing is left: all {len(excluded)} rows are excluded"
        problems.append(Problem(study.where("exclude"), f"{study.name}.exclude", found, "at least one row"))
    raise_problems(list(dict.fromkeys(problems)))
    _check_labels(study, blocks)
    return list(cells.values()), list(excluded)


def members(config: Config, loss: str, thinned: Mapping[str, Sequence[float | str]]) -> list[Named]:
    """The losses that an entry stands for, at a scale that computes only some values of a sweep."""
    sweep = config.get("losses", loss).entry.sweep
    kept = {point_name(point) for axis in sweep for point in thinned.get(axis, sweep[axis])}
    return [named for named in config.members(loss) if not sweep or named.value in kept]


def _tested(block: GridBlock, member: Named, wanted: Sequence[Named]) -> bool:
    """Whether a block has a loss enhanced and scored; the ends are those of the values that the scale computes."""
    return block.test == "all" or (block.test == "ends" and member in (wanted[0], wanted[-1]))


def length(stage: StageEntry, amounts: Amounts, own: StageAmounts, rows: int) -> tuple[int, int]:
    """Steps of a stage, and after how many each validation comes.

    Args:
        own: what the study changes of this stage at this scale.
        rows: of the training set.
    """
    epochs = own.epochs or stage.epochs
    if epochs is None:
        steps = max(1, round(amounts.steps * stage.effort))
        return steps, max(1, -(-steps // amounts.validations))
    per_epoch = -(-(own.mixtures or rows) // amounts.batch_size)
    return epochs * per_epoch, per_epoch


def warmup(stage: StageEntry, amounts: Amounts) -> int:
    """Steps over which a stage's rate rises: its own, or the scale's where it has any."""
    own = stage.schedule.warmup_steps
    return amounts.warmup_steps if own and amounts.warmup_steps is not None else own


def amount_problems(
    config: Config, study: Named, cells: Sequence[Cell], amounts: Amounts, changes: StudyAmounts, scale: str
) -> Iterator[Problem]:
    """Stages that are too short at a scale for their warm-up or for its validations."""
    for name in dict.fromkeys(cell.recipe for cell in cells):
        recipe = config.get("recipes", name)
        for index, stage in enumerate(recipe.entry.stages):
            own = changes.stages.get(stage.name, StageAmounts())
            steps, _ = length(stage, amounts, own, amounts.utterances.train)
            if warmup(stage, amounts) > steps:
                where, key = _warmup_place(config, study, recipe, index, amounts, changes, scale)
                found = f"a warm-up of {warmup(stage, amounts)} steps in a stage of {steps}"
                of = f"stage {stage.name!r} of recipe {name!r}, study {study.name!r}, scale {scale!r}"
                accepted = f"at most {steps}, here or as `warmup_steps` of the scale"
                yield Problem(where, key, f"{found} ({of})", accepted)
            if stage.epochs is None and amounts.validations > steps:
                found = f"{amounts.validations} validations in a stage of {steps} steps (scale {scale!r})"
                where, key = recipe.where("stages", index), f"{name}.stages.{index}"
                yield Problem(where, key, found, f"at most {steps} validations")


def _warmup_place(
    config: Config, study: Named, recipe: Named, index: int, amounts: Amounts, changes: StudyAmounts, scale: str
) -> tuple[str, str]:
    """Where a stage's warm-up is from: file and line, and the key."""
    keys: tuple[str | int, ...]
    if changes.warmup_steps is not None:
        named, keys = study, ("scales", scale, "warmup_steps")
    elif amounts.warmup_steps is not None:
        named, keys = config.get("scales", scale), ("warmup_steps",)
    else:
        named, keys = recipe, ("stages", index, "schedule", "warmup_steps")
    return named.where(*keys), ".".join(map(str, (named.name, *keys)))


def rate_problems(config: Config, study: Named, cells: Sequence[Cell], scale: str) -> Iterator[Problem]:
    """Learning rates that a study's factors make larger than a recipe may have."""
    changes = study.entry.scales.get(scale, StudyAmounts())
    recipes = dict.fromkeys(cell.recipe for cell in cells)
    stages = [stage for name in recipes for stage in config.get("recipes", name).entry.stages]
    for stage in stages:
        own = changes.stages.get(stage.name, StageAmounts())
        keys: tuple[str, ...] = ("scales", scale, "stages", stage.name, "lr_factor")
        keys = keys if own.lr_factor != 1.0 else ("scales", scale, "lr_factor")
        for optimiser in [stage.optimiser, *(own for _, own in stage.own(OptimiserOf).values())]:
            rate = optimiser.lr * changes.lr_factor * own.lr_factor
            if rate > MOST_RATE:
                found = f"a learning rate of {rate:g} in stage {stage.name!r}"
                yield Problem(study.where(*keys), ".".join((study.name, *keys)), found, f"at most {MOST_RATE:g}")


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


def _idle_exclusions(config: Config, study: Named) -> Iterator[Problem]:
    """Exclusions that match no cell of the grid, at any scale."""
    points = [
        ({**point, "loss": member.name}, str(point["loss"]))
        for block in study.entry.grid if study.entry.exclude
        for point in _points(block)
        for member in config.members(str(point["loss"]))
    ]  # fmt: skip
    for index, exclusion in enumerate(study.entry.exclude):
        if not any(_exclusion([exclusion], point, family) for point, family in points):
            given = exclusion.model_dump(exclude_none=True, exclude={"reason"})
            found = f"{', '.join(f'{axis} {name!r}' for axis, name in given.items())}: no row of the grid is that"
            yield Problem(
                study.where("exclude", index), f"{study.name}.exclude.{index}", found, "names that the grid combines"
            )


def _exclusion(exclusions: list[Any], point: dict[str, str | int], family: str) -> str | None:
    for exclusion in exclusions:
        given = {axis: getattr(exclusion, axis) for axis in ("model", "loss", "recipe")}
        if all(value in (None, point[axis], family if axis == "loss" else None) for axis, value in given.items()):
            return str(exclusion.reason)
    return None


def _cell_problems(config: Config, study: Named, block: int, model: str, loss: str, recipe: str) -> Iterator[Problem]:
    where = study.where("grid", block)
    chain = config.get("recipes", recipe)
    for index, stage in enumerate(chain.entry.stages):
        named = config.get("models", stage.model or model)
        key = f"{study.name}.grid.{block} ({model}, {loss}, {recipe}: stage {stage.name})"
        if stage.data and stage.data not in study.entry.corpus:
            roles = [role for role in study.entry.corpus if role]
            found = f"the stage trains on {stage.data!r}, which this study's corpora do not have"
            yield Problem(where, key, found, choices(roles, stage.data, "no `data:`"), nearest(stage.data, roles))
        whole = next((each for each in chain.entry.stages[:index] if each.name == stage.init.get("")), None)
        source = config.get("models", whole.model or model) if whole is not None else named
        facts = stage.item.facts
        if facts.publishes[0] == "model" and source.name != named.name and source.entry.type != named.entry.type:
            told = f"{recipe}.stages.{index}.init (in {study.name}.grid.{block})"
            found = f"the whole of model {named.name!r} starts from model {source.name!r}"
            yield Problem(chain.where("stages", index, "init", ""), told, found, "a stage of the same model")
        parts = _startable(stage, items.find(MODEL, named.entry.type))
        given = [(("init", module), module) for module in stage.init]
        for place, module in (*given, *((("freeze", i), module) for i, module in enumerate(stage.freeze))):
            if module and module.partition(".")[0] not in parts:
                found = f"a {stage.kind} stage of model {named.name!r} has no part {module!r}"
                keys = ("stages", index, *place)
                also = ["'' for the whole"] if place[0] == "init" else []
                accepted = choices([*also, *parts], module, "none: the model has no parts")
                told = f"{recipe}.{'.'.join(map(str, keys))} (in {study.name}.grid.{block})"
                yield Problem(chain.where(*keys), told, found, accepted, nearest(module, parts))
        if facts.takes_loss:
            yield from loss_problems(config, stage.loss or loss, named, where, key, frozenset(facts.offers))


def _startable(stage: StageEntry, model: items.Item[ModelFacts] | None) -> list[str]:
    """What can start from an earlier stage, besides the whole."""
    facts = stage.item.facts
    return [*(model.facts.submodules if model is not None and facts.parts else ()), *facts.starts]


def _check_labels(study: Named, blocks: Mapping[tuple[str, str, str, str], int]) -> None:
    """Two different cells with one label would be averaged as if they were seeds of one row."""
    owners: dict[str, tuple[str, ...]] = {}
    for (label, *what), block in blocks.items():
        keys = ("grid", block, "label") if study.has("grid", block, "label") else ("grid", block)
        where, key = study.where(*keys), ".".join(map(str, (study.name, *keys)))
        if label in RESERVED:
            accepted = "a `label:` other than " + ", ".join(RESERVED)
            found = f"a row is called {label!r}, as the unprocessed signals are"
            raise ConfigError([Problem(where, key, found, accepted)])
        if owners.setdefault(label, tuple(what)) != tuple(what):
            both = " and ".join(f"({', '.join(cell)})" for cell in (owners[label], what))
            found = f"{both} have the same label {label!r}"
            raise ConfigError([Problem(where, key, found, "a `label:` that tells them apart")])

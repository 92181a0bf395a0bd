"""From the choices of a study to their nodes: the best of a sweep, among runs that the grid trains anyway."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from sebench.artefacts import Node
from sebench.config import items
from sebench.config.entries import Config, Named
from sebench.config.facts import METRIC
from sebench.config.schema import ChoiceEntry
from sebench.errors import Problem
from sebench.plan.grid import RESERVED, Cell
from sebench.plan.nodes import choice_node
from sebench.plan.plan import Trained
from sebench.plan.resolve import raise_problems


def choice_nodes(config: Config, study: Named, trained: Sequence[Trained]) -> dict[str, Node]:
    """Label -> the choice.

    Args:
        trained: the study's cells and the runs that they end in.

    Raises:
        ConfigError: a choice has nothing to choose from, or what it would compare cannot be compared.
    """
    by = study.entry.select.by
    found = {}
    problems: list[Problem] = []
    for label, choice in study.entry.choices.items():
        values = {member.name: member.value for member in config.members(choice.among)}
        wanted = [each for each in trained if each.cell.loss in values and _fits(choice, each.cell)]
        where, key = study.where("choices", label), f"{study.name}.choices.{label}"
        faults = list(_faults(config, label, choice, wanted, trained))
        problems += [Problem(where, key, what, accepted) for what, accepted in faults]
        if not faults:
            item = items.get(METRIC, config.get("metrics", by).entry.type)
            facts = {"name": by, "higher_is_better": item.facts.higher_is_better}
            (axis,) = config.get("losses", choice.among).entry.sweep
            runs = {(values[each.cell.loss], each.cell.seed): each.run for each in wanted}
            found[label] = choice_node(axis, facts, runs, label)
    raise_problems(problems)
    return found


def _fits(choice: ChoiceEntry, cell: Cell) -> bool:
    return choice.model in (None, cell.model) and choice.recipe in (None, cell.recipe)


def _faults(
    config: Config, label: str, choice: ChoiceEntry, wanted: Sequence[Trained], trained: Sequence[Trained]
) -> Iterator[tuple[str, str]]:
    """What is wrong with a choice, and what is accepted."""
    if label in (*RESERVED, *(each.cell.label for each in trained)):
        yield f"a row is called {label!r} already", "another label"
    members = {member.name for member in config.members(choice.among)}
    systems = sorted({(each.cell.model, each.cell.recipe) for each in wanted})
    if not systems:
        asked = ("model", "recipe") if any(each.cell.loss in members for each in trained) else ()
        with_them = " and ".join(f"{key} {getattr(choice, key)!r}" for key in asked if getattr(choice, key))
        accepted = "one that the grid trains it with" if with_them else "a sweep that the grid trains"
        yield f"{choice.among!r} is trained by no block of the grid" + f" with {with_them}" * bool(with_them), accepted
    elif len(systems) > 1:
        named = ", ".join(f"{model} by {recipe}" for model, recipe in systems)
        yield f"{choice.among!r} is trained several times: {named}", "one of them: `model:`, `recipe:`"
    there = {(each.cell.loss, each.cell.seed) for each in wanted}
    losses, seeds = ({pair[i] for pair in there} for i in (0, 1))
    lacking = sorted(set(itertools.product(losses, seeds)) - there)
    if lacking:
        pairs = ", ".join(f"{loss} has no seed {seed}" for loss, seed in lacking)
        yield f"its values have different seeds: {pairs}", "the same seeds for all"
    for recipe in sorted({each.cell.recipe for each in wanted}):
        if config.get("recipes", recipe).entry.stages[-1].keep != "best":
            yield f"recipe {recipe!r} publishes its last weights, and validation speaks of the best", "keep: best"

"""The second and the third phase of a plan: what is trained, and what is enhanced, scored and predicted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sebench.artefacts import Node
from sebench.config import items
from sebench.config.entries import Config
from sebench.config.facts import EXTERNAL
from sebench.config.specs import ChoiceSpec
from sebench.plan import nodes as make
from sebench.plan.choices import choice_nodes
from sebench.plan.external import ExternalMissing, check_labels, external_item
from sebench.plan.grid import Excluded
from sebench.plan.plan import (
    Chosen,
    Evaluated,
    Evaluations,
    PlannedCell,
    PlannedChoice,
    PlannedExternal,
    Runs,
    Sets,
    Trained,
)
from sebench.plan.predictions import planned_predictors
from sebench.plan.rates import rate_of
from sebench.plan.resolve import metric_items


def plan_runs(config: Config, sets: Sets) -> Runs:
    """The runs of all cells, and the choices among them.

    Raises:
        ConfigError: a choice has nothing to choose from.
    """
    trained = []
    for cell in sets.grid:
        chain = make.run_nodes(config, cell, sets.amounts, sets.study.entry.select.by, sets.training, sets.changes)
        trained.append(Trained(cell, tuple(chain), make.complexity_node(chain[-1].spec["model"])))
    runs = {each.run.key: each for each in trained}
    chosen = {
        label: Chosen(node, runs[next(iter(node.parents.values()))].complexity)
        for label, node in choice_nodes(config, sets.study, trained).items()
    }
    return sets.to(Runs, trained=trained, chosen=chosen)


def plan_evaluations(config: Config, runs: Runs) -> Evaluations:
    """What every system makes of the test sets.

    Raises:
        ConfigError: two rows have one label, or a table of agreement asks for what the study does not have.
    """
    metrics = list(metric_items(config, runs.study.entry.metrics).values())
    evaluated = partial(_evaluated, runs, metrics)
    nothing = Evaluated({}, {})
    cells = []
    for each in runs.trained:
        rate = rate_of(each.run.spec["model"])
        made = evaluated(rate, partial(make.enhanced_node, each.run)) if each.cell.tested else nothing
        cells.append(PlannedCell(**vars(made), **vars(each)))
    choices = {
        label: PlannedChoice(
            chosen.node,
            chosen.complexity,
            {
                seed: evaluated(
                    rate_of(chosen.complexity.spec["model"]), partial(make.enhanced_node, chosen.node, seed=seed)
                )
                for seed in ChoiceSpec.of(chosen.node.spec).seeds
            },
        )
        for label, chosen in runs.chosen.items()
    }
    check_labels(runs.study, [*(cell.label for cell in runs.grid), *choices])
    external: dict[str, PlannedExternal] = {}
    excluded = list(runs.excluded)
    for label, name in runs.study.entry.external.items():
        try:
            item, file = external_item(config, name)
        except ExternalMissing as missing:
            excluded.append(Excluded(label, missing.reason, missing.hint))
        else:
            rate = items.get(EXTERNAL, item["type"]).facts.sample_rate
            made = evaluated(rate, partial(make.external_node, item, file))
            external[label] = PlannedExternal(**vars(made), item=item)
    return runs.to(
        Evaluations,
        excluded=excluded,
        cells=cells,
        choices=choices,
        external=external,
        predictors=planned_predictors(config, runs),
    )


def _evaluated(sets: Sets, metrics: list[dict[str, Any]], rate: int, enhancer: Callable[[Node], Node]) -> Evaluated:
    """Enhanced sets and scores of one system.

    Args:
        rate: at which it works, in Hz.
        enhancer: rendered set -> enhanced set.
    """
    rendered = {name: condition.drawn.at(rate) for name, condition in sets.conditions.items()}
    enhanced = {name: enhancer(node) for name, node in rendered.items()}
    scores = {name: make.scores_node(metrics, rendered[name], node) for name, node in enhanced.items()}
    return Evaluated(enhanced, scores)

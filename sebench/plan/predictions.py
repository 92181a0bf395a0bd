"""Tables of agreement: what trained predictors say of test sets, beside what is measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sebench.artefacts import Node
from sebench.config.entries import Config
from sebench.config.tables import PredictorRow
from sebench.config.versions import version
from sebench.errors import ConfigError, Problem, choices, nearest
from sebench.plan import nodes as make
from sebench.plan.plan import Asked, Condition, Judged, PlannedPredictor, Runs, Sets
from sebench.plan.rates import rate_of
from sebench.plan.resolve import metric_items


def predictions_node(run: Node, rendered: Node, enhanced: Node | None) -> Node:
    """What a trained predictor says of an enhanced set, or of the unprocessed mixtures."""
    judged = enhanced.name if enhanced is not None else f"noisy-{rendered.name}"
    parents = {"run": run.key, "set": rendered.key}
    if enhanced is not None:
        parents["enhanced"] = enhanced.key
    hints = {"threads": 1, "count": rendered.hints["count"]}
    return Node("predictions", f"{run.name}-{judged}", {"version": version("predictions")}, parents, hints)


def planned_predictors(config: Config, runs: Runs) -> dict[str, dict[str, dict[int, PlannedPredictor]]]:
    """What the study's tables of agreement show: table -> label of a row -> seed -> predictor.

    Raises:
        ConfigError: a row names a recipe, stage or test set that the study does not have.
    """
    found: dict[str, dict[str, dict[int, PlannedPredictor]]] = {}
    for table, layout in runs.study.entry.tables.items():
        if layout.predictors:
            # As the study's other score files call it.
            metrics = [metric_items(config, [*runs.study.entry.metrics, layout.metric])[layout.metric]]
            found[table] = {
                label: _by_seed(config, runs, table, label, wanted, metrics)
                for label, wanted in layout.predictors.items()
            }
    return found


def _by_seed(
    config: Config, runs: Runs, table: str, label: str, wanted: PredictorRow, metrics: list[dict[str, Any]]
) -> dict[int, PlannedPredictor]:
    conditions = _conditions(runs, table, label, wanted)
    recipes = list(dict.fromkeys(each.cell.recipe for each in runs.trained))
    _known(runs, table, label, "recipe", wanted.recipe, recipes)
    stages = config.get("recipes", wanted.recipe).entry.stages
    places = {stage.name: place for place, stage in enumerate(stages) if "predictor" in stage.item.facts.trains}
    _known(runs, table, label, "stage", wanted.stage, list(places), " that trains a predictor")
    found: dict[int, PlannedPredictor] = {}
    for each in runs.trained:
        if each.cell.recipe == wanted.recipe and each.cell.seed not in found:
            run = each.chain[places[wanted.stage]]
            rate = rate_of(run.spec["model"])
            enhancer = _enhancer_of(run, each.chain)
            judged = {one.name: _judged(run, enhancer, one.drawn.at(rate), metrics) for one in conditions}
            found[each.cell.seed] = PlannedPredictor(run, judged)
    return found


def _judged(run: Node, enhancer: Node, rendered: Node, metrics: list[dict[str, Any]]) -> Judged:
    enhanced = make.enhanced_node(enhancer, rendered)
    return Judged(
        enhanced,
        make.scores_node(metrics, rendered, enhanced),
        predictions_node(run, rendered, enhanced),
        make.scores_node(metrics, rendered, None),
        predictions_node(run, rendered, None),
    )


def _enhancer_of(run: Node, chain: Iterable[Node]) -> Node:
    """The run whose output a predictor is judged on: that it was trained on."""
    return next((stage for stage in chain if stage.key == run.parents.get("init:enhancer")), run)


def _conditions(sets: Sets, table: str, label: str, wanted: PredictorRow) -> list[Condition]:
    known = {**{header: [header] for header in sets.headers}, **sets.test_sets}
    for name in wanted.over:
        _known(sets, table, label, "over", name, list(known))
    kept = {header for name in wanted.over or known for header in known[name]}
    return [condition for condition in sets.conditions.values() if condition.header in kept]


def _known(asked: Asked, table: str, label: str, part: str, name: str, accepted: list[str], of: str = "") -> None:
    if name not in accepted:
        keys = ("tables", table, "predictors", label, part)
        where, key = asked.study.where(*keys), ".".join((asked.study.name, *keys))
        raise ConfigError(
            [Problem(where, key, f"no {part} {name!r}{of}", choices(accepted, name), nearest(name, accepted))]
        )

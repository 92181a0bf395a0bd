"""Tables of agreement: what trained predictors say of test sets, beside what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node
from sebench.config.entries import Config
from sebench.config.tables import PredictorRow, Row, RowCell, TableLayout
from sebench.config.versions import version
from sebench.errors import ConfigError, Problem, choices, nearest
from sebench.plan import nodes as make
from sebench.plan.resolve import metric_items

if TYPE_CHECKING:
    from sebench.plan.plan import Plan


def predictions_node(run: Node, rendered: Node, enhanced: Node | None) -> Node:
    """What a trained predictor says of an enhanced set, or of the unprocessed mixtures."""
    judged = enhanced.name if enhanced is not None else f"noisy-{rendered.name}"
    parents = {"run": run.key, "set": rendered.key}
    if enhanced is not None:
        parents["enhanced"] = enhanced.key
    hints = {"threads": 1, "count": rendered.hints["count"]}
    return Node("predictions", f"{run.name}-{judged}", {"version": version("predictions")}, parents, hints)


def agreement_rows(config: Config, plan: Plan, table: str, layout: TableLayout) -> list[Row]:
    """The rows of a table of agreement; the nodes that they read become part of the plan.

    Raises:
        ConfigError: a row names a recipe, stage or test set that the study does not have.
    """
    # As the study's other score files call it.
    metrics = [metric_items(config, [*plan.study.entry.metrics, layout.metric])[layout.metric]]
    rows = []
    for label, wanted in layout.predictors.items():
        conditions = _conditions(plan, table, label, wanted)
        cells = [
            _cell(plan, seed, run, _enhancer_of(plan, run), metrics, conditions)
            for seed, run in _runs(config, plan, table, label, wanted).items()
        ]
        rows.append(Row(label=label, cells=cells))
    return rows


def _cell(
    plan: Plan, seed: int, run: Node, enhancer: Node, metrics: list[dict[str, Any]], conditions: Mapping[str, str]
) -> RowCell:
    roles: dict[str, dict[str, str]] = {"scores": {}, "predictions": {}, "noisy_scores": {}, "noisy_predictions": {}}
    for name, header in conditions.items():
        rendered = plan.conditions[name]
        enhanced = plan.nodes.add(make.enhanced_node(enhancer, rendered))
        for prefix, judged in (("", enhanced), ("noisy_", None)):
            scores = plan.nodes.add(make.scores_node(metrics, rendered, judged))
            predictions = plan.nodes.add(predictions_node(run, rendered, judged))
            roles[f"{prefix}scores"][header] = scores.key
            roles[f"{prefix}predictions"][header] = predictions.key
    return RowCell(seed=seed, run=run.key, **roles)


def _runs(config: Config, plan: Plan, table: str, label: str, wanted: PredictorRow) -> dict[int, Node]:
    """Seed -> the run of a stage."""
    recipes = list(dict.fromkeys(planned.cell.recipe for planned in plan.cells))
    _known(plan, table, label, "recipe", wanted.recipe, recipes)
    stages = config.get("recipes", wanted.recipe).entry.stages
    places = {stage.name: place for place, stage in enumerate(stages) if "predictor" in stage.item.facts.trains}
    _known(plan, table, label, "stage", wanted.stage, list(places), " that trains a predictor")
    found: dict[int, Node] = {}
    for planned in plan.cells:
        if planned.cell.recipe == wanted.recipe:
            found.setdefault(planned.cell.seed, planned.chain[places[wanted.stage]])
    return found


def _enhancer_of(plan: Plan, run: Node) -> Node:
    """The run whose output a predictor is judged on: that it was trained on."""
    return plan.nodes[run.parents["init:enhancer"]] if "init:enhancer" in run.parents else run


def _conditions(plan: Plan, table: str, label: str, wanted: PredictorRow) -> dict[str, str]:
    """Name -> header."""
    sets = {**{header: [header] for header in plan.headers.values()}, **plan.test_sets}
    for name in wanted.over:
        _known(plan, table, label, "over", name, list(sets))
    kept = {header for name in wanted.over or sets for header in sets[name]}
    return {name: header for name, header in plan.headers.items() if header in kept}


def _known(plan: Plan, table: str, label: str, part: str, name: str, accepted: list[str], of: str = "") -> None:
    if name not in accepted:
        keys = ("tables", table, "predictors", label, part)
        where, key = plan.study.where(*keys), ".".join((plan.study.name, *keys))
        raise ConfigError(
            [Problem(where, key, f"no {part} {name!r}{of}", choices(accepted, name), nearest(name, accepted))]
        )

"""The figures of a study: what its layouts say, resolved to nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sebench.artefacts import Node
from sebench.config.entries import Config
from sebench.config.figures import (
    DistributionsLayout,
    DistributionsSpec,
    EpochsLayout,
    EpochsSpec,
    FigureLayout,
    PanelLayout,
    ScatterLayout,
    ScatterPanelSpec,
    ScatterSpec,
    SpectrogramsLayout,
    SpectrogramsSpec,
    SweepLayout,
    SweepSpec,
)
from sebench.config.versions import version
from sebench.errors import ConfigError, Problem, choices, nearest
from sebench.plan.plan import Evaluations
from sebench.plan.resolve import metric_in_use, metric_label

#: Quantities of a figure of epochs that are in units of the metric that is predicted.
ON_THE_SCALE = {"measured", "predicted", "mae"}

Figure = tuple[Any, dict[str, str]]  # the spec, and role -> parent


def figure_nodes(config: Config, plan: Evaluations, tables: Mapping[str, Node]) -> dict[str, Node]:
    """The study's figures by name.

    Args:
        tables: of the study, by name.

    Raises:
        ConfigError: a layout names a row, a choice, a table or a condition that the study does not have.
    """
    nodes = {}
    problems: list[Problem] = []
    for name, layout in plan.study.entry.figures.items():
        found = list(_unknown(plan, tables, name, layout))
        problems.extend(found)
        if found:
            continue
        spec, parents = _resolved(config, plan, tables, layout)
        content = spec.model_copy(update={"version": version(f"figure {spec.figure}")}).model_dump(mode="json")
        # Named by its content alone: two places that show the same figure must agree on its path.
        nodes[name] = Node("figure", str(content["figure"]), content, parents)
    if problems:
        raise ConfigError(problems)
    return nodes


def _resolved(config: Config, plan: Evaluations, tables: Mapping[str, Node], layout: FigureLayout) -> Figure:
    if isinstance(layout, SweepLayout):
        return _sweep(config, plan, layout)
    if isinstance(layout, SpectrogramsLayout):
        return _spectrograms(plan, layout)
    if isinstance(layout, DistributionsLayout):
        values = layout.model_dump(exclude={"type", "condition"})
        values["title"] = f"{layout.title}, {layout.condition}"
        return DistributionsSpec(**values), {"set": _sets(plan)[layout.condition]}
    if isinstance(layout, ScatterLayout):
        return _scatter(config, plan, tables, layout)
    return _epochs(config, plan, layout)


def _sweep(config: Config, plan: Evaluations, layout: SweepLayout) -> Figure:
    selected = plan.study.entry.select.by
    by = selected if selected == "loss" else metric_label(config, selected)
    roles = {label: choice.node.key for label, choice in plan.choices.items()}
    curves = [(panel.axis, {k: roles[choice] for k, choice in panel.curves.items()}) for panel in layout.panels]
    parents = {role: role for _, shown in curves for role in shown.values()}
    return SweepSpec(title=layout.title, by=by, panels=curves), parents


def _spectrograms(plan: Evaluations, layout: SpectrogramsLayout) -> Figure:
    roles = _enhanced_rows(plan, layout.condition)
    shown = [panel for panel in layout.panels if panel.source not in _absent(plan)]
    panels = [PanelLayout(label=p.label, source=roles.get(p.source, p.source)) for p in shown]
    read = list(dict.fromkeys(roles[panel.source] for panel in shown if panel.source in roles))
    sets = dict.fromkeys(plan.nodes[role].parents["set"] for role in read)
    parents = {"set": next(iter(sets), _sets(plan)[layout.condition]), **{role: role for role in read}}
    return SpectrogramsSpec(title=layout.title, panels=panels, select=layout.select), parents


def _scatter(config: Config, plan: Evaluations, tables: Mapping[str, Node], layout: ScatterLayout) -> Figure:
    """Points of the first seed: enhanced speech, then noisy speech, of each row."""
    study = plan.study.entry
    panels = []
    for table in layout.tables:
        for row in tables[table].spec["rows"]:
            cell = row["cells"][0]
            for prefix, symbol in (("", "s_hat"), ("noisy_", "y")):
                given = cell[f"{prefix}predictions"], cell[f"{prefix}scores"]
                panels.append(
                    ScatterPanelSpec(label=f"{row['label']}, {symbol}", predictions=given[0], scores=given[1])
                )
    metric = next(column["metric"] for column in tables[layout.tables[0]].spec["columns"])
    called = metric_label(config, study.tables[layout.tables[0]].metric)
    read = [role for panel in panels for roles in (panel.predictions, panel.scores) for role in roles.values()]
    spec = ScatterSpec(title=layout.title, metric=metric, called=called, panels=panels)
    return spec, {role: role for role in dict.fromkeys(read)}


def _epochs(config: Config, plan: Evaluations, layout: EpochsLayout) -> Figure:
    runs = _alternating(plan)
    curves = {label: runs[row] for label, row in layout.rows.items()}
    title = layout.title
    if not ON_THE_SCALE.isdisjoint(layout.quantities):
        title = "\n".join([title, *_stand_ins(config, plan, layout.rows.values())])
    spec = EpochsSpec(title=title, curves=curves, quantities=dict(layout.quantities))
    return spec, {role: role for role in curves.values()}


def _stand_ins(config: Config, plan: Evaluations, rows: Iterable[str]) -> list[str]:
    """Metrics whose scores rows were trained on, instead of those that their last stages name."""
    shown = set(rows)
    recipes = dict.fromkeys(planned.cell.recipe for planned in plan.cells if planned.cell.label in shown)
    labels = [config.get("recipes", recipe).entry.stages[-1].labels for recipe in recipes]
    replaced = (name for name in labels if name is not None and metric_in_use(config, name).name != name)
    return [f"scores: {called}" for called in dict.fromkeys(metric_label(config, name) for name in replaced)]


def _sets(plan: Evaluations) -> dict[str, str]:
    """Header of a condition -> its rendered set."""
    return {condition.header: condition.node.key for condition in plan.conditions.values()}


def _alternating(plan: Evaluations) -> dict[str, str]:
    """Row -> the run of its first seed, of those that end in an alternating stage."""
    runs: dict[str, str] = {}
    for planned in plan.cells:
        if planned.run.spec["stage"]["kind"] == "alternating":
            runs.setdefault(planned.cell.label, planned.run.key)
    return runs


def _enhanced_rows(plan: Evaluations, condition: str) -> dict[str, str]:
    """Row -> the enhanced set of its first seed in a condition."""
    by_row = [(planned.cell.label, planned.enhanced) for planned in plan.cells]
    by_row += [(label, next(iter(choice.by_seed.values())).enhanced) for label, choice in plan.choices.items()]
    by_row += [(label, row.enhanced) for label, row in plan.external.items()]
    roles: dict[str, str] = {}
    for label, enhanced in by_row:
        for name, node in enhanced.items():
            if plan.conditions[name].header == condition:
                roles.setdefault(label, node.key)
    return roles


def _absent(plan: Evaluations) -> set[str]:
    """External models whose files are not here: a figure goes without their panels."""
    return set(plan.study.entry.external) - set(plan.external)


def _key_of(plan: Evaluations, above: tuple[str | int, ...], label: str, place: int) -> tuple[str | int, ...]:
    """Of a label in a mapping, or of its place in a list of names; without the figure that it stands in."""
    return (*above, label if plan.study.has(*above, label) else place)[2:]


def _unknown(plan: Evaluations, tables: Mapping[str, Node], name: str, layout: FigureLayout) -> Iterator[Problem]:
    """What a layout names and the study does not have."""

    def known(keys: tuple[str | int, ...], what: str, found: str, accepted: Iterable[str]) -> Iterator[Problem]:
        names = list(accepted)
        if found not in names:
            full = ("figures", name, *keys)
            full = full if plan.study.has(*full) else full[:-1]  # a name that stands for a list of one
            where, key = plan.study.where(*full), ".".join(map(str, (plan.study.name, *full)))
            yield Problem(where, key, f"no {what} {found!r}", choices(names, found), nearest(found, names))

    if isinstance(layout, SweepLayout):
        for i, panel in enumerate(layout.panels):
            for place, (label, choice) in enumerate(panel.curves.items()):
                keys = _key_of(plan, ("figures", name, "panels", i, "curves"), label, place)
                yield from known(keys, "choice", choice, plan.choices)
    elif isinstance(layout, ScatterLayout):
        layouts = plan.study.entry.tables
        for place, table in enumerate(layout.tables):
            agreement = [key for key in tables if layouts[key].type == "agreement"]
            yield from known(("tables", place), "table of agreement", table, agreement)
    elif isinstance(layout, EpochsLayout):
        for place, (label, row) in enumerate(layout.rows.items()):
            keys = _key_of(plan, ("figures", name, "rows"), label, place)
            yield from known(keys, "row that ends in an alternating stage", row, _alternating(plan))
    else:
        yield from known(("condition",), "condition", layout.condition, _sets(plan))
        if isinstance(layout, SpectrogramsLayout) and layout.condition in _sets(plan):
            sources = ("clean", "noisy", *_enhanced_rows(plan, layout.condition), *_absent(plan))
            for i, source in enumerate(shown.source for shown in layout.panels):
                yield from known(("panels", i, "source"), "row", source, sources)
            rows = _enhanced_rows(plan, layout.condition)
            shown = [plan.nodes[rows[panel.source]].parents["set"] for panel in layout.panels if panel.source in rows]
            if len(set(shown)) > 1:
                rates = ", ".join(f"{plan.nodes[key].spec['sample_rate']} Hz" for key in dict.fromkeys(shown))
                where, key = plan.study.where("figures", name, "panels"), f"{plan.study.name}.figures.{name}.panels"
                yield Problem(where, key, f"rows at {rates}", "rows of one sample rate in a figure")

"""The figures of a study: what its layouts say, resolved to nodes by the kinds of figures (`sebench.figures`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sebench.artefacts import Node
from sebench.config import items
from sebench.config.annotations import EntryOf
from sebench.config.entries import Config
from sebench.config.facts import FIGURE, STAGE
from sebench.config.versions import version
from sebench.errors import ConfigError, Problem, choices, nearest
from sebench.names import in_path
from sebench.plan.nodes import PART
from sebench.plan.plan import Evaluations
from sebench.plan.resolve import metric_in_use, metric_label


def figure_nodes(config: Config, plan: Evaluations, tables: Mapping[str, Node]) -> dict[str, Node]:
    """The study's figures by name.

    Args:
        tables: of the study, by name.

    Raises:
        ConfigError: a layout names a row, a choice, a table or a condition that the study does not have.
    """
    there = Showable(config, plan, tables)
    nodes = {}
    problems: list[Problem] = []
    for name, layout in plan.study.entry.figures.items():
        item = items.get(FIGURE, layout.type)
        kind = items.imported(item)()
        mistakes = list(kind.mistakes(layout, there, _Unknown(plan, name)))
        problems += mistakes
        if mistakes:
            continue
        spec, parents = kind.resolve(layout, there)
        told = {"version": version(f"figure {item.type}")} if item.builtin else {"code": item.code}
        content = {**spec.model_dump(mode="json"), "figure": item.type if item.builtin else item.path, **told}
        # Named by its content alone: two places that show the same figure must agree on its path.
        nodes[name] = Node("figure", in_path(content["figure"].rpartition(":")[2], PART), content, parents)
    if problems:
        raise ConfigError(problems)
    return nodes


class Showable:
    """What there is to show of a study (`sebench.figures.base.Showable`).

    Args:
        tables: nodes by name.
    """

    def __init__(self, config: Config, plan: Evaluations, tables: Mapping[str, Node]) -> None:
        self._config, self._plan = config, plan
        self.sets = {condition.header: condition.node.key for condition in plan.conditions.values()}
        self.rates = {node.key: int(node.spec["sample_rate"]) for node in plan.nodes.of_kind("set")}
        self.choices = {label: choice.node.key for label, choice in plan.choices.items()}
        self.tables = {name: node.spec for name, node in tables.items()}
        self.external_absent = set(plan.study.entry.external) - set(plan.external)
        by = plan.study.entry.select.by
        self.selected_by = by if by == "loss" else metric_label(config, by)

    def enhanced(self, condition: str) -> dict[str, str]:
        """Row -> the enhanced set of its first seed in a condition."""
        plan = self._plan
        by_row = [(planned.cell.label, planned.enhanced) for planned in plan.cells]
        by_row += [(label, next(iter(choice.by_seed.values())).enhanced) for label, choice in plan.choices.items()]
        by_row += [(label, row.enhanced) for label, row in plan.external.items()]
        keys: dict[str, str] = {}
        for label, enhanced in by_row:
            for name, node in enhanced.items():
                if plan.conditions[name].header == condition:
                    keys.setdefault(label, node.key)
        return keys

    def set_of(self, enhanced: str) -> str:
        """What an enhanced set was made from."""
        return self._plan.nodes[enhanced].parents["set"]

    def runs(self, *, whole_epochs: bool = False) -> dict[str, str]:
        """Row -> the run of its first seed; with `whole_epochs` of those alone that end in a stage of such."""
        keys: dict[str, str] = {}
        for planned in self._plan.cells:
            if not whole_epochs or items.get(STAGE, planned.run.spec["stage"]["kind"]).facts.whole_epochs:
                keys.setdefault(planned.cell.label, planned.run.key)
        return keys

    def columns(self, row: str) -> Sequence[str]:
        """Columns of the history.json of a row's run, but for the parts of a loss."""
        run = next(planned.run for planned in self._plan.cells if planned.cell.label == row)
        return items.get(STAGE, run.spec["stage"]["kind"]).facts.columns

    def predicted(self, table: str) -> str | None:
        """How tables call the metric that is predicted in a table of agreement; None for any other table."""
        layout = self._plan.study.entry.tables[table]
        return metric_label(self._config, layout.metric) if layout.predictors else None

    def stand_ins(self, rows: Iterable[str]) -> list[str]:
        """Metrics whose scores rows were trained on, instead of those that their last stages name."""
        shown = set(rows)
        recipes = dict.fromkeys(planned.cell.recipe for planned in self._plan.cells if planned.cell.label in shown)
        last = (self._config.get("recipes", recipe).entry.stages[-1] for recipe in recipes)
        labels = [stage.own(EntryOf).get("labels", (None, None))[1] for stage in last]
        replaced = [name for name in labels if name is not None and metric_in_use(self._config, name).name != name]
        return list(dict.fromkeys(metric_label(self._config, name) for name in replaced))


class _Unknown:
    """Problems of one figure's layout, with file and line (`sebench.figures.base.Mistaken`)."""

    def __init__(self, plan: Evaluations, name: str) -> None:
        self.study, self.name = plan.study, name

    def __call__(
        self, keys: tuple[str | int, ...], what: str, found: str, accepted: Iterable[str], position: int = 0
    ) -> Iterator[Problem]:
        names = list(accepted)
        if found not in names:
            full: tuple[str | int, ...] = ("figures", self.name, *keys)
            # a name may stand in a list, or for a list of one
            full = next((f for f in (full, (*full[:-1], position)) if self.study.has(*f)), full[:-1])
            where, key = self.study.where(*full), ".".join(map(str, (self.study.name, *full)))
            yield Problem(where, key, f"no {what} {found!r}", choices(names, found), nearest(found, names))

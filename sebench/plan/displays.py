"""The last phase of a plan: what a study's layouts of tables say, resolved to nodes (figures: `plan.figures`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from sebench.artefacts import Node
from sebench.config import items
from sebench.config.columns import COMPLEXITY_KEYS, NumberColumn, ShownMetric
from sebench.config.entries import Config
from sebench.config.facts import METRIC
from sebench.config.published import read_published
from sebench.config.table_spec import Row, RowCell
from sebench.config.tables import ClaimLayout, TableLayout
from sebench.config.versions import version
from sebench.errors import DataError, Problem, choices, nearest
from sebench.metrics.base import metric_name
from sebench.names import in_path
from sebench.plan.figures import figure_nodes
from sebench.plan.footer import footer
from sebench.plan.plan import Evaluations, Plan
from sebench.plan.resolve import metric_in_use, metric_items, raise_problems
from sebench.plan.table_mistakes import LayoutMistake, LayoutMistakes
from sebench.plan.tables import NothingToShow, parents_read, table_spec

#: What a cell of a table of agreement reads, as `Judged` and `RowCell` call it.
AGREEMENT_ROLES = ("scores", "predictions", "noisy_scores", "noisy_predictions")
#: Bytes of a study's place, which several corpora can make long.
PLACE = 160


def plan_shown(config: Config, evaluations: Evaluations) -> Plan:
    """The last phase: tables, figures, and the publication of both.

    Raises:
        ConfigError: a layout, a claim or a file of published numbers does not fit the study.
    """
    tables = table_nodes(config, evaluations)
    figures = figure_nodes(config, evaluations, tables)
    place = _place(evaluations, evaluations.corpora.values())
    parents = {name: node.key for name, node in {**tables, **figures}.items()}
    publication = Node("publication", place, {"place": place}, parents)
    return evaluations.to(Plan, tables=tables, figures=figures, publication=publication)


def study_rows(plan: Evaluations) -> list[Row]:
    """The study's rows: the unprocessed mixtures, the external models, then one per label with a cell per seed.

    Roles of parents are the parents' own keys. An external model whose file is not here is a row without cells.
    """

    def shown(scores: Mapping[str, Node]) -> dict[str, str]:
        return {plan.conditions[name].header: node.key for name, node in scores.items()}

    noisy = RowCell(scores=shown({name: condition.noisy for name, condition in plan.conditions.items()}))
    rows = [Row(label="Noisy", cells=[noisy])]
    left_out = {cell.label: cell.reason for cell in plan.excluded}
    for label in plan.study.entry.external:
        if label in plan.external:
            rows.append(Row(label=label, cells=[RowCell(scores=shown(plan.external[label].scores))]))
        else:
            rows.append(Row(label=label, absent=left_out[label]))
    by_label = defaultdict(list)
    for planned in plan.cells:
        if planned.cell.tested:
            by_label[planned.cell.label].append(planned)
    for label, cells in by_label.items():
        found = [
            RowCell(seed=planned.cell.seed, scores=shown(planned.scores), run=planned.run.key) for planned in cells
        ]
        rows.append(Row(label=label, cells=found, complexity=cells[0].complexity.key))
    for label, choice in plan.choices.items():
        found = [RowCell(seed=seed, scores=shown(made.scores)) for seed, made in choice.by_seed.items()]
        rows.append(Row(label=label, cells=found, complexity=choice.complexity.key, choice=choice.node.key))
    return rows


def agreement_rows(plan: Evaluations, table: str) -> list[Row]:
    """The rows of a table of agreement."""
    rows = []
    for label, by_seed in plan.predictors[table].items():
        cells = []
        for seed, predictor in by_seed.items():
            roles: dict[str, dict[str, str]] = {name: {} for name in AGREEMENT_ROLES}
            for name, judged in predictor.judged.items():
                for role, keys in roles.items():
                    keys[plan.conditions[name].header] = getattr(judged, role).key
            cells.append(RowCell(seed=seed, run=predictor.run.key, **roles))
        rows.append(Row(label=label, cells=cells))
    return rows


def shown_metrics(config: Config, names: list[str]) -> dict[str, ShownMetric]:
    """What tables must know of the study's metrics."""
    described = metric_items(config, names)
    facts = {}
    for name in names:
        named = metric_in_use(config, name)
        item = items.get(METRIC, named.entry.type)
        label = named.label
        if named.name != name and named.name in names:  # two columns need two names
            label = f"{label} instead of {config.get('metrics', name).label}"
        facts[name] = ShownMetric(
            label=label,
            higher_is_better=item.facts.higher_is_better,
            unit=item.facts.unit,
            bounds=item.facts.bounds,
            name=metric_name(described[name]),
            instead_of="" if named.name == name else name,
        )
    return facts


def left_out(plan: Evaluations, *, hints: bool = False) -> list[str]:
    """Cells, external models and test sets that the study names and that are not there, each with its reason.

    Args:
        hints: say what a person can do about it, too.
    """
    told = ("; ".join(filter(None, (cell.reason, cell.hint if hints else ""))) for cell in plan.excluded)
    cells = [f"{cell.label}: {reason}" for cell, reason in zip(plan.excluded, told, strict=True)]
    corpora = ", ".join(dict.fromkeys(plan.corpora.values()))
    sets = [f"test set {name}: {corpora} has none" for name, headers in plan.test_sets.items() if not headers]
    return cells + sets


def table_nodes(config: Config, plan: Evaluations) -> dict[str, Node]:
    """The study's tables by name, without those that have no column on this corpus.

    Raises:
        ConfigError: a layout, a claim or a file of published numbers does not fit the study.
    """
    study = plan.study
    layouts = study.entry.tables
    claims = _claims(plan, layouts)
    rows = study_rows(plan)
    facts = shown_metrics(config, list(study.entry.metrics))
    absent = left_out(plan)
    nodes = {}
    problems: list[Problem] = []
    for name, layout in layouts.items():
        wrong = [
            (place, number.key)
            for place, number in enumerate(layout.columns)
            if isinstance(number, NumberColumn) and number.key not in COMPLEXITY_KEYS
        ]
        for place, key in wrong:
            keys = ("tables", name, "columns", place, "key")
            accepted, near = choices(COMPLEXITY_KEYS, key), nearest(key, COMPLEXITY_KEYS)
            told_at = ".".join(map(str, (study.name, *keys)))
            problems.append(Problem(study.where(*keys), told_at, f"no number {key!r}", accepted, near))
        try:
            published = read_published(config.folder / "published" / layout.published) if layout.published else []
            spec = table_spec(
                layout,
                rows=agreement_rows(plan, name) if layout.predictors else rows,
                conditions=plan.headers,
                metrics=facts,
                test_sets=plan.test_sets,
                published=published,
                claims=claims.get(name, []),
                versions=version,
            )
        except NothingToShow:
            continue
        except LayoutMistakes as error:
            problems += [_problem(plan, name, mistake) for mistake in error.mistakes]
            continue
        except DataError as error:
            where = study.where("tables", name, "published")
            problems.append(Problem(where, f"{study.name}.tables.{name}.published", str(error)))
            continue
        spec["footer"] = {**footer(plan, spec, absent), **spec["footer"]}
        parents = {role: role for role in sorted(parents_read(spec))}
        corpora = spec["footer"].get("corpus", "").split(", ")
        nodes[name] = Node("table", f"{_place(plan, corpora)}-{name}", spec, parents)
    raise_problems(problems)
    return nodes


def not_shown(config: Config, plan: Plan) -> Iterator[str]:
    """Printed numbers that stand in a table's file and that the table has no place for."""
    for name, node in plan.tables.items():
        layout = plan.study.entry.tables[name]
        if not layout.published:
            continue
        entries = read_published(config.folder / "published" / layout.published)
        rows = {layout.published_rows.get(row["label"], row["label"]) for row in node.spec["rows"]}
        names = [column["name"] for column in node.spec["columns"]]
        columns = {printed for own in names for printed in layout.published_columns.get(own, [own])}
        for kind, there in (("row", rows), ("column", columns)):
            left = dict.fromkeys(entry[kind] for entry in entries if entry[kind] not in there)
            if left:
                told = ", ".join(left)
                yield f"{layout.published}, not shown in table {name}: {kind}{'s' if len(left) > 1 else ''} {told}"


def _problem(plan: Evaluations, table: str, mistake: LayoutMistake) -> Problem:
    """A mistake of a layout or a claim with its line."""
    keys: tuple[str | int, ...] = ("tables", table, *mistake.keys)
    if mistake.claim is not None:
        keys = ("claims", plan.study.entry.claims.index(mistake.claim), *mistake.keys)
    elif not plan.study.has(*keys):  # a list of names, or of columns
        of_column = mistake.keys[1:] if mistake.keys[0] in ("extra", "metrics", "columns") else ()
        place = ("tables", table, mistake.keys[0], mistake.position)
        keys = (*place, *of_column) if plan.study.has(*place, *of_column) else place
    key = ".".join(map(str, (plan.study.name, *keys)))
    return Problem(plan.study.where(*keys), key, mistake.found, mistake.accepted, mistake.nearest)


def _claims(plan: Evaluations, layouts: Mapping[str, TableLayout]) -> dict[str, list[ClaimLayout]]:
    """Claims by table; one that names no table belongs to the study's only one."""
    found: dict[str, list[ClaimLayout]] = defaultdict(list)
    problems: list[Problem] = []
    for index, claim in enumerate(plan.study.entry.claims):
        table = claim.table or (next(iter(layouts)) if len(layouts) == 1 else "")
        if table not in layouts:
            where = plan.study.where("claims", index, "table")
            key = f"{plan.study.name}.claims.{index}.table"
            what = f"no table {table!r}" if table else f"no table is named, and the study has {len(layouts) or 'none'}"
            problems.append(Problem(where, key, what, choices(layouts, table), nearest(table, layouts)))
            continue
        found[table].append(claim)
    raise_problems(problems)
    return found


def _place(plan: Evaluations, corpora: Iterable[str]) -> str:
    return in_path("-".join(filter(None, [plan.study.name, plan.scale, "+".join(dict.fromkeys(corpora))])), PLACE)

"""The plan of a study: all its nodes, and what they are for. The Snakefile and the CLI use the same one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sebench.artefacts import Node, Store
from sebench.config.entries import Config, Named
from sebench.config.load import load_config
from sebench.config.references import blocking
from sebench.config.schema import Amounts, StudyAmounts
from sebench.errors import ConfigError, Problem, SebenchError
from sebench.plan import nodes as make
from sebench.plan.choices import choice_nodes
from sebench.plan.degradations import degradation_specs, noise_problems
from sebench.plan.displays import publication_node, table_nodes
from sebench.plan.external import ExternalMissing, PlannedExternal, check_labels, external_item
from sebench.plan.figures import figure_nodes
from sebench.plan.grid import Excluded, amount_problems, expand, rate_problems
from sebench.plan.nodes import Nodes
from sebench.plan.plan import Plan, PlannedCell, PlannedChoice
from sebench.plan.resolve import metric_items, raise_problems
from sebench.plan.test_sets import tested

logger = logging.getLogger(__name__)


def amounts_of(config: Config, study: Named, scale: str) -> tuple[Amounts, StudyAmounts]:
    """A scale's amounts with the study's changes, and those changes.

    Raises:
        ConfigError: no such scale.
    """
    base = config.get("scales", scale).entry
    changes = study.entry.scales.get(scale, StudyAmounts())
    values = {name: getattr(base, name) for name in Amounts.model_fields}
    for name in Amounts.model_fields:
        changed = getattr(changes, name)
        if name == "utterances" and changed is not None:
            counts = {**values[name].model_dump(), **changed.model_dump(exclude_none=True)}
            values[name] = type(values[name])(**counts)
        elif changed is not None:
            values[name] = changed
    if values["batch_size"] % values["devices"]:
        own = next((key for key in ("devices", "batch_size") if getattr(changes, key)), "")
        where = study.where("scales", scale, own) if own else config.get("scales", scale).where("devices")
        found = f"a batch of {values['batch_size']} cannot be shared out to {values['devices']} devices"
        accepted = f"a batch_size that {values['devices']} divides"
        key = f"{study.name}.scales.{scale}.{own}" if own else f"{scale}.devices"
        raise ConfigError([Problem(where, key, found, accepted)])
    return Amounts(**values), changes


def build_plan(config: Config, study_name: str, scale: str, corpus: str | None, store: Store) -> Plan:
    """Plan one study.

    Raises:
        ConfigError: a wrong name, or a cell that cannot be.
        CorpusMissing: a corpus is not where it should be.
    """
    asked = "command line or config.yaml"
    raise_problems(blocking(config, study_name, scale, corpus))
    study = config.get("studies", study_name, asked, "study")
    config.get("scales", scale, asked, "scale")
    if corpus is not None:
        config.get("corpora", corpus, asked, "corpus")
    amounts, changes = amounts_of(config, study, scale)
    cells, excluded = expand(config, study, amounts.seeds, changes.sweeps)
    raise_problems(
        [*amount_problems(config, study, cells, amounts, changes, scale), *rate_problems(config, study, cells, scale)]
    )
    sample_rate = make.one_sample_rate(config, study, cells)
    found = Nodes()

    corpora = {role: corpus or name for role, name in study.entry.corpus.items()}
    corpus_nodes = {name: make.corpus_node(config, store, name) for name in dict.fromkeys(corpora.values())}
    mixings = study.entry.mixing if set(study.entry.mixing) != {""} else dict.fromkeys(corpora, study.entry.mixing[""])

    def rendered(
        role: str,
        split: str,
        count: int,
        snr_db: float | None = None,
        own_mixing: str | None = None,
        part: str | None = None,
    ) -> Node:
        corpus_node = found.add(corpus_nodes[corpora[role]])
        named = config.get("mixing", own_mixing or mixings[role])
        mixing = named.entry.model_dump(mode="json", exclude={"description", "degradations"})
        published = make.is_published(config, corpora[role], split, part)
        degradations = [] if published else degradation_specs(config, named, sample_rate)
        if changes.max_seconds is not None:
            mixing["max_seconds"] = min(changes.max_seconds, mixing["max_seconds"] or changes.max_seconds)
        if snr_db is not None:  # the training SNRs say nothing about a test set
            mixing["snr_db"] = snr_db
        mixtures = found.add(make.mixtures_node(corpus_node, mixing, split, count, snr_db, part, degradations))
        return found.add(make.set_node(mixtures, sample_rate, published))

    # Test sets come first: the order of nodes is the order in which Snakemake meets equals.
    conditions: dict[str, Node] = {}
    headers: dict[str, str] = {}
    test_sets: dict[str, list[str]] = {}
    for test in tested(config, study, corpora, changes.snr_db):
        test_sets.setdefault(test.set_name, [])
        if test.role is not None:
            count = amounts.utterances.test
            if test.name in conditions or test.header in headers.values():
                keys = ("conditions", "sets", test.set_name)
                what = f"two conditions are called {test.header!r}"
                raise_problems([Problem(study.where(*keys), ".".join((study.name, *keys)), what, "another name")])
            conditions[test.name] = rendered(test.role, "test", count, test.snr_db, test.mixing, test.part)
            headers[test.name] = test.header
            test_sets[test.set_name].append(test.header)
    metrics = list(metric_items(config, study.entry.metrics).values())
    noisy = {name: found.add(make.scores_node(metrics, node, None)) for name, node in conditions.items()}
    stages = [stage for cell in cells for stage in config.get("recipes", cell.recipe).entry.stages]
    trained_on = {stage.data or next(iter(corpora)) for stage in stages}
    data = {
        role: {
            "train": rendered(role, "train", amounts.utterances.train),
            "valid": rendered(role, "valid", amounts.utterances.valid),
        }
        for role in corpora
        if role in trained_on
    }
    mixed = {role: found[sets["train"].parents["mixtures"]] for role, sets in data.items()}
    degraded = {
        role: config.get("mixing", mixings[role]) for role, node in mixed.items() if "degradations" in node.spec
    }
    raise_problems(list(noise_problems(config, study, cells, degraded)))
    separation = make.separation_node(
        [corpus_nodes[corpora[role]] for role in data],
        [found[node.parents["corpus"]] for node in conditions.values()],
    )
    if separation is not None:
        found.add(separation)

    def scored(enhancer: Callable[[Node], Node]) -> tuple[dict[str, Node], dict[str, Node]]:
        enhanced = {name: found.add(enhancer(node)) for name, node in conditions.items()}
        scores = {name: found.add(make.scores_node(metrics, conditions[name], node)) for name, node in enhanced.items()}
        return enhanced, scores

    planned = []
    for cell in cells:
        chain = make.run_nodes(config, cell, amounts, study.entry.select.by, data, changes)
        chain = [found.add(run) for run in chain]
        enhanced, scores = scored(partial(make.enhanced_node, chain[-1])) if cell.tested else ({}, {})
        complexity = found.add(make.complexity_node(chain[-1].spec["model"]))
        planned.append(PlannedCell(cell, tuple(chain), enhanced, scores, complexity))
    trained = [(planned_cell.cell, planned_cell.run) for planned_cell in planned]
    choices = {}
    for label, node in choice_nodes(config, study, trained).items():
        choice = found.add(node)
        made = {seed: scored(partial(make.enhanced_node, choice, seed=seed)) for seed in node.spec["seeds"]}
        enhanced_by_seed, scores_by_seed = ({seed: pair[i] for seed, pair in made.items()} for i in (0, 1))
        model = found[next(iter(node.parents.values()))].spec["model"]
        complexity = found.add(make.complexity_node(model))
        choices[label] = PlannedChoice(node, enhanced_by_seed, scores_by_seed, complexity)

    check_labels(study, [*(cell.label for cell in cells), *choices])
    external = {}
    for label, name in study.entry.external.items():
        try:
            item, file = external_item(config, name)
        except ExternalMissing as missing:
            excluded.append(Excluded(label, missing.reason, missing.hint))
            continue
        external[label] = PlannedExternal(item, *scored(partial(make.external_node, item, file)))

    plan = Plan(
        study,
        scale,
        corpora,
        corpus_nodes,
        amounts,
        found,
        planned,
        choices,
        external,
        excluded,
        conditions,
        headers,
        test_sets,
        separation,
        noisy,
        {},
        {},
        Node("table", "", {}),
    )
    plan.tables = {name: found.add(node) for name, node in table_nodes(config, plan).items()}
    plan.figures = {name: found.add(node) for name, node in figure_nodes(config, plan).items()}
    plan.publication = found.add(publication_node(plan))
    return plan


def plan_from_settings(settings: Mapping[str, Any], store: Store) -> list[Plan]:
    """Plans of the studies that Snakemake's configuration names.

    Args:
        settings: study (a name, a list, or names with commas), scale, corpus, config_dir.
    """
    config = load_config(str(settings.get("config_dir", "config")), strict=False)
    studies = settings.get("study") or config.settings.study
    if isinstance(studies, str):
        studies = studies.split(",")
    if not studies:
        raise SebenchError("no study is named: `--config study=NAME`, or `study:` in config/config.yaml")
    scale = str(settings.get("scale") or config.settings.scale)
    corpus = settings.get("corpus") or config.settings.corpus
    plans = [build_plan(config, name, scale, corpus, store) for name in dict.fromkeys(str(n).strip() for n in studies)]
    warn_of_the_unused(config)
    return plans


def warn_of_the_unused(config: Config) -> None:
    """Say which mistakes of the configuration stand in entries that nothing here uses."""
    if config.problems:
        told = "\n".join(f"  {problem}" for problem in config.problems)
        logger.warning("not used here, and not usable before it is mended:\n%s", told)

"""The plan of a study: all its nodes, and what they are for. The Snakefile and the CLI use the same one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sebench.artefacts import Store
from sebench.config.entries import Config, Named
from sebench.config.load import load_config
from sebench.config.references import blocking
from sebench.config.schema import Amounts, StudyAmounts
from sebench.errors import ConfigError, Problem, SebenchError
from sebench.plan.displays import plan_shown
from sebench.plan.evaluations import plan_evaluations, plan_runs
from sebench.plan.grid import amount_problems, expand, rate_problems
from sebench.plan.plan import Asked, Plan
from sebench.plan.resolve import raise_problems
from sebench.plan.sets import plan_sets

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
    """Plan one study, phase by phase.

    Raises:
        ConfigError: a wrong name, or a cell that cannot be.
        CorpusMissing: a corpus is not where it should be.
    """
    sets = plan_sets(config, plan_asked(config, study_name, scale, corpus), store)
    return plan_shown(config, plan_evaluations(config, plan_runs(config, sets)))


def plan_asked(config: Config, study_name: str, scale: str, corpus: str | None) -> Asked:
    """What is asked for, once it is known to make sense.

    Raises:
        ConfigError: a wrong name, or a cell that cannot be.
    """
    asked = "command line or config.yaml"
    raise_problems(blocking(config, study_name, scale, corpus))
    problems: list[Problem] = []
    named = (("studies", "study", study_name), ("scales", "scale", scale), ("corpora", "corpus", corpus))
    for section, key, name in named:
        try:
            if name is not None:
                config.get(section, name, asked, key)
        except ConfigError as error:
            problems += error.problems
    raise_problems(problems)
    study = config.get("studies", study_name)
    amounts, changes = amounts_of(config, study, scale)
    cells, excluded = expand(config, study, amounts.seeds, changes.sweeps)
    raise_problems(
        [*amount_problems(config, study, cells, amounts, changes, scale), *rate_problems(config, study, cells, scale)]
    )
    corpora = {role: corpus or name for role, name in study.entry.corpus.items()}
    return Asked(study, scale, corpora, amounts, changes, cells, excluded)


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

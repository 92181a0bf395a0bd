"""At which sample rates a study trains, tests and scores, and what cannot be scored there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sebench.config import items
from sebench.config.annotations import EntryOf
from sebench.config.entries import Config
from sebench.config.facts import EXTERNAL, METRIC, MODEL, PREDICTOR
from sebench.config.schema import StageEntry
from sebench.errors import Problem
from sebench.metrics.base import rates_in_words, way_to_score
from sebench.plan.grid import Cell
from sebench.plan.plan import Asked
from sebench.plan.resolve import metric_in_use


def rate_of(model: Mapping[str, Any]) -> int:
    """Of a model's description, in Hz."""
    return items.get(MODEL, model["type"]).facts.sample_rate


def tested_rates(config: Config, asked: Asked) -> dict[int, str]:
    """Rates at which test sets are needed, the highest first, each with a network that works there."""
    found: dict[int, str] = {}
    for cell in asked.grid:
        stages = config.get("recipes", cell.recipe).entry.stages
        for stage in stages:
            if stage is stages[-1] or _named(stage, PREDICTOR):
                model = stage.model or cell.model
                found.setdefault(_model_rate(config, model), model)
    for name in asked.study.entry.external.values():
        found.setdefault(items.get(EXTERNAL, config.get("external", name).entry.type).facts.sample_rate, name)
    return dict(sorted(found.items(), reverse=True))


def trained_rates(config: Config, asked: Asked, role: str) -> dict[int, str]:
    """Rates at which the training sets of a role are needed, the highest first, each with a model."""
    found = {_model_rate(config, model): model for model, _ in _on(config, asked, role)}
    return dict(sorted(found.items(), reverse=True))


def scoring_problems(config: Config, asked: Asked) -> Iterator[Problem]:
    """Metrics that are not defined at the rate of what they score, and predictors at another rate than their model."""
    study = asked.study
    for place, name in enumerate(study.entry.metrics):
        yield from _unscorable(config, name, tested_rates(config, asked), study.where("metrics", place), "metrics")
    by = study.entry.select.by
    for role in asked.corpora:
        rates = trained_rates(config, asked, role)
        if by != "loss":
            yield from _unscorable(config, by, rates, study.where("select", "by"), "select.by")
        for model, stage in _on(config, asked, role):
            facts = items.get(MODEL, config.get("models", model).entry.type).facts
            rate = facts.sample_rate
            where, key = study.where("grid"), f"{study.name}.grid (stage {stage.name!r})"
            if facts.causal and facts.input_rate not in (None, rate):
                found = f"model {model!r} hears {facts.input_rate} Hz, makes {rate} Hz and says causal = True"
                yield Problem(where, key, found, "causal = False: what is streamed has one rate")
            for name in _named(stage, METRIC):
                yield from _unscorable(config, name, {rate: model}, where, key)
            for name in _named(stage, PREDICTOR):
                own = items.get(PREDICTOR, config.get("predictors", name).entry.type).facts.sample_rate
                if own != rate:
                    found = f"predictor {name!r} hears {own} Hz, and model {model!r} works at {rate} Hz"
                    yield Problem(where, key, found, "a predictor and a model of one rate")


def _named(stage: StageEntry, kind: str) -> list[str]:
    """Entries of a kind that a stage's own parameters name."""
    return [str(name) for mark, name in stage.own(EntryOf).values() if mark.kind == kind]


def _on(config: Config, asked: Asked, role: str) -> Iterator[tuple[str, StageEntry]]:
    """Models and stages that are trained on a role, each pair once."""
    first = next(iter(asked.corpora))
    cells: dict[tuple[str, str], Cell] = {(cell.model, cell.recipe): cell for cell in asked.grid}
    for cell in cells.values():
        for stage in config.get("recipes", cell.recipe).entry.stages:
            if (stage.data or first) == role:
                yield stage.model or cell.model, stage


def _model_rate(config: Config, name: str) -> int:
    return items.get(MODEL, config.get("models", name).entry.type).facts.sample_rate


def _unscorable(config: Config, metric: str, rates: Mapping[int, str], where: str, key: str) -> Iterator[Problem]:
    facts = items.get(METRIC, metric_in_use(config, metric).entry.type).facts
    for rate, network in rates.items():
        if way_to_score(facts, rate) is None:
            found = f"metric {metric!r} cannot score {network!r}, which works at {rate} Hz"
            yield Problem(where, key, found, f"networks at {rates_in_words(facts)}, or another metric")

"""From named entries to complete descriptions: what enters an id has no names and no defaults left open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sebench.artefacts import canonical
from sebench.config import items
from sebench.config.entries import Config, Named
from sebench.config.facts import LOSS, METRIC, MODEL, STAGE, LossFacts
from sebench.errors import ConfigError, Problem
from sebench.metrics.base import implementation, installed, metric_name, no_implementation
from sebench.sections import one_of


def identity(kind: str, entry: Any, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """{type, version | code, params} of an item entry, every parameter with its value."""
    item = items.get(kind, entry.type)
    given = {**entry.params, **(overrides or {})}
    params = {
        name: param.validate(given[name]) if name in given else param.default for name, param in item.params.items()
    }
    return item.identity(params)


def metric_in_use(config: Config, name: str) -> Named:
    """The metric entry itself, or the one that stands in for it where its package is not installed."""
    named = config.get("metrics", name)
    if not named.entry.instead or installed(items.get(METRIC, named.entry.type).facts.package):
        return named
    return config.get("metrics", named.entry.instead)


def metric_label(config: Config, name: str) -> str:
    """How a metric is called where its values are shown; marked where another one stands in for it."""
    used = metric_in_use(config, name)
    return used.label if used.name == name else f"{used.label}, other scale"


def metric_identity(config: Config, name: str) -> dict[str, Any]:
    """A metric as a study uses it: of its stand-in, where its package is not installed and it has one."""
    return described_metric(metric_in_use(config, name).entry)


def described_metric(entry: Any) -> dict[str, Any]:
    """A metric's identity with what computes it: a package, its version and its trained weights, or sebench."""
    facts = items.get(METRIC, entry.type).facts
    described = identity("metric", entry)
    if not installed(facts.package):
        return {**described, "implementation": no_implementation(facts.package)}
    return {**described, "implementation": implementation(facts.package, described["type"], facts.model_files)}


def metric_items(config: Config, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The metrics of a study by entry: what its score files have.

    Entries that come to the same share an item, as a metric does with its stand-in. Two items that score files would
    call alike (entries of one type with different parameters) get their entries' names; the others have no name, so
    that a metric's values have one id in all studies.
    """
    described = {name: metric_identity(config, name) for name in names}
    distinct: dict[str, dict[str, Any]] = {}
    owners: dict[str, str] = {}
    for name, item in described.items():
        distinct.setdefault(canonical(item), item)
        owners.setdefault(canonical(item), metric_in_use(config, name).name)
    calls = Counter(metric_name(item) for item in distinct.values())
    for key, item in distinct.items():
        if calls[metric_name(item)] > 1:
            # Of a path the whole, as classes of two packages may have one name.
            distinct[key] = {**item, "name": owners[key].replace(":", ".")}
    return {name: distinct[canonical(item)] for name, item in described.items()}


@dataclass(frozen=True)
class Loss:
    """A resolved loss: the tree that is hashed and built, and what it needs together."""

    tree: Mapping[str, Any]
    slug: str
    needs_views: frozenset[str]
    needs_signals: frozenset[str]
    uses: frozenset[str]
    phase_blind: bool


def resolve_loss(config: Config, name: str) -> Loss:
    """Follow sums and mixes down to items. Terms are sorted, so that the order of keys means nothing; terms of
    weight 0 vanish and a single term of weight 1 is that term: the ends of a mix are the pure losses."""
    entry = config.get("losses", name).entry
    if entry.type is not None:
        item = items.get(LOSS, entry.type)
        described = identity("loss", entry)
        return Loss(
            {"item": described},
            _item_slug(item, described["params"]),
            frozenset(item.facts.needs_views),
            frozenset(item.facts.needs_signals),
            frozenset(item.facts.uses),
            item.facts.phase_blind,
        )
    if entry.mix is not None:
        weights = _added([(entry.mix.magnitude, 1.0 - entry.mix.beta), (entry.mix.complex, entry.mix.beta)])
    else:
        weights = {part: float(weight) for part, weight in entry.sum.items()}
    terms = [(weight, resolve_loss(config, part)) for part, weight in weights.items() if weight != 0.0]
    if len(terms) == 1 and terms[0][0] == 1.0:
        return terms[0][1]
    terms.sort(key=lambda term: canonical(term[1].tree))
    return Loss(
        {"sum": [{"weight": weight, "loss": loss.tree} for weight, loss in terms]},
        "+".join(loss.slug for _, loss in terms),
        frozenset().union(*(loss.needs_views for _, loss in terms)),
        frozenset().union(*(loss.needs_signals for _, loss in terms)),
        frozenset().union(*(loss.uses for _, loss in terms)),
        all(loss.phase_blind for _, loss in terms),
    )


def _added(pairs: list[tuple[str, float]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for name, weight in pairs:
        weights[name] = weights.get(name, 0.0) + weight
    return weights


def _item_slug(item: items.Item[LossFacts], params: Mapping[str, Any]) -> str:
    """The type, and the parameters that differ from their defaults: readable, and a function of the content."""
    base = item.type if item.builtin else item.cls
    changed = [
        f"{name}{value:g}" if isinstance(value, float) else f"{name}{value}"
        for name, value in params.items()
        if value != item.params[name].default and isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return "_".join([base, *changed])


def loss_problems(
    config: Config, loss_name: str, model: Named, where: str, key: str, networks: frozenset[str] = frozenset()
) -> list[Problem]:
    """What a loss asks for and the model or the stage cannot give; a phase-blind loss alone on a model with free phase.

    Args:
        where: file and line that ask for the pair.
        networks: of the stage, that a loss may use. A loss that does fine-tunes a model whose phase was trained before.
    """
    loss = resolve_loss(config, loss_name)
    facts = items.get(MODEL, model.entry.type).facts
    problems = []
    lacking = sorted(loss.needs_views - set(facts.views))
    if lacking:
        found = (
            f"loss {loss_name!r} needs {', '.join(lacking)} of the estimate, which model {model.name!r} does not give"
        )
        problems.append(Problem(where, key, found, f"a loss that reads {', '.join(facts.views)}"))
    if loss.phase_blind and facts.free_phase and not loss.uses:
        found = f"loss {loss_name!r} does not see the phase, and model {model.name!r} is free to choose it"
        problems.append(Problem(where, key, found, "a loss with a term that sees the phase, or a gain model"))
    absent = sorted(loss.uses - networks)
    if absent:
        kinds = items.registry(STAGE).items()
        offering = [kind for kind, item in kinds if loss.uses <= set(item.facts.offers)]
        accepted = f"a stage of kind {one_of(offering)}, or another loss" if offering else "another loss"
        found = f"loss {loss_name!r} uses a {', '.join(absent)}, which this stage does not have"
        problems.append(Problem(where, key, found, accepted))
    known = {"noisy", "clean", "speech", "noise"}
    unknown = sorted(loss.needs_signals - known)
    if unknown:
        found = f"loss {loss_name!r} needs the signals {', '.join(unknown)}"
        problems.append(Problem(where, key, found, ", ".join(sorted(known))))
    return problems


def raise_problems(problems: list[Problem]) -> None:
    """Raise all problems as one error, if there are any."""
    if problems:
        raise ConfigError(problems)

"""The first phase of a plan: corpora, test sets, and the sets that are trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from sebench.artefacts import Node, Store
from sebench.config.entries import Config
from sebench.errors import Problem
from sebench.plan import nodes as make
from sebench.plan.degradations import degradation_specs, noise_problems
from sebench.plan.plan import Asked, Condition, Drawn, Sets
from sebench.plan.rates import scoring_problems, tested_rates, trained_rates
from sebench.plan.resolve import metric_items, raise_problems
from sebench.plan.test_sets import tested


def plan_sets(config: Config, asked: Asked, store: Store) -> Sets:
    """All sets of a study.

    Raises:
        ConfigError: a metric cannot score at a rate that is needed, or the test axis cannot be.
        CorpusMissing: a corpus is not where it should be.
    """
    raise_problems(list(scoring_problems(config, asked)))
    rates = list(tested_rates(config, asked))
    corpora = {name: make.corpus_node(config, store, name) for name in dict.fromkeys(asked.corpora.values())}
    draw = partial(_drawn, config, asked, corpora)
    amounts = asked.amounts.utterances
    tests = list(tested(config, asked.study, asked.corpora, asked.changes.snr_db))
    metrics = list(metric_items(config, asked.study.entry.metrics).values())
    conditions: dict[str, Condition] = {}
    for test in tests:
        if test.role is None:
            continue
        if test.name in conditions or test.header in (other.header for other in conditions.values()):
            keys = ("conditions", "sets", test.set_name)
            what = f"two conditions are called {test.header!r}"
            raise_problems(
                [Problem(asked.study.where(*keys), ".".join((asked.study.name, *keys)), what, "another name")]
            )
        drawn = draw(rates, test.role, "test", amounts.test, test.snr_db, test.mixing, test.part)
        noisy = make.scores_node(metrics, drawn.node, None)
        conditions[test.name] = Condition(test.name, test.header, test.set_name, drawn, noisy)
    training = {
        role: {
            use: draw(list(trained_rates(config, asked, role)), role, use, count)
            for use, count in (("train", amounts.train), ("valid", amounts.valid))
        }
        for role in _trained_on(config, asked)
    }
    raise_problems(list(noise_problems(config, asked, training)))
    separation = make.separation_node(
        [corpora[asked.corpora[role]] for role in training],
        [condition.drawn.corpus for condition in conditions.values()],
    )
    return asked.to(
        Sets,
        corpus_nodes=corpora,
        conditions=conditions,
        set_names=tuple(dict.fromkeys(test.set_name for test in tests)),
        training=training,
        separation=separation,
    )


def _trained_on(config: Config, asked: Asked) -> Iterator[str]:
    """Roles of corpora that a stage trains on, in the study's order."""
    first = next(iter(asked.corpora))
    recipes = dict.fromkeys(cell.recipe for cell in asked.grid)
    used = {stage.data or first for name in recipes for stage in config.get("recipes", name).entry.stages}
    return (role for role in asked.corpora if role in used)


def _drawn(
    config: Config,
    asked: Asked,
    corpora: dict[str, Node],
    rates: Sequence[int],
    role: str,
    split: str,
    count: int,
    snr_db: float | None = None,
    own_mixing: str | None = None,
    part: str | None = None,
) -> Drawn:
    """One set of mixtures.

    Args:
        corpora: by name.
        rates: at which they are rendered, in Hz, the highest first.
        role: of the corpus.
        snr_db: see `nodes.mixtures_node`.
        own_mixing: name of a mixing; None: the role's.
        part: see `nodes.mixtures_node`.
    """
    corpus = asked.corpora[role]
    published = make.is_published(config, corpus, split, part)
    by_role = asked.study.entry.mixing
    named = config.get("mixing", own_mixing or by_role.get(role, by_role.get("")))
    mixing = named.entry.model_dump(mode="json", exclude={"description", "degradations"})
    degradations = [] if published else degradation_specs(config, named, rates[-1])
    longest = asked.changes.max_seconds
    if longest is not None:
        mixing["max_seconds"] = min(longest, mixing["max_seconds"] or longest)
    if snr_db is not None:  # the training SNRs say nothing about a test set
        mixing["snr_db"] = snr_db
    mixtures = make.mixtures_node(corpora[corpus], mixing, split, count, snr_db, part, degradations)
    return Drawn(corpora[corpus], mixtures, {rate: make.set_node(mixtures, rate, published) for rate in rates})

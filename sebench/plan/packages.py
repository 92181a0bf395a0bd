"""Packages of metrics that are not installed: what is computed without them, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sebench.artefacts import Node
from sebench.config import items
from sebench.config.entries import Config
from sebench.config.facts import METRIC
from sebench.metrics.base import (
    MissingPackageError,
    installed,
    metric_name,
    metrics_of,
    missing_package,
    no_implementation,
)
from sebench.plan.plan import Runs
from sebench.plan.resolve import metric_in_use


def missing_packages(config: Config, runs: Runs) -> Iterator[str]:
    """Metrics of the study that nothing here computes, with what installs them."""
    for name in runs.study.entry.metrics:
        used = metric_in_use(config, name)
        facts = items.get(METRIC, used.entry.type).facts
        if not installed(facts.package):
            yield f"{missing_package(name, facts.package, facts.install)}. Until then its columns are empty"
        elif config.get("metrics", name).entry.instead and used.name != name:
            own = items.get(METRIC, config.get("metrics", name).entry.type).facts
            yield f"{missing_package(name, own.package, own.install)}. {used.name} stands in for it, on another scale"
    for line in _needed(runs.nodes.of_kind("run")):
        yield f"{line}. Until then nothing can be trained that reads it while training, and `sebench run` refuses"


def require(nodes: Iterable[Node]) -> None:
    """Refuse to start where a run could not end.

    Args:
        nodes: that are to be made.

    Raises:
        MissingPackageError: a metric that a run reads while it trains was planned without its package.
    """
    needed = list(_needed(node for node in nodes if node.kind == "run"))
    if needed:
        raise MissingPackageError("\n".join(needed))


def _needed(runs: Iterable[Node]) -> Iterator[str]:
    """Metrics that runs read while they train, by `select.by` or as labels, and that nothing here computes."""
    read = {item["type"]: item for run in runs for item in metrics_of(run.spec["stage"]).values()}
    for type_name, item in read.items():
        facts = items.get(METRIC, type_name).facts
        if item.get("implementation") == no_implementation(facts.package):
            yield str(missing_package(metric_name(item), facts.package, facts.install))

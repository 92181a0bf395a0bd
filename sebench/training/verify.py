"""Before the first step: whether a run's metrics can be computed here, and its networks are what their classes say."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from sebench.config import items
from sebench.config.facts import DISCRIMINATOR, PREDICTOR
from sebench.config.specs import RunSpec, StageSpec
from sebench.contracts import discriminator as discriminators
from sebench.contracts import model as models
from sebench.contracts import predictor as predictors
from sebench.contracts.base import from_outside
from sebench.errors import DataError
from sebench.metrics.base import Metric, check_implementation, metric_name, metrics_of
from sebench.training.device import pick_device
from sebench.training.kinds import kind_of, networks_of

#: Kind of network beside the model -> what is broken of its contract, of a name, from `build`, on a device.
CONTRACTS: Mapping[str, Callable[[str, Callable[[], Any], torch.device], str]] = {
    PREDICTOR: predictors.broken,
    DISCRIMINATOR: discriminators.broken,
}

log = logging.getLogger(__name__)


def check_metrics(stage: StageSpec, sample_rate: int) -> None:
    """Compute each metric that a stage reads once, on a second of noise: the first validation may be hours away.

    Args:
        stage: of the run's spec.
        sample_rate: of its sets, in Hz.

    Raises:
        MissingPackageError: a package is not installed, or cannot be imported.
        DataError: another package than the planned one is; or the metric has no value of such signals.
    """
    clean, noise = 0.1 * np.random.default_rng(0).standard_normal((2, sample_rate))
    for role, item in metrics_of(stage.mapping()).items():
        check_implementation(item)
        metric: Metric = items.build(item, "metric")
        noisy = None if role == "labels" else clean + noise  # as it is asked while training
        found = metric.compute(clean=clean, estimate=clean + noise, noisy=noisy, sample_rate=sample_rate)
        if found.status == "not_applicable":
            raise DataError(f"{role}: metric {metric_name(item)!r} has no values here: {found.reason}")


def refusal(spec: RunSpec) -> str:
    """Why this run is not trained: what a network that it trains does otherwise than it says; "" where all is well.

    A look-ahead in a causal model, a stream that is not the offline output, a view that is declared and not there, an
    output that depends on chance: training would end well, and the numbers would be of something else. Copies of
    their own are tested, and all generators are left as they were.

    Args:
        spec: of the run.

    Raises:
        DataError: a network cannot be built or run at all.
    """
    device = pick_device()
    kind = kind_of(spec)
    networks = networks_of(kind)
    trained = {name: networks[name] for name in kind.facts.trains}
    found = ""
    if "model" in trained:
        subject = models.Subject(
            name=name_of(spec.model),
            build=lambda: items.build(spec.model, "model"),
            device=device,
            frozen=tuple(spec.stage.freeze),
        )
        found = _tested(f"model {subject.name}", lambda: models.broken(subject))
    for network, of in trained.items():
        if not found and of in CONTRACTS:
            name = name_of(spec.networks[network])
            build = functools.partial(items.build, spec.networks[network], of)
            found = _tested(f"{of} {name}", functools.partial(CONTRACTS[of], name, build, device))
    return found


def _tested(what: str, test: Callable[[], str]) -> str:
    """What was found; what the network raises is no result, as it may be the machine's fault (memory, a file)."""
    started = time.monotonic()
    with from_outside(f"{what}: cannot be run on noise, before training", DataError):
        found = test()
    log.info("%s: %s (%.2f s)", what, found or "is what its class says", time.monotonic() - started)
    return found


def name_of(item: Mapping[str, Any]) -> str:
    """Type and parameters of a described item, for people."""
    params = ", ".join(f"{key}={value}" for key, value in (item.get("params") or {}).items())
    return f"{item['type']} ({params})" if params else str(item["type"])

"""What a mixing does to the sum of speech and noise, and who cannot do without a noise signal of its own."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from typing import Any

from sebench.config import drawn, items
from sebench.config.entries import Config, Named
from sebench.config.facts import DEGRADATION
from sebench.config.mixing import DegradationEntry
from sebench.config.specs import MixturesSpec
from sebench.errors import Problem
from sebench.plan.plan import Asked, Drawn
from sebench.plan.resolve import raise_problems, resolve_loss


def degradation_specs(config: Config, mixing: Named, sample_rate: int) -> list[dict[str, Any]]:
    """A mixing's degradations as complete descriptions: item, probability, and versions of the packages behind it.

    Args:
        sample_rate: of the set, in Hz; of several the lowest.

    Raises:
        ConfigError: a frequency that the set cannot have, or a package that is not installed.
    """
    found, problems = [], []
    for index, given in enumerate(mixing.entry.degradations):
        named = config.get("degradations", given) if isinstance(given, str) else None
        entry: DegradationEntry = named.entry if named is not None else given
        item = items.get(DEGRADATION, entry.type)
        where, key = mixing.where("degradations", index), f"{mixing.name}.degradations.{index}"
        params = {
            name: drawn.validated(param, entry.params[name]) if name in entry.params else param.default
            for name, param in item.params.items()
        }
        for name in item.facts.frequencies:
            highest = max((end for end in drawn.ends(params.get(name)) if end is not None), default=0.0)
            if 2 * highest >= sample_rate:
                what = f"{name} of up to {highest:g} Hz for sets of {sample_rate} Hz"
                problems.append(Problem(where, key, what, f"below {sample_rate / 2:g}"))
        packages = {}
        for package in item.facts.packages:
            try:
                packages[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                what = f"degradation {entry.type!r} needs the package {package!r}, which is not installed here"
                problems.append(Problem(where, key, what, f"`pip install {package}`, or no such degradation"))
        found.append({"item": item.identity(params), "probability": entry.probability, "packages": packages})
    raise_problems(problems)
    return found


def noise_problems(config: Config, asked: Asked, training: Mapping[str, Mapping[str, Drawn]]) -> Iterator[Problem]:
    """Losses and augmentations that read the noise of training sets whose mixtures are no sums of speech and noise.

    Args:
        training: role that a stage trains on -> its sets "train" and "valid".
    """
    study, by_role = asked.study, asked.study.entry.mixing
    degraded = {
        role: config.get("mixing", by_role.get(role, by_role.get("")))
        for role, sets in training.items()
        if MixturesSpec.of(sets["train"].mixtures.spec).degradations
    }
    first = next(iter(asked.corpora))
    for loss, recipe in dict.fromkeys((cell.loss, cell.recipe) for cell in asked.grid):
        chain = config.get("recipes", recipe)
        for index, stage in enumerate(chain.entry.stages):
            mixing = degraded.get(stage.data or first)
            if mixing is None:
                continue
            name = stage.loss or loss
            of = f"in stage {stage.name!r} of recipe {recipe!r}, which trains on mixing {mixing.name!r}"
            place = mixing.where("degradations")
            if stage.item.facts.takes_loss and "noise" in resolve_loss(config, name).needs_signals:
                found = f"loss {name!r} needs the noise {of}: degraded mixtures ({place}) have none"
                yield Problem(study.where("grid"), f"{study.name}.grid", found, _ACCEPTED)
            if stage.augment:
                found = f"{', '.join(stage.augment)} adds speech and noise anew {of}: degraded mixtures ({place}) are "
                where, key = chain.where("stages", index, "augment"), f"{recipe}.stages.{index}.augment"
                yield Problem(where, key, f"{found}no sums of the two", "no `augment`, or no `degradations`")


_ACCEPTED = "losses that do not read the noise, or a mixing without `degradations`"

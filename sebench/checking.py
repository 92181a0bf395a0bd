"""`sebench check loss`, `model`, `degradation` and `stage`: an entry, or an item without one, held to its contract."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from sebench.config import drawn, items
from sebench.config.entries import ITEM_SECTIONS, Config
from sebench.config.facts import DEGRADATION, STAGE
from sebench.contracts.base import ContractBroken, Verdict, from_outside, line
from sebench.errors import SebenchError
from sebench.sections import ONE

T = TypeVar("T")


def check_losses(config: Config, name: str) -> Iterator[str]:
    """Lines of the verdicts on a loss, or on every member of a sweep.

    Raises:
        SebenchError: it is no loss, or it cannot be built.
        ContractBroken: at the end, if something does not hold.
    """
    from sebench.contracts.loss import verdicts
    from sebench.losses.base import Loss
    from sebench.losses.compose import build_loss
    from sebench.plan.resolve import resolve_loss

    _require_class(config, "losses", name)
    broken = 0
    for member in config.members(name):
        tree = resolve_loss(config, member.name).tree
        loss = _built("loss", member.name, functools.partial(build_loss, tree), Loss)
        yield member.name
        for verdict in verdicts(loss):
            broken += not verdict[1]
            yield line(verdict)
    _end(name, broken)


def check_model(config: Config, name: str) -> Iterator[str]:
    """Lines of the verdicts on a model, with the entry's parameters.

    Raises:
        SebenchError: it is no model, or it cannot be built.
        ContractBroken: at the end, if something does not hold.
    """
    from sebench.contracts.model import Subject, verdicts
    from sebench.models.base import Model
    from sebench.plan.resolve import identity

    _require_class(config, "models", name)
    described = identity("model", config.get("models", name).entry)
    _built("model", name, lambda: items.build(described, "model"), Model)
    yield name
    found: list[Verdict] = []
    for verdict in verdicts(Subject(name, lambda: items.build(described, "model"))):
        found.append(verdict)
        yield line(verdict)
    _end(name, sum(not holds for _, holds, _ in found))


def check_degradation(config: Config, name: str) -> Iterator[str]:
    """Lines of the verdicts on a degradation: of a distribution, with each of its ends.

    Raises:
        SebenchError: it is no degradation, or it cannot be built.
        ContractBroken: at the end, if something does not hold.
    """
    from sebench.contracts.degradation import verdicts
    from sebench.degradations.base import Degradation

    _require_class(config, "degradations", name)
    entry = config.get("degradations", name).entry
    item = items.get(DEGRADATION, entry.type)
    broken = 0
    for params in drawn.corners(item, entry.params):
        description = {"type": entry.type, "params": params}
        build = functools.partial(items.build, description, "degradation")
        _built("degradation", name, build, Degradation)
        yield name + (f" ({', '.join(f'{key}={value}' for key, value in params.items())})" if params else "")
        for verdict in verdicts(build):
            broken += not verdict[1]
            yield line(verdict)
    _end(name, broken)


def check_stage(name: str) -> Iterator[str]:
    """Lines of the verdicts on a kind of stage, with its defaults: it trains tiny networks in a temporary folder.

    Raises:
        SebenchError: there is no such kind.
        ContractBroken: at the end, if something does not hold.
    """
    from sebench.training.contract import Subject, verdicts

    try:
        items.get(STAGE, name)
    except items.ItemError as error:
        raise SebenchError(f"{name}: cannot be checked as a kind of stage: {error}") from None
    yield name
    broken = 0
    with tempfile.TemporaryDirectory(prefix="sebench-check-") as folder:
        for verdict in verdicts(Subject(name, Path(folder))):
            broken += not verdict[1]
            yield line(verdict)
    _end(name, broken)


def _require_class(config: Config, section: str, name: str) -> None:
    """Say what a name is that belongs to another section, and that a path names no class."""
    kind = ITEM_SECTIONS[section]
    if ":" in name:
        try:
            items.find(kind, name)
        except items.ItemError as error:
            raise SebenchError(f"{name}: cannot be checked as a {kind}: {error}") from None
        return
    if name in config.names(section):
        return
    others = [ONE.get(other, other) for other in config.sections if name in config.names(other)]
    if others:
        raise SebenchError(f"{name}: is no {kind}; there is a {' and a '.join(others)} of that name")


def _built(kind: str, name: str, build: Callable[[], object], cls: type[T]) -> T:
    with from_outside(f"{name}: cannot be built"):
        made = build()
    if not isinstance(made, cls):
        base = f"{cls.__module__}.{cls.__name__}"
        raise SebenchError(f"{name}: makes a {type(made).__name__}, which is no {kind}: derive it from {base}")
    return made


def _end(name: str, broken: int) -> None:
    if broken:
        raise ContractBroken(f"{name}: {broken} check{'s' if broken > 1 else ''} failed")

"""From the spec of a run to its stage and its networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from sebench.config import items
from sebench.config.annotations import EntryOf
from sebench.config.facts import NETWORKS, STAGE, StageFacts
from sebench.errors import DataError
from sebench.training.stage import Context, Stage, build_model, build_network


def kind_of(spec: Mapping[str, Any]) -> items.Item[StageFacts]:
    """The kind of stage of a run, from its spec.

    Raises:
        ItemError: there is no such kind.
    """
    return items.get(STAGE, spec["stage"]["kind"])


def networks_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Networks of a run's spec by name -> which kind of item each is."""
    marks = {name: param.mark for name, param in kind_of(spec).params.items()}
    named = {name: mark.kind for name, mark in marks.items() if isinstance(mark, EntryOf) and mark.kind in NETWORKS}
    return {"model": "model", **named}


def build_stage(context: Context) -> Stage:
    """The stage that a run's spec describes, started.

    Raises:
        ItemError: there is no such kind, or its code is not what was planned.
        DataError: the class is no kind of stage.
    """
    spec = context.spec
    kind = kind_of(spec)
    params = {name: (spec if name in networks_of(spec) else spec["stage"])[name] for name in kind.params}
    planned = {name: spec[name] for name in ("version", "code") if name in spec}
    stage = items.build({"type": spec["stage"]["kind"], "params": params, **planned}, STAGE)
    if not isinstance(stage, Stage):
        raise DataError(f"{kind.path} is no kind of stage: derive it from {Stage.__module__}.Stage")
    stage.start(context)
    return stage


def fresh_product(spec: Mapping[str, Any]) -> nn.Module:
    """The untrained product of a run."""
    product = kind_of(spec).facts.publishes[0]
    if product == "model":
        return build_model(spec["model"], spec["seed"])
    network: nn.Module = build_network(networks_of(spec)[product], spec[product], spec["seed"])
    return network

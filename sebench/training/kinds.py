"""From the spec of a run to its stage and its networks."""

from __future__ import annotations

from torch import nn

from sebench.config import items
from sebench.config.annotations import EntryOf
from sebench.config.facts import NETWORKS, STAGE, StageFacts
from sebench.config.specs import RunSpec
from sebench.errors import DataError
from sebench.training.stage import Context, Stage, build_model, build_network


def kind_of(spec: RunSpec) -> items.Item[StageFacts]:
    """The kind of stage of a run.

    Raises:
        ItemError: there is no such kind.
    """
    return items.get(STAGE, spec.stage.kind)


def networks_of(kind: items.Item[StageFacts]) -> dict[str, str]:
    """Networks of a run of a kind of stage, as its spec names them -> which kind of item each is."""
    marks = {name: param.mark for name, param in kind.params.items()}
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
    params = {name: (spec.stage.own | spec.own)[name] for name in kind.params}
    planned = {"version": spec.version} if spec.code is None else {"version": spec.version, "code": spec.code}
    stage = items.build({"type": spec.stage.kind, "params": params, **planned}, STAGE)
    if not isinstance(stage, Stage):
        raise DataError(f"{kind.path} is no kind of stage: derive it from {Stage.__module__}.Stage")
    stage.start(context)
    return stage


def fresh_product(spec: RunSpec) -> nn.Module:
    """The untrained product of a run."""
    kind = kind_of(spec)
    product = kind.facts.publishes[0]
    if product == "model":
        return build_model(spec.model, spec.seed)
    network: nn.Module = build_network(networks_of(kind)[product], spec.own[product], spec.seed)
    return network

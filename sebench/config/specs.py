"""The specs of nodes as their steps read them. The plan makes a node's mapping from one, and what is read is checked.

Specs of tables stand in `tables.py`, those of figures with each kind of figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import pydantic
from pydantic import ConfigDict, Field

from sebench.config.base import Align, Spec
from sebench.config.mixing import Mixing
from sebench.errors import DataError

Item = dict[str, Any]


class NodeSpec(Spec):
    """Base: what a field without a default is, every such spec says; the others it says where they are not the default,
    so that a new field leaves the ids of nodes that do not use it.
    """

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Self:
        """The spec that a node carries.

        Raises:
            DataError: it is another than this version of sebench makes.
        """
        try:
            return cls.model_validate(dict(spec))
        except pydantic.ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise DataError(f"a {cls.__name__} that is none of this version of sebench ({told}); plan again") from None

    def mapping(self) -> dict[str, Any]:
        """What a node carries."""
        fields = type(self).model_fields.items()
        return {
            name: getattr(self, name)
            for name, field in fields
            if field.is_required() or getattr(self, name) != field.get_default(call_default_factory=True)
        }


class CorpusSpec(NodeSpec):
    """Of a corpus."""

    item: Item = Field(description="its adapter: type, version or code hash, params")
    fingerprint: str = Field(description="of its files; empty where it is made")
    packages: dict[str, str] = Field(description="that decide what is made: name -> version")
    strict: bool = False
    align: Align | None = None


class MixturesSpec(NodeSpec):
    """Of a plan of mixtures."""

    version: int
    split: str
    count: int | None
    seed: int
    seconds: float | None
    snr_db: float | None = Field(description="of all of them; None: as the mixing draws them, or as published")
    part: str | None = Field(description="a published test set of the corpus")
    mixing: Item = Field(description="an entry, resolved")
    degradations: list[Item] = Field([], description="of what is mixed: items with probability and packages")

    @property
    def draws(self) -> Mixing:
        """How they are drawn."""
        return Mixing.model_validate(self.mixing)


class SetSpec(NodeSpec):
    """Of a rendered set."""

    version: int
    sample_rate: int = Field(description="in Hz")


class OpenSpec(NodeSpec):
    """A spec with what a kind of stage gives it besides, under the names of that kind's parameters (`own`)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def own(self) -> dict[str, Any]:
        """What is there besides the fields."""
        return dict(self.model_extra or {})

    def mapping(self) -> dict[str, Any]:
        """See `NodeSpec.mapping`."""
        return {**super().mapping(), **self.own}


class StageSpec(OpenSpec):
    """Of a stage: a run's amounts and settings; `own` are parameters of its kind that name no network."""

    kind: str = Field(description="name of the item, or its dotted path")
    steps: int
    batch_size: int
    segment_seconds: float | None = Field(description="of a batch's segments; None: whole utterances")
    optimiser: Item
    schedule: Item
    clip_norm: float | None
    augment: list[str]
    validate_every: int = Field(description="steps")
    validate_by: Literal["loss"] | dict[Literal["metric"], Item]
    keep: str
    precision: str
    threads: int
    devices: int
    freeze: list[str] = Field(description="submodules of the model")
    mixtures: int | None = Field(None, description="so many of the training set alone")

    @property
    def metric(self) -> Item | None:
        """What validation measures; None: the loss, or what the kind of stage says."""
        return None if self.validate_by == "loss" else self.validate_by["metric"]


class RunSpec(OpenSpec):
    """Of a run; `own` are the networks beside the model, which parameters of its kind of stage name."""

    version: int
    code: str | None = Field(None, description="of a kind of stage from outside")
    stage: StageSpec
    model: Item
    loss: Item = Field({}, description="resolved; of a kind of stage that trains by one")
    seed: int
    init: dict[str, str] = Field(description="what starts from another run -> that parent's role")

    @property
    def networks(self) -> dict[str, Item]:
        """The model, and the others by name."""
        return {"model": self.model, **self.own}

    def mapping(self) -> dict[str, Any]:
        """See `NodeSpec.mapping`."""
        return {**super().mapping(), "stage": self.stage.mapping()}


class EnhancedSpec(NodeSpec):
    """Of an enhanced set."""

    version: int
    seed: int | None = Field(None, description="of a choice's runs")
    external: Item | None = Field(None, description="a model that others trained, with the SHA-256 of its file")


class ScoresSpec(NodeSpec):
    """Of the scores of a set."""

    version: int
    metrics: list[Item] = Field(description="each with what computes it")


class ChoiceSpec(NodeSpec):
    """Of the choice of a sweep's best value."""

    version: int
    axis: str = Field(description="the parameter that is swept")
    by: str = Field(description="what validation measures")
    higher_is_better: bool
    values: list[str]
    seeds: list[int]


class ComplexitySpec(NodeSpec):
    """Of the parameters and operations of a model."""

    version: int
    model: Item

"""The columns of tables: what a study says about them, and what a table's node carries of each.

Tables make columns of scores and of agreement from their own layouts. Any other column is of a kind that `columns:`
names: `sebench.columns` has `complexity`, another package may have more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from sebench.config.base import EachOnce, MetricName, OfAKind, OptionalText, Spec, Strict, Text
from sebench.config.facts import COLUMN
from sebench.config.keys import Words


def _as_column(value: Any) -> Any:
    return {"metric": value} if isinstance(value, str) else value


#: Test sets or conditions that are averaged.
Over = Annotated[list[Annotated[Text, Words("test set or condition")]], EachOnce]


class MetricColumn(Strict):
    """A column with one metric, averaged over all conditions."""

    metric: MetricName = Field(description="one of the study's")
    column: Annotated[OptionalText, Words(default="the metric's label")] = Field(default="", description="header")
    digits: Annotated[int | None, Words(default="3 for metrics between -1 and 1, else 2")] = Field(
        default=None, ge=0, le=6, description="decimals"
    )
    over: Annotated[Over, Words("list of test sets or conditions", "the table's")] = Field(
        default=[], description="what is averaged"
    )


#: What `sebench.models.complexity` counts.
COMPLEXITY_KEYS = (
    "parameters",
    "trainable_parameters",
    "frames_per_second",
    "uses_per_second",
    "macs_per_second",
    "network_macs_per_second",
    "flops_per_second",
    "delay_samples",
    "delay_ms",
)


class ColumnLayout(OfAKind):
    """A column of a kind that `type` names: `complexity`, or one of another package."""

    item_kind = COLUMN
    attribute = "layout"
    default_type = "complexity"

    type: Annotated[Text, Words("kind of column, or `package.module:Class`")] = Field(
        default="complexity", description="`complexity`: a number of `complexity.json`"
    )
    column: Text = Field(description="header")


class NumberColumn(ColumnLayout):
    """A column with one number of complexity.json."""

    key: Text = Field(description=f"key of `complexity.json`: {', '.join(f'`{key}`' for key in COMPLEXITY_KEYS)}")
    style: Literal["si", "plain"] = Field(default="si", description="16.4K, or plain digits")
    digits: int = Field(default=1, ge=0, le=6, description="decimals")
    unit: str = Field(default="", description="in brackets behind the header")


MetricColumns = list[
    Annotated[
        MetricColumn,
        BeforeValidator(_as_column, json_schema_input_type=MetricColumn | Text),
        Words("metric column"),
    ]
]


class ScoreColumn(Spec):
    """Mean over conditions of the mean over utterances."""

    kind: ClassVar[str] = "score"
    name: str
    group: str = Field(default="", description="of a matrix")
    metric: str = Field(description="name in the score file")
    conditions: list[str] = Field(min_length=1)
    higher_is_better: bool = True
    unit: str = ""
    note: str = Field(default="", description="beside the name; with one, no printed numbers stand beside ours")
    digits: int = 2
    version: int = 1


class ComplexityColumn(Spec):
    """A number of complexity.json."""

    kind: ClassVar[str] = "complexity"
    name: str
    key: str
    style: Literal["si", "plain"] = "si"
    digits: int = 1
    version: int = 1
    unit: str = ""
    higher_is_better: bool = False


class AgreementColumn(Spec):
    """How well predicted scores agree with measured ones."""

    kind: ClassVar[str] = "agreement"
    name: str
    metric: str = Field(description="what is measured, by its name in the score file")
    statistic: Literal["mae", "lcc"]
    signal: Literal["enhanced", "noisy"]
    higher_is_better: bool
    unit: str = ""
    note: str = Field(default="", description="as of a column of scores")
    digits: int = 2
    version: int = 1


class OwnColumn(Spec):
    """Base of what a column of another package's kind carries."""

    kind: str = Field(default="", description="package.module:Class; filled in when planned")
    code: str = Field(default="", description="hash of that; filled in when planned")
    name: str
    higher_is_better: bool = True
    unit: str = ""
    note: str = Field(default="", description="as of a column of scores")
    style: Literal["si", "plain"] = "plain"
    digits: int = 2
    reads: tuple[Literal["run", "complexity", "scores"], ...] = Field((), description="parents of a row that it reads")


def _as_spec(value: Any) -> Any:
    """The spec of another package's kind of column, as that kind reads it."""
    if not isinstance(value, Mapping) or "kind" not in value:
        return value
    from sebench.config import items

    return items.build({"type": value["kind"], "code": value["code"]}, COLUMN).spec.model_validate(value)


Column = SerializeAsAny[
    Annotated[ScoreColumn | AgreementColumn | ComplexityColumn | OwnColumn, BeforeValidator(_as_spec)]
]


class ShownMetric(Spec):
    """A metric as a table shows it: its entry's label, and of the facts of its item those that a column needs."""

    label: str
    higher_is_better: bool = True
    unit: str = ""
    bounds: tuple[float | None, float | None] = (None, None)
    name: str = Field(default="", description="name in score files, where it is not the key of the mapping")
    instead_of: str = Field(default="", description="the metric that it stands in for, on a scale of its own")

    @property
    def note(self) -> str:
        """What stands beside the name of a column."""
        return "other scale" if self.instead_of else ""

"""Tables of keys: types, defaults and meanings in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MaxLen, MinLen
from pydantic import BeforeValidator, Field

from sebench.config.annotations import EntryOf, Param
from sebench.config.keys import Words, keys, parameters, table, type_words


class Inner(pydantic.BaseModel):
    low: float


LIST_OR_ONE = BeforeValidator(lambda value: value, json_schema_input_type=list[str] | str)


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        (str, "text"),
        (bool, "`true`, `false`"),
        (Annotated[int, Ge(1), Le(64)], "integer, 1 to 64"),
        (Annotated[int, Field(ge=1, le=100_000_000)], "integer, at least 1"),
        (Annotated[float, Gt(0)], "number above 0"),
        (Annotated[float, Le(0)], "number, at most 0"),
        (Annotated[float, Lt(2)], "number, below 2"),
        (Annotated[float, Interval(gt=0, lt=1)], "number, above 0 to below 1"),
        (Literal["cut", "pad"], "`cut`, `pad`"),
        (float | None, "number"),
        (int | Literal["all"], "integer or `all`"),
        (list[str], "list of texts"),
        (Annotated[list[Annotated[float, Ge(0)]], MinLen(2), MaxLen(2)], "list of 2 numbers, at least 0"),
        (tuple[int, ...], "list of integers"),
        (tuple[float, float], "list of 2 numbers"),
        (dict[str, Any], "mapping"),
        (dict[Annotated[str, Words("loss")], Annotated[float, Words("weight")]], "mapping loss -> weight"),
        (dict[str, Annotated[dict[str, int], MinLen(1)]], "mapping text -> text -> integer"),
        (Inner, "mapping"),
        (list[Annotated[Inner, Words("block")]], "list of blocks"),
        (Annotated[list[str], LIST_OR_ONE], "list of texts or text"),
        (Annotated[str, EntryOf("metric")], "metric"),
    ],
)
def test_a_type_in_words(annotation: Any, told: str) -> None:
    assert type_words(annotation) == told


def test_a_table_has_a_row_for_each_key_and_one_for_those_that_differ_in_name_alone() -> None:
    class Base(pydantic.BaseModel):
        label: str = ""

    class Schema(Base):
        start: float = Field(alias="from", description="first")
        better: Annotated[str, Words("row")] = Field("", description="a row")
        worse: Annotated[str, Words("row")] = Field("", description="a row")
        clip: float | None = Field(0.5, gt=0, description="a|b")
        keep: Annotated[Literal["best", "last"] | None, Words(default="the stage's")] = None
        betas: list[float] = Field([0.9, 1.0])
        whole: bool = False
        inner: Inner = Inner(low=2)

    assert list(table(keys(Schema, base=Base), "key of it")) == [
        "| key of it | type | default | meaning |",
        "|---|---|---|---|",
        "| `from` | number | required | first |",
        "| `better`, `worse` | row | empty | a row |",
        r"| `clip` | number above 0, or null | 0.5 | a\|b |",
        "| `keep` | `best`, `last` | the stage's |  |",
        "| `betas` | list of numbers | `[0.9, 1]` |  |",
        "| `whole` | `true`, `false` | `false` |  |",
        "| `inner` | mapping | `{ low: 2 }` |  |",
    ]


def test_parameters_of_an_item_are_told_alike() -> None:
    text = "Annotated[float, Gt(0), Lt(1)]"
    found = list(parameters([Param("share", None, text, 0.1, meaning="of the speakers.")]))
    assert [(key.name, key.type, key.default, key.meaning) for key in found] == [
        ("share", "number, above 0 to below 1", "0.1", "of the speakers")
    ]

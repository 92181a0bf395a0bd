"""config/README.md names every key that a person can write, in backticks."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pydantic
import pytest

from sebench.config import items, mixing, schema
from sebench.config.columns import MetricColumn, NumberColumn
from sebench.config.facts import FIGURE
from sebench.config.tables import ClaimLayout, PredictorRow, TableLayout

README = Path(__file__).parents[2] / "config" / "README.md"


def _models(module: object) -> list[type[pydantic.BaseModel]]:
    own = [value for value in vars(module).values() if inspect.isclass(value)]
    return [
        value
        for value in own
        if issubclass(value, pydantic.BaseModel) and value.__module__ == module.__name__ and value.model_fields  # type: ignore[attr-defined]
    ]


MODELS = [
    *_models(schema),
    *_models(mixing),
    TableLayout,
    MetricColumn,
    PredictorRow,
    NumberColumn,
    PredictorRow,
    ClaimLayout,
    *(items.imported(item).layout for item in items.registry(FIGURE).values() if item.builtin),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.__module__.rpartition('.')[2]}.{model.__name__}")
def test_every_key_is_explained(model: type[pydantic.BaseModel]) -> None:
    prose = re.sub(r"^```.*?^```", "", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([a-z_0-9]+)`", prose))
    assert not {field.alias or name for name, field in model.model_fields.items()} - named


def test_models_are_found() -> None:
    assert {schema.StudyEntry, schema.StageEntry, mixing.Reverberation} <= set(MODELS)

"""config/README.md names every key that a person can write, in backticks, and the schema says what it means."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pydantic
import pytest

from sebench.config import columns, figures, items, mixing, schema, tables
from sebench.config.base import Strict
from sebench.config.facts import FIGURE

README = Path(__file__).parents[2] / "config" / "README.md"


def _models(*modules: object) -> list[type[Strict]]:
    own = [value for module in modules for value in vars(module).values() if inspect.isclass(value)]
    return list(dict.fromkeys(value for value in own if issubclass(value, Strict) and value.model_fields))


FIGURES = [items.imported(item).layout for item in items.registry(FIGURE).values() if item.builtin]
MODELS = [
    *_models(schema, mixing, tables, columns, figures, *map(inspect.getmodule, FIGURES)),
    *filter(None, map(schema.stage_model, items.registry("stage").values())),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.__module__.rpartition('.')[2]}.{model.__name__}")
def test_every_key_is_explained(model: type[pydantic.BaseModel]) -> None:
    prose = re.sub(r"^```.*?^```", "", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([a-z_0-9]+)`", prose))
    assert not {field.alias or name for name, field in model.model_fields.items()} - named
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_models_are_found() -> None:
    assert {schema.StudyEntry, schema.StageEntry, mixing.Reverberation, tables.ClaimLayout, *FIGURES} <= set(MODELS)

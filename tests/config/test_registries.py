"""What a key accepts is what the code has that does it."""

from __future__ import annotations

import typing

import pydantic
import pytest

from sebench.config import schema
from sebench.config.mixing import Mixing
from sebench.config.registries import AUGMENTATIONS, MEASURES, OPTIMISERS, PRECISIONS, SCHEDULES, accepted, registered
from sebench.config.source import SourceError
from sebench.synthesis import levels
from sebench.training import augment, device, optimisers, schedules


@pytest.mark.parametrize(
    ("place", "there"),
    [
        (OPTIMISERS, optimisers.OPTIMISERS),
        (SCHEDULES, schedules.SCHEDULES),
        (AUGMENTATIONS, augment.AUGMENTATIONS),
        (PRECISIONS, device.PRECISIONS),
        (MEASURES, levels.MEASURES),
    ],
)
def test_the_words_are_those_of_the_code(place: str, there: typing.Iterable[str]) -> None:
    assert typing.get_args(accepted(place)) == tuple(there)


def test_a_word_has_the_title_and_the_facts_of_its_code() -> None:
    plateau = registered(SCHEDULES)["halve_on_plateau"]
    assert plateau.title.startswith("Half the rate after `patience` validations")
    assert plateau.facts["reads"] == schedules.HalveOnPlateau.reads == ("warmup_steps", "patience", "stop_lr")
    assert registered(AUGMENTATIONS)["remix"].title.endswith("at the SNR that the noise had.")


def test_every_key_of_a_schedule_is_read_by_a_type() -> None:
    assert set(schema.ScheduleEntry.model_fields) == {"type", *schema.SCHEDULE_KEYS}
    assert all(schema.SCHEDULE_KEYS.values())


@pytest.mark.parametrize(
    ("model", "wrong", "words"),
    [
        (schema.Optimiser, {"type": "sgd"}, "'adam' or 'adamw'"),
        (schema.StageEntry, {"name": "a", "precision": "16"}, "'32-true' or 'bf16-mixed'"),
        (schema.StageAmounts, {"hears": "noise"}, "'enhanced' or 'both'"),
        (Mixing, {"speech_level_measure": "peak"}, "'p56', 'rms' or 'active_rms'"),
    ],
)
def test_another_word_is_refused_with_those_that_there_are(
    model: type[pydantic.BaseModel], wrong: dict[str, str], words: str
) -> None:
    with pytest.raises(pydantic.ValidationError, match=words):
        model.model_validate(wrong)


def test_what_is_no_registry_is_named() -> None:
    with pytest.raises(SourceError, match=r"sebench\.training\.schedules has no mapping or tuple NOTHING"):
        registered("training.schedules:NOTHING")

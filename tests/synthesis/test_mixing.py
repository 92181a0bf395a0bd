"""The schema of config/mixing, and the shipped entries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sebench.config.mixing import Mixing, OneOf, Reverberation, Uniform, bounds, draw
from sebench.seeding import generator

CONFIG = Path(__file__).parents[2] / "config" / "mixing"
ENTRIES = {
    name: entry for path in sorted(CONFIG.glob("*.yaml")) for name, entry in yaml.safe_load(path.read_text()).items()
}


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_shipped_entries_are_valid_and_described(name: str) -> None:
    mixing = Mixing.model_validate(ENTRIES[name])
    assert mixing.description
    assert Mixing.model_validate(mixing.model_dump(mode="json")) == mixing


def test_two_stage_covers_its_test_conditions() -> None:
    low, high = bounds(Mixing.model_validate(ENTRIES["two_stage"]).snr_db)
    assert low <= -5
    assert high >= 15


@given(low=st.floats(-60, 100), high=st.floats(-60, 100))
def test_ranges_must_be_ordered(low: float, high: float) -> None:
    if low > high:
        with pytest.raises(ValidationError, match="above highest"):
            Uniform(uniform=(low, high))
    else:
        drawn = draw(Uniform(uniform=(low, high)), generator(low, high))
        assert low <= drawn <= high


@given(values=st.lists(st.floats(-60, 100), min_size=1, max_size=6))
def test_choices_are_drawn_from(values: list[float]) -> None:
    mixing = Mixing.model_validate({"snr_db": {"choice": values}})
    assert draw(mixing.snr_db, generator("choice")) in values


@given(value=st.floats(-1000, 1000))
def test_snr_outside_its_range_is_refused(value: float) -> None:
    if -60 <= value <= 100:
        assert Mixing.model_validate({"snr_db": value}).snr_db == value
    else:
        with pytest.raises(ValidationError, match="snr_db"):
            Mixing.model_validate({"snr_db": value})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"snr": 5}, "snr"),
        ({"snr_db": {"uniform": [-5]}}, "uniform"),
        ({"snr_db": {"choice": []}}, "choice"),
        ({"mixture_level_dbov": -20}, "both of the two levels"),
        ({"speech_level_dbov": None}, "neither of the two levels"),
        ({"speech_level_dbov": 3}, "speech_level_dbov"),
        ({"speech_level_measure": "peak"}, "p56"),
        ({"seconds": 0}, "seconds"),
        ({"reverberation": {"probability": 1.5}}, "probability"),
        ({"reverberation": {"absorption": 0}}, "absorption"),
        ({"reverberation": {"distance": {"uniform": [0.1, 2]}}}, "distance"),
        ({"reverberation": {"room_z": {"choice": [0.2]}}}, "room_z"),
    ],
)
def test_mistakes_are_named(entry: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Mixing.model_validate(entry)


def test_every_field_is_documented() -> None:
    for model in (Mixing, Reverberation, Uniform, OneOf):
        assert all(field.description for field in model.model_fields.values())


def test_the_planner_can_import_it_without_numpy() -> None:
    heavy = ("numpy", "torch", "pandas", "scipy")
    code = f"import sys, sebench.config.mixing; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

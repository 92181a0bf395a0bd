"""Specs of nodes: what a node carries, and what is read from it."""

from __future__ import annotations

import re

import pytest

from sebench.config.specs import CorpusSpec, EnhancedSpec, ScoresSpec, SetSpec
from sebench.errors import DataError

ITEM = {"type": "folder", "version": 3, "params": {}}


def test_a_node_carries_what_is_required_and_what_is_not_the_default() -> None:
    plain = CorpusSpec(item=ITEM, fingerprint="", packages={})
    assert plain.mapping() == {"item": ITEM, "fingerprint": "", "packages": {}}
    strict = CorpusSpec(item=ITEM, fingerprint="", packages={}, strict=True, align="cut")
    assert strict.mapping() == {**plain.mapping(), "strict": True, "align": "cut"}
    assert EnhancedSpec(version=1, seed=0).mapping() == {"version": 1, "seed": 0}


def test_what_a_node_carries_is_read_back() -> None:
    for spec in (SetSpec(version=3, sample_rate=48000), ScoresSpec(version=1, metrics=[ITEM]), EnhancedSpec(version=1)):
        assert type(spec).of(spec.mapping()) == spec


@pytest.mark.parametrize(
    ("carried", "told"),
    [
        ({"version": 3}, "sample_rate: Field required"),
        ({"version": 3, "sample_rate": 16000, "channels": 2}, "channels: Extra inputs are not permitted"),
        ({"version": 3, "sample_rate": "fast"}, "sample_rate: Input should be a valid integer"),
    ],
)
def test_a_spec_of_another_version_is_refused(carried: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"a SetSpec that is none of this version of sebench ({told}")):
        SetSpec.of(carried)

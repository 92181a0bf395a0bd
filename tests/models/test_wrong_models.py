"""Models that are not what they say are refused by name, with what was measured; others are not."""

from __future__ import annotations

import re

import pytest
import torch
import wrong_models

from sebench.contracts.model import Subject, broken

WRONG = {
    "LooksAhead": r"changes the output up to \d+ samples earlier.*looks ahead",
    "StartsAtZero": "looks ahead",
    "LooksFarAhead": r"changes the output up to 4000 samples earlier.*looks ahead",
    "ForgetsLate": r"streamed and offline output: difference up to [\d.e-]+ at a root mean square of",
    "Forgets": r"streamed and offline output: difference up to [\d.e-]+ at a root mean square of",
    "NoView": "declares the view 'mask': the model gives no view 'mask'",
    "ByChance": "the same input twice",
    "Remembers": "the same input twice",
    "Unused": "no gradient reaches spare.bias, spare.weight",
    "NotFinite": "is not finite",
    "NoStream": r"causal = True .* and no `delay`",
    "Short": r"waveform of shape \(2, 2000\) for 2 signals of 2001 samples",
    "Mismatched": "gain times the noisy spectrum, and the spectrum: difference",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    found = broken(Subject(name, getattr(wrong_models, name)))
    assert found.startswith(f"model {name}: ")
    assert re.search(WRONG[name], found), found


@pytest.mark.parametrize("name", ["Frames", "Wave", "Weighted"])
def test_right(name: str) -> None:
    before = torch.get_rng_state()
    assert broken(Subject(name, getattr(wrong_models, name))) == ""
    assert torch.equal(before, torch.get_rng_state())


def test_frozen_parts_need_no_gradient() -> None:
    assert broken(Subject("Unused", wrong_models.Unused, frozen=("spare",))) == ""

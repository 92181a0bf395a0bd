"""Every kind of stage holds the contract of all, and one from outside too; what does not is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from sebench.config import items
from sebench.config.facts import STAGE
from sebench.training import contract

OUTSIDE = "contract_stage_kinds"
SOURCE = """
from typing import Annotated, Any

import torch
from annotated_types import Ge
from sebench.stages.alternating import Alternating
from sebench.stages.supervised import Supervised


class Adversarial(Supervised):
    '''One more step of the same.'''

    name = "adversarial"

    def __init__(self, *, strength: Annotated[float, Ge(0)] = 1.0) -> None:
        self.strength = strength


class Thawing(Supervised):
    '''It trains what is to stay.'''

    name = "thawing"

    def _set_training(self):
        self.model.train()


class Remembering(Supervised):
    '''Its steps depend on what no checkpoint holds.'''

    name = "remembering"
    steps = 0

    def step(self, number):
        self.steps += 1
        with torch.no_grad():
            self.parameters[0].mul_(1 + 0.001 * self.steps)
        return super().step(number)


class Forgetting(Alternating):
    '''It says that it publishes its predictor, and does not.'''

    name = "forgetting"

    def published(self):
        return {name: value for name, value in super().published().items() if "/" not in name}


class Unchecked(Supervised):
    '''It takes what it is given.'''

    name = "unchecked"

    def __init__(self, *, anything: Any = None) -> None:
        pass


class Telling(Supervised):
    '''It tells what it does not announce.'''

    name = "telling"

    def step(self, number):
        found = super().step(number)
        return type(found)({**found.terms, "adversary": 1.0}, found.norms)


class Blind(Supervised):
    '''It does not look at what it computes.'''

    name = "blind"

    def _score(self, i):
        return 0.0
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / f"{OUTSIDE}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", [*items.registry(STAGE), f"{OUTSIDE}:Adversarial"])
def test_every_kind_holds_the_contract(kind: str, check: contract.Check, tmp_path: Path) -> None:
    assert check(contract.Subject(kind, tmp_path / "stores")) == ""


@pytest.mark.parametrize("kind", ["alternating", "predictor"])
def test_a_predictor_that_hears_noisy_speech_too(kind: str, tmp_path: Path) -> None:
    assert contract.check_interruption(contract.Subject(kind, tmp_path / "stores", {"hears": "both"})) == ""


@pytest.mark.parametrize(
    ("kind", "check", "told"),
    [
        ("Thawing", contract.check_frozen, "front.normalise.running_mean is frozen and moved in step 0"),
        ("Remembering", contract.check_interruption, "interrupted after step 2, another "),
        ("Forgetting", contract.check_published, "its predictor"),
        ("Unchecked", contract.check_parameters, "parameter 'anything' takes"),
        ("Telling", contract.check_history, "`tells` does not name adversary"),
        ("Blind", contract.check_not_finite, "infinite samples in the set 'valid': status ok"),
    ],
)
def test_what_does_not_hold_is_told(kind: str, check: contract.Check, told: str, tmp_path: Path) -> None:
    found = list(contract.judged([check], contract.Subject(f"{OUTSIDE}:{kind}", tmp_path / "stores")))
    assert [holds for _, holds, _ in found] == [False]
    assert told in found[0][2]


def test_a_parameter_without_a_default_is_named(tmp_path: Path) -> None:
    path = tmp_path / "code" / f"{OUTSIDE}_more.py"
    path.write_text(SOURCE.replace("strength: Annotated[float, Ge(0)] = 1.0", "strength: float"))
    kind = f"{OUTSIDE}_more:Adversarial"
    (_, holds, told), *_ = contract.verdicts(contract.Subject(kind, tmp_path / "stores"))
    assert not holds
    assert told == f"SebenchError: {kind}: parameter 'strength' has no default: a kind is tested with its defaults"
    assert contract.check_published(contract.Subject(kind, tmp_path / "given", {"strength": 2.0})) == ""

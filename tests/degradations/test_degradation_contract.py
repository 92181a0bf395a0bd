"""The contract of degradations, over all that are registered: who adds one writes no test here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sebench.config.facts import DEGRADATION
from sebench.config.items import build, registry
from sebench.contracts.degradation import CHECKS, Check, verdicts
from sebench.degradations.base import Degradation
from sebench.errors import DataError

OTHER_PARAMS = {
    "butterworth": [{"low_hz": 300.0, "high_hz": 3400.0}, {"low_hz": 200.0, "high_hz": None}],
    "clipping": [{"form": "soft"}],
    "packet_loss": [{"fill": "repeat", "mean_burst": 3.0}],
    "bit_reduction": [{"scale": "mu_law"}, {"bits": 2}],
    "codec": [
        {"format": form, "compression": level} for form in ("mp3", "vorbis", "opus") for level in (0.0, 0.5, 0.9)
    ],
}
VARIANTS = [(name, {}) for name in registry("degradation")]
VARIANTS += [(name, params) for name, several in OTHER_PARAMS.items() for params in several]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "params"), VARIANTS, ids=str)
def test_contract(name: str, params: dict[str, object], check: Check) -> None:
    check(lambda: build({"type": name, "params": params}, "degradation"))


def test_facts_read_from_the_source_are_those_of_the_class() -> None:
    for item in registry(DEGRADATION).values():
        made = build({"type": item.type, "params": {}}, "degradation")
        for fact in ("version", "frequencies", "packages", "source"):
            assert getattr(item.facts, fact) == getattr(made, fact)
        assert set(item.facts.frequencies) <= set(item.params)
        assert item.title


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_one_of_the_docs_holds_it(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "adding.md").read_text(encoding="utf-8")
    code = re.search(r'```python\n("""Degradations.*?)```', text, re.DOTALL)
    assert code is not None
    (tmp_path / "docs_degradations.py").write_text(code[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    check(lambda: build({"type": "docs_degradations:Hum", "params": {}}, "degradation"))


WRONG: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "As many": lambda signal: signal[1:],
    "Silence": lambda signal: signal + 0.01,
    "Its parameters": lambda signal: signal * np.random.random(),
    "Speech is not delayed": lambda signal: np.roll(signal, 40),
}


@pytest.mark.parametrize("broken", WRONG)
def test_one_that_does_not_hold_it_is_found(broken: str) -> None:
    class Wrong(Degradation):
        def degrade(self, signal, sample_rate, rng):  # type: ignore[no-untyped-def]
            return WRONG[broken](signal)

    found = {what: holds for what, holds, _ in verdicts(Wrong)}
    assert not next(holds for what, holds in found.items() if what.startswith(broken))


def test_what_is_not_finite_is_an_error_with_its_name() -> None:
    class Wrong(Degradation):
        name = "wrong"

        def degrade(self, signal, sample_rate, rng):  # type: ignore[no-untyped-def]
            return signal * np.inf

    with pytest.raises(DataError, match="'wrong' made samples that are not finite"):
        Wrong().apply(np.ones(4, np.float32), 16000, np.random.default_rng(0))

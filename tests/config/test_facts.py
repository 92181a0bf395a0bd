"""Facts of items: read from source text, of the types that their kind says, and refused where they are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sebench.config import items
from sebench.config.facts import ITEM_KINDS, LOSS, METRIC


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A module with one class of that body."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(module: str, *lines: str) -> str:
        body = "".join(f"    {line}\n" for line in lines)
        (tmp_path / f"{module}.py").write_text(f"import math\n\n\nclass Mine:\n{body}")
        return f"{module}:Mine"

    return write


def test_a_fact_of_the_wrong_type_is_refused(written) -> None:
    path = written("facts_wrong", 'sample_rate = "16k"')
    with pytest.raises(items.ItemError, match="facts_wrong:Mine: `sample_rate` is '16k'; accepted: a whole number"):
        items.get(METRIC, path)


def test_a_fact_outside_the_list_is_refused(written) -> None:
    path = written("facts_listed", 'optimum = "zero"')
    with pytest.raises(items.ItemError, match="`optimum` is 'zero'; accepted: 'target', 'any_scale', 'gain', 'none'"):
        items.get(LOSS, path)


def test_a_fact_that_only_running_tells_is_refused(written) -> None:
    path = written("facts_computed", "bounds = (0.0, math.pi)")
    with pytest.raises(items.ItemError, match="`bounds` is no literal"):
        items.get(METRIC, path)


def test_other_class_attributes_are_its_own(written) -> None:
    path = written("facts_other", "table = math.pi", "needs_noisy = True")
    assert items.get(METRIC, path).facts == METRIC.facts(needs_noisy=True)


def test_one_error_for_what_is_not_there() -> None:
    with pytest.raises(items.ItemError, match=r"no loss 'mag_mes'; accepted: .*did you mean 'mag_mse'\?"):
        items.get(LOSS, "mag_mes")


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_every_fact_may_be_left_unsaid(kind: str) -> None:
    assert all(field.default is not dataclasses.MISSING for field in dataclasses.fields(ITEM_KINDS[kind].facts))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in ITEM_KINDS for name in items.registry(kind)])
def test_no_item_repeats_what_its_base_says(kind: str, name: str) -> None:
    cls = items.imported(items.registry(kind)[name])
    own = vars(cls)
    for field in dataclasses.fields(ITEM_KINDS[kind].facts):
        inherited = [vars(base)[field.name] for base in cls.__mro__[1:] if field.name in vars(base)]
        if field.name in own and inherited and field.name not in ("version", "requires"):
            assert own[field.name] != inherited[0], f"{cls.__name__}.{field.name} repeats its base"

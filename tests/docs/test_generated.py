"""What is generated from the code is committed as it is now; rules and the table of kinds have each other's names."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import jsonschema
import pytest

from sebench.config.entries import SECTIONS
from sebench.config.yaml_lines import load
from sebench.files import read_json
from sebench.kinds import KINDS

ROOT = Path(__file__).parents[2]


def _module():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _module()


@pytest.mark.parametrize("file", generate.PARTS)
def test_what_is_committed_is_what_is_generated(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert generate.generated(text, generate.PARTS[file]) == text, "make docs"


@pytest.mark.parametrize("file", generate.FILES)
def test_a_schema_that_is_committed_is_that_of_the_code(file: str) -> None:
    assert (ROOT / file).read_text(encoding="utf-8") == generate.FILES[file](), "make docs"


@pytest.mark.parametrize("section", SECTIONS)
def test_editors_accept_what_is_shipped(section: str) -> None:
    schema = read_json(ROOT / f"config/schema/{section}.json")
    for path in (ROOT / "config" / section).glob("*.yaml"):
        jsonschema.validate(load(path).data, schema)


def test_editors_refuse_a_key_that_is_none_and_a_word_for_a_number() -> None:
    schema = read_json(ROOT / "config/schema/scales.json")
    scale = load(ROOT / "config/scales/scales.yaml").data["smoke"]
    for wrong in ({"stepz": 3}, {"steps": "3"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"smoke": {**scale, **wrong}}, schema)


def _stage(**keys: object) -> dict[str, object]:
    return {"mine": {"stages": [{"name": "a", **keys}]}}


@pytest.mark.parametrize(
    ("keys", "fits"),
    [
        ({}, True),
        ({"kind": "predictor", "predictor": "pesqnet", "labels": "pesq_wb", "hears": "both"}, True),
        ({"kind": "my_package.stages:Mine", "rounds": 3}, True),
        ({"optimiser": {"type": "sgd"}}, False),
        ({"kind": "predictor", "labels": "pesq_wb"}, False),
        ({"kind": "predictor", "predictor": "pesqnet", "labels": "pesq_wb", "hears": "all"}, False),
        ({"labels": "pesq_wb"}, False),
        ({"kind": "supervised", "efort": 2}, False),
    ],
)
def test_editors_know_the_keys_of_each_kind_of_stage(keys: dict[str, object], fits: bool) -> None:
    schema = read_json(ROOT / "config/schema/recipes.json")
    assert jsonschema.Draft202012Validator(schema).is_valid(_stage(**keys)) == fits


def test_of_two_parts_whose_names_begin_alike_each_is_its_own() -> None:
    parts = {"mix": lambda: iter(["one"]), "mix of all": lambda: iter(["two"])}
    lines = "<!-- generated: mix of all (make docs) -->\n<!-- end of mix of all -->\n# generated: mix\n# end of mix\n"
    assert generate.generated(lines, parts).splitlines()[1::3] == ["two", "one"]


def test_a_part_that_is_missing_is_named() -> None:
    parts = {"x": lambda: iter(["new"])}
    assert generate.generated("a\n# generated: x\nold\n# end of x\nb\n", parts) == (
        "a\n# generated: x\nnew\n# end of x\nb\n"
    )
    with pytest.raises(ValueError, match="end of x"):
        generate.generated("# generated: x\n", parts)


def test_every_kind_has_its_step_and_its_rule() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow" / "rules").glob("*.smk")]
    rules = {name for text in texts for name in re.findall(r"^(?:rule|use rule \w+ as) (\w+)", text, re.MULTILINE)}
    assert {kind.rule for kind in KINDS.values() if kind.rule} == rules
    assert {name for kind in KINDS.values() for name in kind.batches} == {k.name for k in KINDS.values() if k.batch}
    assert all(bool(kind.rule) != bool(kind.batches) for kind in KINDS.values())
    for kind in KINDS.values():
        module, _, function = (kind.whole or f"{kind.step}:run").partition(":")
        for name, called in ((module, function), (kind.step, "run")):
            source = (ROOT / "sebench" / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
            assert f"\ndef {called}(node: Node, store: Store" in source, (kind.name, name, called)

"""What is generated from the code is committed as it is now; rules and the table of kinds have each other's names."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

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

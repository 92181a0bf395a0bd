"""What committed files say of the code is generated from it: `make docs` rewrites these parts, and a test compares.

A part stands between two lines of its file that hold `generated: NAME` and `end of NAME`, in that file's comments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sebench.config.entries import SECTIONS
from sebench.config.schema import Settings
from sebench.files import write_text
from sebench.kinds import KINDS

ROOT = Path(__file__).parents[1]


def kinds() -> Iterator[str]:
    """The table of the kinds of nodes."""
    yield "| kind | made by | rule | spec (hashed) | parents |"
    yield "|---|---|---|---|---|"
    for kind in KINDS.values():
        if not kind.batch:
            rules = ", ".join(f"`{KINDS[name].rule}`" for name in kind.batches) or f"`{kind.rule}`"
            yield f"| {kind.name} | `sebench.{kind.step}:run` | {rules} | {kind.spec} | {kind.parents} |"


def batches() -> Iterator[str]:
    """The table of the batches."""
    yield "| batch | rule | priority | what one job makes |"
    yield "|---|---|---|---|"
    for kind in KINDS.values():
        if kind.batch:
            yield f"| {kind.name} | `{kind.rule}` | {kind.priority} | {kind.word} |"


def outs() -> Iterator[str]:
    """What DVC keeps of the store: every kind's folder that holds results, and what is beside them."""
    folders = [kind.folder for kind in KINDS.values() if kind.name != "publication" and not kind.batch]
    for folder in (*folders, "frozen", "state"):
        yield f"      - results/{folder}:"
        yield "          persist: true"


#: file -> name of a part -> its lines
PARTS: Mapping[str, Mapping[str, Callable[[], Iterator[str]]]] = {
    "docs/architecture.md": {"kinds": kinds, "batches": batches},
    "dvc.yaml": {"outs": outs},
}


def schema(model: Any) -> str:
    """The JSON schema of a file of the configuration."""
    return json.dumps(TypeAdapter(model).json_schema(), indent=1) + "\n"


#: file -> its whole text
FILES: Mapping[str, Callable[[], str]] = {
    "config/schema/config.json": partial(schema, Settings),
    **{f"config/schema/{section}.json": partial(schema, dict[str, entry]) for section, entry in SECTIONS.items()},  # type: ignore[valid-type]
}


def generated(text: str, parts: Mapping[str, Callable[[], Iterator[str]]]) -> str:
    """The text with its parts as they are now.

    Raises:
        ValueError: it does not have the two lines of a part.
    """
    lines = text.splitlines()
    for name, make in parts.items():
        first, last = (
            next((number for number, line in enumerate(lines) if mark in line), None)
            for mark in (f"generated: {name}", f"end of {name}")
        )
        if first is None or last is None or last < first:
            raise ValueError(f"no lines with 'generated: {name}' and, after it, 'end of {name}'")
        lines[first + 1 : last] = make()
    return "\n".join(lines) + "\n"


def main() -> None:
    """Rewrite the parts that have changed."""
    for file, parts in PARTS.items():
        path = ROOT / file
        before = path.read_text(encoding="utf-8")
        after = generated(before, parts)
        if after != before:
            write_text(path, after)
            print(f"{file}: written")
    for file, text in FILES.items():
        path = ROOT / file
        if not path.exists() or path.read_text(encoding="utf-8") != text():
            write_text(path, text())
            print(f"{file}: written")


if __name__ == "__main__":
    main()

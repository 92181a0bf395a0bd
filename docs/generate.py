"""What committed files say of the code is generated from it: `make docs` rewrites these parts, and a test compares.

A part stands between two lines of its file that hold `generated: NAME` and `end of NAME`, in that file's comments.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pydantic
from pydantic import TypeAdapter

from sebench.config import items, mixing, registries, schema, tables
from sebench.config.columns import MetricColumn, NumberColumn
from sebench.config.entries import SECTIONS
from sebench.config.facts import FIGURE, STAGE
from sebench.config.figures import FigureLayout
from sebench.config.keys import Key, keys, parameters, table
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


#: Table of config/README.md -> its schema, the base of it whose keys stand in another table, and its first heading.
KEYS: Mapping[str, tuple[type[pydantic.BaseModel], type[pydantic.BaseModel] | None, str]] = {
    "config.yaml": (schema.Settings, None, "key"),
    "every entry": (schema.Entry, None, "key"),
    "losses": (schema.LossEntry, schema.Entry, "key"),
    "mix": (schema.Mix, None, "key"),
    "metrics": (schema.MetricEntry, schema.Entry, "key"),
    "corpora": (schema.CorpusEntry, schema.Entry, "key"),
    "external": (schema.ExternalEntry, schema.Entry, "key"),
    "mixing": (mixing.Mixing, schema.Entry, "key"),
    "reverberation": (mixing.Reverberation, None, "key"),
    "degradations": (mixing.DegradationEntry, schema.Entry, "key"),
    "recipes": (schema.RecipeEntry, schema.Entry, "key"),
    "stage": (schema.StageEntry, None, "key"),
    "optimiser": (schema.Optimiser, None, "key"),
    "schedule": (schema.ScheduleEntry, None, "key"),
    "scales": (schema.ScaleEntry, schema.Entry, "key"),
    "studies": (schema.StudyEntry, None, "key"),
    "block": (schema.GridBlock, None, "key of a block"),
    "exclusion": (schema.Exclusion, None, "key of an exclusion"),
    "conditions": (schema.Conditions, None, "key of `conditions`"),
    "test set": (schema.TestSet, None, "key of a test set"),
    "selection": (schema.Selection, None, "key of `select`"),
    "choice": (schema.ChoiceEntry, None, "key"),
    "scale of a study": (schema.StudyAmounts, schema.Amounts, "key"),
    "stage of a scale": (schema.StageAmounts, None, "key of a stage's changes"),
    "table": (tables.TableLayout, None, "key"),
    "metric column": (MetricColumn, None, "key"),
    "predictor row": (tables.PredictorRow, None, "key"),
    "number column": (NumberColumn, None, "key"),
    "figure": (FigureLayout, None, "key"),
    "claim": (tables.ClaimLayout, None, "key"),
}
#: Items whose parameters have a table there.
PARAMETERS = (("corpus", "chime2_wsj0"), ("corpus", "wsj0"), ("corpus", "dns_challenge"), ("external", "onnx_gain"))


def own_parameters() -> Iterator[str]:
    """The table of the keys that only stages of some kinds have."""
    kinds: dict[Key, list[str]] = {}
    for item in items.registry(STAGE).values():
        for key in parameters(item.params.values()) if item.builtin else ():
            kinds.setdefault(key, []).append(f"`{item.type}`")
    yield "| key | kinds | type | default | meaning |"
    yield "|---|---|---|---|---|"
    for key, names in kinds.items():
        yield f"| `{key.name}` | {', '.join(names)} | {key.type} | {key.default} | {key.meaning} |"


def figures() -> Iterator[str]:
    """Tables of the keys of each kind of figure, and of the mappings in it."""
    for item in items.registry(FIGURE).values():
        if item.builtin:
            layout = items.imported(item).layout
            yield from table(keys(layout, base=FigureLayout), f"key of `{item.type}`")
            yield ""
            for name, field in layout.model_fields.items():
                for inner in inner_schemas(field.annotation):
                    yield from table(keys(inner), f"key of `{name}` of `{item.type}`")
                    yield ""


def inner_schemas(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    """The schemas that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from inner_schemas(part)


def kinds_of(kind: str, heading: str) -> Iterator[str]:
    """The table of sebench's own items of a kind."""
    found = {item.type: item.title for item in items.registry(kind).values() if item.builtin}
    return words_of(found, heading)


def registered_in(place: str, heading: str) -> Iterator[str]:
    """The table of the words of a registry."""
    return words_of({word: known.title for word, known in registries.registered(place).items()}, heading)


def words_of(found: Mapping[str, str], heading: str) -> Iterator[str]:
    """A table of words and what each stands for."""
    yield f"| {heading} | what it is |"
    yield "|---|---|"
    for word, title in found.items():
        yield f"| `{word}` | {title.rstrip('.')} |"


def keys_of(model: type[pydantic.BaseModel], base: type[pydantic.BaseModel] | None, heading: str) -> Iterator[str]:
    """The table of a schema's keys."""
    return table(keys(model, base=base), heading)


def parameters_of(kind: str, name: str) -> Iterator[str]:
    """The table of an item's parameters."""
    return table(parameters(items.get(kind, name).params.values()), "parameter")


#: file -> name of a part -> its lines
PARTS: Mapping[str, Mapping[str, Callable[[], Iterator[str]]]] = {
    "config/README.md": {
        **{f"keys of {name}": partial(keys_of, *of) for name, of in KEYS.items()},
        **{f"parameters of {name}": partial(parameters_of, kind, name) for kind, name in PARAMETERS},
        "keys of figures": figures,
        "kinds of figures": partial(kinds_of, FIGURE, "type"),
        "kinds of stages": partial(kinds_of, STAGE, "kind"),
        "optimisers": partial(registered_in, registries.OPTIMISERS, "type"),
        "schedules": partial(registered_in, registries.SCHEDULES, "type"),
        "augmentations": partial(registered_in, registries.AUGMENTATIONS, "name"),
        "keys of kinds of stages": own_parameters,
    },
    "docs/architecture.md": {"kinds": kinds, "batches": batches},
    "dvc.yaml": {"outs": outs},
}


def json_schema(model: Any) -> str:
    """The JSON schema of a file of the configuration."""
    return json.dumps(TypeAdapter(model).json_schema(), indent=1) + "\n"


#: file -> its whole text
FILES: Mapping[str, Callable[[], str]] = {
    "config/schema/config.json": partial(json_schema, schema.Settings),
    **{f"config/schema/{section}.json": partial(json_schema, dict[str, entry]) for section, entry in SECTIONS.items()},  # type: ignore[valid-type]
}


def generated(text: str, parts: Mapping[str, Callable[[], Iterator[str]]]) -> str:
    """The text with its parts as they are now.

    Raises:
        ValueError: it does not have the two lines of a part.
    """
    lines = text.splitlines()
    for name, make in parts.items():
        first, last = (
            next((number for number, line in enumerate(lines) if re.search(rf"{mark} {name}(?! [a-z])", line)), None)
            for mark in ("generated:", "end of")
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

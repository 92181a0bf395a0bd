"""The entries of a configuration: what they are called, where they stand, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from sebench.config import items, schema
from sebench.config.mixing import DegradationEntry, Mixing
from sebench.config.source import SourceError
from sebench.config.yaml_lines import Document
from sebench.errors import ConfigError, Problem, choices, nearest

SECTIONS: Mapping[str, type[pydantic.BaseModel]] = {
    "losses": schema.LossEntry,
    "models": schema.ItemEntry,
    "predictors": schema.ItemEntry,
    "discriminators": schema.ItemEntry,
    "extractors": schema.ItemEntry,
    "metrics": schema.MetricEntry,
    "corpora": schema.CorpusEntry,
    "external": schema.ExternalEntry,
    "mixing": Mixing,
    "degradations": DegradationEntry,
    "recipes": schema.RecipeEntry,
    "scales": schema.ScaleEntry,
    "studies": schema.StudyEntry,
}
ITEM_SECTIONS = {
    "losses": "loss",
    "models": "model",
    "predictors": "predictor",
    "discriminators": "discriminator",
    "extractors": "extractor",
    "metrics": "metric",
    "corpora": "corpus",
    "external": "external",
    "degradations": "degradation",
}
SECTION_OF = {kind: section for section, kind in ITEM_SECTIONS.items()}
#: Sections whose items say nothing without the place of their files.
NEED_AN_ENTRY = ("corpora", "external")


@dataclass(frozen=True)
class Named:
    """An entry and where it stands."""

    name: str
    entry: Any
    document: Document
    family: str = ""  # the entry with a sweep that it was expanded from
    value: str = ""  # of the sweep

    def where(self, *keys: str | int) -> str:
        """File and line of the entry, or of a key in it."""
        return self.document.where((self.family or self.name, *keys))

    def has(self, *keys: str | int) -> bool:
        """Whether a key stands in the file."""
        return (self.family or self.name, *keys) in self.document.lines

    @property
    def label(self) -> str:
        """How tables call the entry."""
        return getattr(self.entry, "label", "") or self.name


@dataclass
class Config:
    """All entries by section and name.

    Args:
        broken: (section, name) -> mistakes of an entry that cannot be used; under the name "" those of files that could
            not be read, whose entries nobody knows.
    """

    folder: Path
    settings: schema.Settings
    sections: dict[str, dict[str, Named]]
    broken: dict[tuple[str, str], list[Problem]] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """All mistakes, each once."""
        return list(dict.fromkeys(problem for found in self.broken.values() for problem in found))

    def faults(self, section: str, name: str) -> list[Problem]:
        """Why an entry cannot be used: its own mistakes, or those of files in which it may stand."""
        own = self._own_faults(section, name)
        return own if own or name in self.sections[section] else self.broken.get((section, ""), [])

    def _own_faults(self, section: str, name: str) -> list[Problem]:
        """Of an entry, or of the family that it is a member of."""
        return self.broken.get((section, name)) or self.broken.get((section, name.partition("@")[0]), [])

    def get(self, section: str, name: str, where: str = "", key: str = "") -> Named:
        """The entry of that name.

        Raises:
            ConfigError: no such entry; says what there is and what is nearest; or what is wrong with it.
        """
        faults = self._own_faults(section, name)
        found = None if faults else self.lookup(section, name)
        if found is None:
            faults = faults or self.broken.get((section, ""), [])
            raise ConfigError(faults or [missing(self, section, name, where or str(self.folder), key or section)])
        return found

    def lookup(self, section: str, name: str) -> Named | None:
        """The entry, or a registered item of that name taken with its default parameters."""
        found = self.sections[section].get(name)
        kind = ITEM_SECTIONS.get(section)
        if found is None and kind is not None and section not in NEED_AN_ENTRY:
            try:
                item = items.find(kind, name)
            except SourceError:  # `missing` says why
                return None
            if item is not None and not any(p.required for p in item.params.values()):
                entry = SECTIONS[section].model_validate({"type": name})
                return Named(name, entry, Document(self.folder / section, {}))
        return found

    def members(self, loss: str) -> list[Named]:
        """The entries that a family of losses stands for, in the order of its values; those of any other loss: itself.

        Raises:
            ConfigError: no such entry.
        """
        named = self.get("losses", loss)
        if not named.entry.sweep:
            return [named]
        return [found for found in self.sections["losses"].values() if found.family == loss]

    def names(self, section: str) -> list[str]:
        """Entries, then registered items that need none."""
        kind = ITEM_SECTIONS.get(section)
        extra = items.registry(kind) if kind is not None and section not in NEED_AN_ENTRY else {}
        return [*self.sections[section], *(name for name in extra if name not in self.sections[section])]


def missing(config: Config, section: str, name: str, where: str, key: str) -> Problem:
    """The problem 'no entry of that name'."""
    names = config.names(section)
    kind = ITEM_SECTIONS.get(section)
    if kind is not None and section not in NEED_AN_ENTRY:
        try:
            item = items.find(kind, name)
        except SourceError as error:
            return Problem(where, key, str(error))
        if item is not None:
            needed = ", ".join(param.name for param in item.params.values() if param.required)
            return Problem(where, key, f"{kind} {name!r} has no default for {needed}", "an entry that sets it")
        if ":" in name:
            return Problem(where, key, *items.unknown(kind, name))
    return Problem(where, key, f"no {section} entry {name!r}", choices(names, name, "none yet"), nearest(name, names))

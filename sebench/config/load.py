"""Loading `config/`: every file, every mistake at once, each with its file and line."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from sebench.config import items, own_code, schema
from sebench.config.explain import explain, in_words, shown
from sebench.config.mixing import Mixing
from sebench.config.source import SourceError
from sebench.config.yaml_lines import Document, Location, load
from sebench.errors import ConfigError, Problem, choices, nearest
from sebench.files import expanded as expanded_path
from sebench.files import visible
from sebench.names import ACCEPTED, is_name

SECTIONS: Mapping[str, type[pydantic.BaseModel]] = {
    "losses": schema.LossEntry,
    "models": schema.ItemEntry,
    "predictors": schema.ItemEntry,
    "metrics": schema.MetricEntry,
    "corpora": schema.CorpusEntry,
    "external": schema.ExternalEntry,
    "mixing": Mixing,
    "recipes": schema.RecipeEntry,
    "scales": schema.ScaleEntry,
    "studies": schema.StudyEntry,
}
Model = typing.TypeVar("Model", bound=pydantic.BaseModel)
ITEM_SECTIONS = {
    "losses": "loss",
    "models": "model",
    "predictors": "predictor",
    "metrics": "metric",
    "corpora": "corpus",
    "external": "external",
}
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
            return Problem(where, key, *items.absent(kind, name))
    return Problem(where, key, f"no {section} entry {name!r}", choices(names, name, "none yet"), nearest(name, names))


def load_config(folder: Path | str = "config", *, strict: bool = True) -> Config:
    """Read and check a configuration folder.

    Args:
        strict: refuse any mistake. Otherwise an entry with a mistake is put aside (`Config.broken`): an error for what
            uses it.

    Raises:
        ConfigError: with every mistake found; not strict, where nothing can be used: no folder, or a wrong config.yaml.
    """
    folder = expanded_path(folder, "configuration folder")
    if not folder.is_dir():
        raise ConfigError([Problem(str(folder), "configuration", "no such folder", "a folder with config.yaml")])
    general: list[Problem] = []
    settings: schema.Settings | None = None
    try:
        document = load(folder / "config.yaml")
        settings = _validated(schema.Settings, document.data, document, (), general)
        if settings is not None:
            general.extend(_search(settings, document))
    except ConfigError as error:
        general.extend(error.problems)
    sections: dict[str, dict[str, Named]] = {section: {} for section in SECTIONS}
    broken: dict[tuple[str, str], list[Problem]] = {}
    for section in SECTIONS:
        for name, problem in _read_section(folder, section, sections[section]):
            broken.setdefault((section, name), []).append(problem)
    if settings is None:
        raise ConfigError([*general, *(problem for found in broken.values() for problem in found)])
    config = Config(folder, settings, sections, broken)
    from sebench.config.references import check_references

    # One by one: what is found of an entry is not said again of what refers to it.
    for section, name, problem in check_references(config):
        broken.setdefault((section, name), []).append(problem)
    if general or (strict and broken):
        raise ConfigError([*general, *config.problems])
    return config


def _search(settings: schema.Settings, document: Document) -> Iterator[Problem]:
    """Put the folders of `python_path` on the module search path."""
    for index, folder in enumerate(settings.python_path):
        if not own_code.resolved(folder).is_dir():
            where = document.where(("python_path", index))
            yield Problem(where, f"python_path.{index}", f"no folder {folder!r}", "a folder with Python modules")
    own_code.extend(settings.python_path)


def _read_section(folder: Path, section: str, entries: dict[str, Named]) -> Iterator[tuple[str, Problem]]:
    """Fill in the entries of a section; yields names and what is wrong with them, under "" what is wrong with files."""
    unread: list[Problem] = []
    for document in _documents(folder / section, unread):
        if not isinstance(document.data, dict):
            accepted = "a mapping of names to entries"
            unread.append(Problem(document.where(), section, f"found {shown(document.data)}", accepted))
            continue
        for name, content in document.data.items():
            where = document.where((name,))
            if not isinstance(name, str):
                yield str(name), Problem(where, str(name), "an entry whose name is a number", f'"{name}" in quotes')
            elif not is_name(name):
                yield name, Problem(where, section, f"the name {name!r}", ACCEPTED)
            elif name in entries:
                yield name, Problem(where, name, f"the name is taken by {entries[name].where()}")
            else:
                problems: list[Problem] = []
                entry = _validated(SECTIONS[section], content, document, (name,), problems)
                if entry is not None:
                    entries[name] = Named(name, entry, document)
                yield from ((name, problem) for problem in problems)
    yield from (("", problem) for problem in unread)
    if section == "losses":
        for named in list(entries.values()):
            problems = []
            for member in expanded(named, problems):
                entries[member.name] = member
            yield from ((named.name, problem) for problem in problems)


def expanded(named: Named, problems: list[Problem]) -> Iterator[Named]:
    """The members of a loss with a sweep: `<name>@<value>`, with {value} of the label filled in."""
    entry = named.entry
    for axis, points in entry.sweep.items():
        for point in points:
            text = schema.point_name(point)
            content = entry.model_dump(exclude={"sweep"}, exclude_none=True)
            content["label"] = (
                entry.label.replace("{value}", text) if "{value}" in entry.label else f"{named.label}@{text}"
            )
            whole = isinstance(point, float) and point.is_integer()  # a parameter may be a whole number
            content["mix" if entry.mix is not None else "params"][axis] = int(point) if whole else point
            try:
                member = schema.LossEntry.model_validate(content)
            except pydantic.ValidationError as error:
                accepted = in_words(error.errors()[0])
                where = named.where("sweep", axis)
                problems.append(Problem(where, f"{named.name}.sweep.{axis}", f"found {point!r}", accepted))
                continue
            yield Named(f"{named.name}@{text}", member, named.document, named.name, text)


def load_file(model: type[Model], path: Path) -> Model:
    """Read one file that is one model.

    Raises:
        ConfigError: with every mistake found.
    """
    document = load(path)
    problems: list[Problem] = []
    found: Model | None = _validated(model, document.data, document, (), problems)
    if found is None:
        raise ConfigError(problems)
    return found


def _documents(folder: Path, problems: list[Problem]) -> Iterator[Document]:
    for path in (path for path in visible(folder, "*") if path.suffix in (".yaml", ".yml")):
        try:
            yield load(path)
        except ConfigError as error:
            problems.extend(error.problems)


def _validated(model: Any, content: Any, document: Document, location: Location, problems: list[Problem]) -> Any:
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        problems.extend(explain(error, model, document, location))
        return None

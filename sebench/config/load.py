"""Loading `config/`: every file, every mistake at once, each with its file and line."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from sebench.config import items, schema
from sebench.config.mixing import Mixing
from sebench.config.yaml_lines import Document, Location, load
from sebench.errors import ConfigError, Problem, nearest
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

    @property
    def label(self) -> str:
        """How tables call the entry."""
        return getattr(self.entry, "label", "") or self.name


@dataclass
class Config:
    """All entries by section and name."""

    folder: Path
    settings: schema.Settings
    sections: dict[str, dict[str, Named]]

    def get(self, section: str, name: str, where: str = "", key: str = "") -> Named:
        """The entry of that name.

        Raises:
            ConfigError: no such entry; says what there is and what is nearest.
        """
        found = self.lookup(section, name)
        if found is None:
            raise ConfigError([missing(self, section, name, where or str(self.folder), key or section)])
        return found

    def lookup(self, section: str, name: str) -> Named | None:
        """The entry, or a registered item of that name taken with its default parameters."""
        found = self.sections[section].get(name)
        kind = ITEM_SECTIONS.get(section)
        if found is None and kind is not None and section not in NEED_AN_ENTRY:
            item = items.find(kind, name)
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
    return Problem(where, key, f"no {section} entry {name!r}", ", ".join(names) or "none yet", nearest(name, names))


def load_config(folder: Path | str = "config") -> Config:
    """Read and check a configuration folder.

    Raises:
        ConfigError: with every mistake found.
    """
    folder = expanded_path(folder, "configuration folder")
    problems: list[Problem] = []
    settings: schema.Settings | None = None
    try:
        settings = load_file(schema.Settings, folder / "config.yaml")
    except ConfigError as error:
        problems.extend(error.problems)
    sections: dict[str, dict[str, Named]] = {}
    for section, model in SECTIONS.items():
        sections[section] = {}
        for document in _documents(folder / section, problems):
            if not isinstance(document.data, dict):
                problems.append(Problem(document.where(), section, "not a mapping of names to entries"))
                continue
            for name, content in document.data.items():
                name = str(name)
                if not is_name(name):
                    problems.append(Problem(document.where((name,)), section, f"the name {name!r}", ACCEPTED))
                    continue
                if name in sections[section]:
                    other = sections[section][name].where()
                    problems.append(Problem(document.where((name,)), name, f"the name is taken by {other}"))
                    continue
                entry = _validated(model, content, document, (name,), problems)
                if entry is not None:
                    sections[section][name] = Named(name, entry, document)
    for named in list(sections["losses"].values()):
        for member in expanded(named, problems):
            sections["losses"][member.name] = member
    if settings is None:
        raise ConfigError(problems)
    config = Config(folder, settings, sections)
    from sebench.config.references import check_references

    problems.extend(check_references(config))
    if problems:
        raise ConfigError(problems)
    return config


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
                accepted = error.errors()[0]["msg"].removeprefix("Input should be ")
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


def explain(error: pydantic.ValidationError, model: Any, document: Document, location: Location) -> Iterator[Problem]:
    """pydantic's findings as problems with file, line, what was found and what is accepted."""
    seen: set[tuple[str, str]] = set()
    for detail in error.errors():
        loc = _real_location(document.data, location, detail["loc"])
        key = ".".join(str(part) for part in loc)
        where = document.where(loc)
        if detail["type"] == "extra_forbidden":
            accepted = _fields_at(model, detail["loc"][:-1])
            name = str(detail["loc"][-1])
            problem = Problem(where, key, f"unknown key {name!r}", ", ".join(accepted), nearest(name, accepted))
        elif detail["type"] == "missing":
            problem = Problem(where, key, "required and absent", _field_note(model, detail["loc"]))
        else:
            found = detail["input"]
            shown = repr(found) if not isinstance(found, (dict, pydantic.BaseModel)) else "a mapping"
            accepted_text = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            near = ""
            if detail["type"] == "literal_error":
                near = nearest(str(found), str(detail.get("ctx", {}).get("expected", "")).replace("'", "").split(" "))
            problem = Problem(where, key, f"found {shown}", accepted_text, near)
        mark = (problem.where, problem.key)
        if mark not in seen or detail["type"] == "extra_forbidden":
            seen.add(mark)
            yield problem


def _real_location(data: Any, base: Location, loc: tuple[Any, ...]) -> Location:
    """Drop the parts of a pydantic location that name union members instead of keys."""
    value = data
    for part in base:
        value = value[part] if isinstance(value, dict) and part in value else None
    result: list[str | int] = list(base)
    for position, part in enumerate(loc):
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            value = value[part]
        elif position != len(loc) - 1 or not isinstance(value, dict):
            continue
        result.append(part)
    return tuple(result)


def _fields_at(model: Any, loc: tuple[Any, ...]) -> list[str]:
    current: list[Any] = [model]
    for part in loc:
        following: list[Any] = []
        for candidate in current:
            if isinstance(candidate, type) and issubclass(candidate, pydantic.BaseModel):
                fields = candidate.model_fields
                following.extend(_unwrap(fields[part].annotation) if part in fields else [candidate])
            else:
                following.append(candidate)
        current = following
    names: list[str] = []
    for candidate in current:
        if isinstance(candidate, type) and issubclass(candidate, pydantic.BaseModel):
            names.extend(candidate.model_fields)
    return list(dict.fromkeys(names))


def _unwrap(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated, list, dict, tuple):
        return [leaf for argument in typing.get_args(annotation) for leaf in _unwrap(argument)]
    return [annotation]


def _field_note(model: Any, loc: tuple[Any, ...]) -> str:
    for candidate in [model]:
        field = getattr(candidate, "model_fields", {}).get(loc[-1])
        if field is not None and field.description:
            return str(field.description)
    return ""

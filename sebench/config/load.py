"""Loading `config/`: every file, every mistake at once, each with its file and line."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic

from sebench.config import own_code, schema
from sebench.config.entries import SECTIONS, Config, Named
from sebench.config.explain import explain, in_words, shown
from sebench.config.references import check_references
from sebench.config.yaml_lines import Document, Location, load
from sebench.errors import ConfigError, Problem, SebenchError
from sebench.files import expanded as expanded_path
from sebench.files import visible
from sebench.names import ACCEPTED, is_name

Model = typing.TypeVar("Model", bound=pydantic.BaseModel)


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
    # One by one: what is found of an entry is not said again of what refers to it.
    for section, name, problem in check_references(config):
        broken.setdefault((section, name), []).append(problem)
    if general or (strict and broken):
        raise ConfigError([*general, *config.problems])
    return config


def _search(settings: schema.Settings, document: Document) -> Iterator[Problem]:
    """Put the folders of `python_path` on the module search path."""
    usable = []
    for index, folder in enumerate(settings.python_path):
        try:
            found = "" if own_code.resolved(folder).is_dir() else f"no folder {folder!r}"
        except SebenchError as error:
            found = str(error)
        if found:
            where = document.where(("python_path", index))
            yield Problem(where, f"python_path.{index}", found, "a folder with Python modules")
        else:
            usable.append(folder)
    own_code.extend(usable)


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

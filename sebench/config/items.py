"""Items (losses, models, metrics, ...): found by name, described from their source text, built on demand.

Nothing here imports an item's module before `build`: the planner must know parameters and needs without torch.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, overload

from sebench.config import own_code
from sebench.config.classes import Item, ItemError, describe, named_classes
from sebench.config.facts import ITEM_KINDS, F, Facts, ItemKind
from sebench.config.source import SourceError, read_module
from sebench.errors import choices, nearest
from sebench.files import visible

__all__ = ["Item", "ItemError"]


@overload
def registry(kind: ItemKind[F]) -> dict[str, Item[F]]: ...
@overload
def registry(kind: str) -> dict[str, Item[Facts]]: ...
def registry(kind: str) -> Any:
    """All items of a kind: sebench's own, then those of installed packages' entry points."""
    return registered(kind)[0]


def unusable(kind: str) -> dict[str, str]:
    """Names that installed packages register for a kind and that cannot be used, and why."""
    return registered(kind)[1]


def _changed(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


@functools.cache
def _entry_points(_: tuple[tuple[str, int], ...]) -> Any:
    """Of all installed distributions, read once as long as no folder of `sys.path` changes. Their class is
    `SelectableGroups` in Python 3.11 and `EntryPoints` after it."""
    return metadata.entry_points()


@functools.cache
def registered(name: str) -> tuple[dict[str, Item[Facts]], dict[str, str]]:
    """`registry` and `unusable`: a package with a mistake is an error for what names its item, and for nothing else."""
    kind = ITEM_KINDS[name]
    found: dict[str, Item[Facts]] = {}
    broken: dict[str, str] = {}
    folder = Path(__file__).parents[1] / kind.package
    for path in visible(folder, "*"):
        module = read_module(f"sebench.{kind.package}.{path.stem}")
        if module is None:
            continue
        for cls in named_classes(module):
            item = describe(kind, module.name, cls, builtin=True)
            if item.type in found:
                raise ItemError(f"{kind} {item.type!r} is defined by {found[item.type].path} and by {item.path}")
            found[item.type] = item
    points: dict[str, list[metadata.EntryPoint]] = {}
    for point in _entry_points(tuple((folder, _changed(folder)) for folder in sys.path)).select(
        group=f"sebench.{kind.package}"
    ):
        points.setdefault(point.name, []).append(point)
    for type_name, several in points.items():
        told = " and ".join(f"{point.value} ({point.dist.name if point.dist else 'no package'})" for point in several)
        where = f"{kind} {type_name!r} of an installed package's entry point, {told}"
        if type_name in found:
            broken[f"{type_name} ({several[0].value})"] = f"{where}: sebench has {found[type_name].path} of that name"
            continue
        if len(several) > 1:
            broken[type_name] = f"{where}: several of one name"
            continue
        module_name, _, cls = several[0].value.partition(":")
        try:
            found[type_name] = describe(kind, module_name, cls, builtin=False, type_name=type_name)
        except SourceError as error:
            broken[type_name] = f"{where}: {error}"
    return found, broken


@overload
def find(kind: ItemKind[F], type_name: str) -> Item[F] | None: ...
@overload
def find(kind: str, type_name: str) -> Item[Facts] | None: ...
def find(kind: str, type_name: str) -> Item[Any] | None:
    """The item of that name, or at that dotted path `package.module:Class`; None if there is none.

    Raises:
        ItemError: a class from outside that is not what an item must be, or a module that is no Python.
    """
    if ":" in type_name:
        module_name, _, cls = type_name.partition(":")
        if read_module(module_name) is None:
            return None
        return describe(ITEM_KINDS[kind], module_name, cls, builtin=False)
    if type_name in unusable(kind):
        raise ItemError(unusable(kind)[type_name])
    return registry(kind).get(type_name)


@overload
def get(kind: ItemKind[F], type_name: str) -> Item[F]: ...
@overload
def get(kind: str, type_name: str) -> Item[Facts]: ...
def get(kind: str, type_name: str) -> Item[Any]:
    """As `find`, where there must be one.

    Raises:
        ItemError: there is none; says what there is.
    """
    item = find(kind, type_name)
    if item is None:
        found, accepted, near = unknown(kind, type_name)
        raise ItemError(f"{found}; accepted: {accepted}" + (f"; did you mean {near!r}?" if near else ""))
    return item


def unknown(kind: str, type_name: str) -> tuple[str, str, str]:
    """Of a type that is not found: what is wrong, what is accepted, and the nearest name."""
    names = registry(kind)
    if ":" not in type_name:
        accepted = f"{choices(names, type_name)}, or package.module:Class"
        return f"no {kind} {type_name!r}", accepted, nearest(type_name, names)
    module = type_name.partition(":")[0]
    folders = ", ".join(own_code.searched())
    return (
        f"module {module!r} cannot be imported: no such source on the module search path ({folders}, and this Python's "
        "own packages)",
        "a module of an installed package, or in a folder that `python_path:` in config.yaml names",
        "",
    )


def build(description: Mapping[str, Any], kind: str) -> Any:
    """Make the object that a resolved description ({type, params}) names.

    Raises:
        ItemError: unknown type, parameters that are not its own, or a module that cannot be imported.
    """
    item = get(kind, description["type"])
    if not item.builtin and description.get("code") not in (None, item.code):
        raise ItemError(
            f"{item.path}: the code changed since this was planned (hash {item.code}, planned {description['code']}); "
            "plan again to make a new run with the new code"
        )
    if item.builtin and description.get("version") not in (None, item.facts.version):
        raise ItemError(
            f"{kind} {item.type!r} is version {item.facts.version} here and was planned as version "
            f"{description['version']}; plan again"
        )
    params = dict(description.get("params") or {})
    for name in params:
        if name not in item.params:
            raise ItemError(f"{kind} {item.type!r} has no parameter {name!r}; accepted: {choices(item.params, name)}")
    values = {name: _as_tuple(value) for name, value in params.items()}
    return imported(item)(**values)


def imported(item: Item[Facts]) -> Any:
    """The class itself.

    Raises:
        ItemError: a module from outside cannot be imported.
    """
    try:
        return getattr(importlib.import_module(item.module), item.cls)
    except Exception as error:  # of code that is not ours
        if item.builtin:
            raise
        found = f"{type(error).__name__}: {error}"
        raise ItemError(f"{item.kind} {item.type!r}: {item.path} cannot be imported: {found}") from error


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(v) for v in value) if isinstance(value, list) else value

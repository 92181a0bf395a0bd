"""A class as an item: its facts and its parameters, read from the source text of its module and of its bases'."""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pydantic

from sebench.config.annotations import Param, adapter_of, words
from sebench.config.code import code_of
from sebench.config.facts import ITEM_KINDS, F, Facts, ItemKind
from sebench.config.source import Module, SourceError, dotted, lookup, read_module, resolve
from sebench.errors import choices

T = TypeVar("T", bound=Facts)
#: Stands for a class attribute's value that only running the code tells.
NO_LITERAL = object()


class ItemError(SourceError):
    """An item's source does not follow the conventions that let it be described, or a parameter is wrong."""


@dataclass(frozen=True)
class Item(Generic[F]):
    """What is known of an item from its source.

    Args:
        kind: of item.
        type: what a configuration calls it: its name, or `package.module:Class`.
        module, cls: where its class is.
        builtin: whether it is sebench's own.
        facts: of its kind, from its class attributes.
        params: keywords of its `__init__`, by name.
        doc: the class's docstring.
    """

    kind: str
    type: str
    module: str
    cls: str
    builtin: bool
    facts: F
    params: Mapping[str, Param]
    doc: str

    @property
    def path(self) -> str:
        """package.module:Class."""
        return f"{self.module}:{self.cls}"

    @property
    def title(self) -> str:
        """First line of the docstring."""
        return self.doc.strip().splitlines()[0] if self.doc.strip() else ""

    @functools.cached_property
    def code(self) -> str:
        """Hash of the item's code and of what it refers to in its own package."""
        also = ITEM_KINDS[self.kind].also if self.builtin else ()
        return code_of(self.path, *also).hash

    def identity(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What enters an id: type and version of a built-in item, path and code hash of one from outside."""
        if self.builtin:
            return {"type": self.type, "version": self.facts.version, "params": dict(params)}
        return {"type": self.path, "code": self.code, "params": dict(params)}


def named_classes(module: Module) -> Iterator[str]:
    """The classes of a module that are items: those with a `name`."""
    for name, statement in module.definitions.items():
        if isinstance(statement, ast.ClassDef) and literals(statement).get("name", NO_LITERAL) not in ("", NO_LITERAL):
            yield name


def describe(kind: ItemKind[F], module_name: str, cls: str, *, builtin: bool, type_name: str = "") -> Item[F]:
    """Read a class's facts and parameters from its source.

    Args:
        type_name: of an entry point.

    Raises:
        ItemError: the source is missing or does not follow the conventions.
    """
    module = read_module(module_name)
    if module is None:
        raise ItemError(f"{kind} {module_name}:{cls}: no source of a module {module_name!r} on the module search path")
    found = lookup(module, cls)
    if found is None or not isinstance(found[1], ast.ClassDef):
        definitions = module.definitions.items()
        classes = (n for n, d in definitions if isinstance(d, ast.ClassDef) and not n.startswith("_"))
        raise ItemError(f"{kind} {module_name}:{cls}: no such class in the source; it has {choices(classes, cls)}")
    name = cls
    facts = kind.facts()
    params: dict[str, Param] = {}
    meanings: dict[str, str] = {}
    for owner, statement in reversed(list(_ancestry(found[0], found[1]))):
        own = literals(statement)
        name = str(own.get("name", name))
        facts = _with(kind, facts, own, f"{owner.name}:{statement.name}")
        init = next((s for s in statement.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"), None)
        if init is not None:
            meanings |= _meanings(ast.get_docstring(statement) or "")
            params = _params(init, f"{owner.name}:{statement.name}", meanings)
    return Item(
        kind=kind,
        type=type_name or name if builtin or type_name else f"{module_name}:{cls}",
        module=module_name,
        cls=cls,
        builtin=builtin,
        facts=facts,
        params=params,
        doc=ast.get_docstring(found[1]) or "",
    )


def _with(kind: str, facts: T, own: Mapping[str, Any], where: str) -> T:
    """Facts as a class changes them; what its bases require holds too.

    Raises:
        ItemError: a fact is no literal, or of another type than it must be.
    """
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(facts):
        if field.name in own:
            value = own[field.name]
            try:
                changed[field.name] = _types(kind)[field.name].validate_python(value, strict=True)
            except ValueError:
                found = "no literal" if value is NO_LITERAL else repr(value)
                accepted = words(ast.parse(str(field.type), mode="eval").body).replace("a list of", "a tuple of")
                raise ItemError(f"{where}: `{field.name}` is {found}; accepted: {accepted}") from None
    if "requires" in changed:
        changed["requires"] = (*facts.requires, *changed["requires"])
    return dataclasses.replace(facts, **changed)


@functools.cache
def _types(kind: str) -> dict[str, pydantic.TypeAdapter[Any]]:
    """The types of a kind's facts by name."""
    hints = typing.get_type_hints(ITEM_KINDS[kind].facts)
    return {name: pydantic.TypeAdapter(hint) for name, hint in hints.items()}


def _ancestry(
    module: Module, statement: ast.ClassDef, below: tuple[ast.ClassDef, ...] = ()
) -> Iterator[tuple[Module, ast.ClassDef]]:
    yield module, statement
    for base in statement.bases:
        if isinstance(base, (ast.Name, ast.Attribute)):
            found = resolve(module, dotted(base))
            if found is None or not isinstance(found[1], ast.ClassDef) or found[0].name.startswith("torch"):
                continue
            if found[1] in (*below, statement):
                raise ItemError(f"{module.name}:{statement.name}: inherits from itself")
            yield from _ancestry(found[0], found[1], (*below, statement))


def literals(statement: ast.ClassDef) -> dict[str, Any]:
    """A class's own attributes that are literals; `NO_LITERAL` for those that are none."""
    values = {}
    for part in statement.body:
        if isinstance(part, ast.Assign) and len(part.targets) == 1 and isinstance(part.targets[0], ast.Name):
            target, value = part.targets[0].id, part.value
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) and part.value is not None:
            target, value = part.target.id, part.value
        else:
            continue
        try:
            values[target] = ast.literal_eval(value)
        except ValueError:
            values[target] = NO_LITERAL
    return values


def _meanings(doc: str) -> dict[str, str]:
    """What a docstring says of each parameter under `Args:`."""
    section = re.search(r"^Args:\n((?:[ ]+.*\n?)+)", doc, re.MULTILINE)
    found: dict[str, str] = {}
    for names, text in re.findall(r"^    (\w[\w, ]*): (.*(?:\n     .*)*)", section[1] if section else "", re.MULTILINE):
        found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def _params(init: ast.FunctionDef, where: str, meanings: Mapping[str, str]) -> dict[str, Param]:
    arguments = init.args
    if len(arguments.args) + len(arguments.posonlyargs) > 1 or arguments.vararg or arguments.kwarg:
        raise ItemError(f"{where}: parameters must be keyword-only (after `*`), without *args and **kwargs")
    found = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if argument.annotation is None:
            raise ItemError(f"{where}: parameter {argument.arg!r} has no type annotation")
        text = ast.unparse(argument.annotation)
        try:
            annotation = adapter_of(text)
        except Exception as error:
            raise ItemError(
                f"{where}: parameter {argument.arg!r}: annotation {text!r} is not understood: {error}"
            ) from None
        try:
            value = None if default is None else ast.literal_eval(default)
        except ValueError:
            raise ItemError(f"{where}: default of {argument.arg!r} is not a literal") from None
        found[argument.arg] = Param(
            argument.arg, annotation, text, _plain(value), default is None, meanings.get(argument.arg, "")
        )
    return found


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value

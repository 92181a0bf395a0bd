"""Items (losses, models, metrics, corpora): found by name, described from their source text, built on demand.

Nothing here imports an item's module before `build`: the planner must know parameters and needs without torch.
"""

from __future__ import annotations

import ast
import functools
import importlib
import json
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import annotated_types
import pydantic

from sebench.config import own_code
from sebench.config.code import code_hash
from sebench.config.source import Module, SourceError, dotted, lookup, read_module, resolve
from sebench.errors import choices, nearest
from sebench.files import visible

#: kind -> the package of sebench that holds its items, and the group of entry points.
PACKAGES = {
    "loss": "losses",
    "model": "models",
    "predictor": "predictors",
    "metric": "metrics",
    "corpus": "corpora",
    "external": "external",
    "degradation": "degradations",
}

#: What an item of a kind may leave unsaid.
DEFAULTS: dict[str, dict[str, Any]] = {
    "loss": {
        "needs_views": (),
        "needs_signals": (),
        "uses": (),
        "phase_blind": False,
        "optimum": "none",
        "invariances": (),
        "equation": "",
        "source": "",
    },
    "model": {
        "views": (),
        "sample_rate": 16000,
        "causal": True,
        "submodules": (),
        "free_phase": False,
        "source": "",
    },
    "predictor": {"sample_rate": 16000, "bounds": (0.0, 0.0), "source": ""},
    "metric": {
        "higher_is_better": True,
        "bounds": (None, None),
        "needs_reference": True,
        "needs_noisy": False,
        "sample_rate": 16000,
        "unit": "",
        "package": "",
        "install": "",
        "model_files": (),
        "other_rates": "",
        "own_rates": (),
        "source": "",
    },
    "external": {"sample_rate": 16000, "source": ""},
    "degradation": {"frequencies": (), "packages": (), "source": ""},
    "corpus": {
        "needs_root": True,
        "paired": False,
        "packages": (),
        "source": "",
        "address": "",
        "archives": (),
        "parts": (),
    },
}

#: What any item may declare: relations of its parameters that must hold, as `hop <= window_length // 2`.
COMMON: dict[str, Any] = {"requires": ()}

_NAMESPACE = {
    **{t.__name__: t for t in (float, int, bool, str, tuple, list, dict)},
    **{n: getattr(annotated_types, n) for n in ("Ge", "Gt", "Le", "Lt", "Interval", "MinLen", "MaxLen", "MultipleOf")},
    "Annotated": typing.Annotated,
    "Literal": typing.Literal,
    "None": None,
    "Any": Any,
}


class ItemError(SourceError):
    """An item's source does not follow the conventions that let it be described, or a parameter is wrong."""


@dataclass(frozen=True)
class Param:
    """One keyword of an item's `__init__`."""

    name: str
    annotation: Any
    text: str
    default: Any = None
    required: bool = False

    def validate(self, value: Any) -> Any:
        """The value as its type, JSON-able.

        Raises:
            ValueError: with what is accepted.
        """
        adapter = _adapter_of(self.text)
        try:
            found = adapter.dump_python(adapter.validate_json(json.dumps(value), strict=True), mode="json")
        except (pydantic.ValidationError, TypeError, ValueError):
            raise ValueError(self.words) from None
        if not _sensible(found):
            raise ValueError(f"{self.words}; no number beyond {LARGEST:g}")
        return found

    @functools.cached_property
    def whole(self) -> bool:
        """Whether it takes whole numbers and no others."""
        return bool(_adapter_of(self.text).json_schema().get("type") == "integer")

    @property
    def words(self) -> str:
        """What is accepted."""
        return words(ast.parse(self.text, mode="eval").body)


#: No width, weight or length of a signal is larger.
LARGEST = 1e9


def _sensible(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 1000 and all(map(_sensible, value))
    return not isinstance(value, (int, float)) or abs(value) <= LARGEST


_TYPES = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "text", "None": "null"}
_LISTS = {"float": "numbers", "int": "whole numbers", "str": "words"}
_BOUNDS = {"Ge": "at least", "Gt": "above", "Le": "at most", "Lt": "below", "MultipleOf": "a multiple of"}


def words(node: ast.expr) -> str:
    """An annotation in a reader's words: `Annotated[float, Gt(0), Le(1)]` is 'a number above 0, at most 1'."""
    if isinstance(node, ast.BinOp):
        return f"{words(node.left)} or {words(node.right)}"
    if isinstance(node, ast.Subscript):
        head = ast.unparse(node.value)
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if head == "Literal":
            return ", ".join(map(ast.unparse, inside))
        if head == "Annotated":
            calls = [part for part in inside[1:] if isinstance(part, ast.Call) and part.args]
            known = [(_BOUNDS.get(ast.unparse(call.func)), ast.unparse(call.args[0])) for call in calls]
            bounds = ", ".join(f"{what} {value}" for what, value in known if what)
            return f"{words(inside[0])} {bounds}".rstrip()
        if head in ("tuple", "list"):
            many = isinstance(inside[-1], ast.Constant) or head == "list"
            of = _LISTS.get(ast.unparse(inside[0]), f"values, each {words(inside[0])}")
            return f"a list of {of}" if many else f"a list of {len(inside)}: {', '.join(map(words, inside))}"
    text = ast.unparse(node)
    return _TYPES.get(text, text)


@functools.lru_cache(maxsize=4096)
def _adapter_of(text: str) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(eval(text, {"__builtins__": {}}, dict(_NAMESPACE)))


@dataclass(frozen=True)
class Item:
    """What is known of an item from its source."""

    kind: str
    type: str
    module: str
    cls: str
    builtin: bool
    attributes: Mapping[str, Any]
    params: Mapping[str, Param]
    doc: str

    @property
    def path(self) -> str:
        """package.module:Class."""
        return f"{self.module}:{self.cls}"

    @property
    def version(self) -> int:
        """The version that the item's source states."""
        return int(self.attributes.get("version", 0))

    @property
    def title(self) -> str:
        """First line of the docstring."""
        return self.doc.strip().splitlines()[0] if self.doc.strip() else ""

    def __getattr__(self, name: str) -> Any:
        try:
            return self.attributes[name]
        except KeyError:
            raise AttributeError(name) from None

    @functools.cached_property
    def code(self) -> str:
        """Hash of the item's code and of what it refers to in its own package."""
        return code_hash(self.module, self.cls)

    def identity(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What enters an id: type and version of a built-in item, path and code hash of one from outside."""
        if self.builtin:
            return {"type": self.type, "version": self.version, "params": dict(params)}
        return {"type": self.path, "code": self.code, "params": dict(params)}


def registry(kind: str) -> dict[str, Item]:
    """All items of a kind: sebench's own, then those of installed packages' entry points."""
    return registered(kind)[0]


def unusable(kind: str) -> dict[str, str]:
    """Names that installed packages register for a kind and that cannot be used, and why."""
    return registered(kind)[1]


@functools.cache
def registered(kind: str) -> tuple[dict[str, Item], dict[str, str]]:
    """`registry` and `unusable`: a package with a mistake is an error for what names its item, and for nothing else."""
    found: dict[str, Item] = {}
    broken: dict[str, str] = {}
    folder = Path(__file__).parents[1] / PACKAGES[kind]
    for path in visible(folder, "*"):
        module = read_module(f"sebench.{PACKAGES[kind]}.{path.stem}")
        if module is None:
            continue
        for cls in _named_classes(module):
            item = describe(kind, module.name, cls, builtin=True)
            if item.type in found:
                raise ItemError(f"{kind} {item.type!r} is defined by {found[item.type].path} and by {item.path}")
            found[item.type] = item
    points: dict[str, list[metadata.EntryPoint]] = {}
    for point in metadata.entry_points(group=f"sebench.{PACKAGES[kind]}"):
        points.setdefault(point.name, []).append(point)
    for name, several in points.items():
        told = " and ".join(f"{point.value} ({point.dist.name if point.dist else 'no package'})" for point in several)
        where = f"{kind} {name!r} of an installed package's entry point, {told}"
        if name in found:
            broken[f"{name} ({several[0].value})"] = f"{where}: sebench has {found[name].path} of that name"
            continue
        if len(several) > 1:
            broken[name] = f"{where}: several of one name"
            continue
        module_name, _, cls = several[0].value.partition(":")
        try:
            found[name] = describe(kind, module_name, cls, builtin=False, type_name=name)
        except SourceError as error:
            broken[name] = f"{where}: {error}"
    return found, broken


def find(kind: str, type_name: str) -> Item | None:
    """The item of that name, or at that dotted path `package.module:Class`; None if there is none.

    Raises:
        ItemError: a class from outside that is not what an item must be, or a module that is no Python.
    """
    if ":" in type_name:
        module_name, _, cls = type_name.partition(":")
        if read_module(module_name) is None:
            return None
        return describe(kind, module_name, cls, builtin=False)
    if type_name in unusable(kind):
        raise ItemError(unusable(kind)[type_name])
    return registry(kind).get(type_name)


def get(kind: str, type_name: str) -> Item:
    """As `find`, where there must be one.

    Raises:
        ItemError: there is none; says what there is.
    """
    item = find(kind, type_name)
    if item is None:
        found, accepted, near = absent(kind, type_name)
        raise ItemError(f"{found}; accepted: {accepted}" + (f"; did you mean {near!r}?" if near else ""))
    return item


def absent(kind: str, type_name: str) -> tuple[str, str, str]:
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
    if item.builtin and description.get("version") not in (None, item.version):
        raise ItemError(
            f"{kind} {item.type!r} is version {item.version} here and was planned as version {description['version']}; "
            "plan again"
        )
    params = dict(description.get("params") or {})
    for name in params:
        if name not in item.params:
            raise ItemError(f"{kind} {item.type!r} has no parameter {name!r}; accepted: {choices(item.params, name)}")
    values = {name: _as_tuple(value) for name, value in params.items()}
    return imported(item)(**values)


def imported(item: Item) -> Any:
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


def broken_requirements(item: Item, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(relation, values of its parameters) of what an item requires of its parameters together and does not get.

    Args:
        params: those that are given, of the right types; the others have their defaults.

    Raises:
        ItemError: a requirement is not a comparison of parameters and whole numbers.
    """
    values = {name: params.get(name, param.default) for name, param in item.params.items()}
    for text in item.requires:
        names, code = _relation(item.path, text)
        if not names <= set(values):  # of a base class whose parameter this one fixes
            continue
        if any(values[name] is None for name in names) and " is " not in text:
            continue
        try:
            holds = eval(code, {"__builtins__": _FUNCTIONS}, {name: values[name] for name in names})
        except ArithmeticError:
            holds = False
        except (TypeError, ValueError) as error:
            raise ItemError(f"{item.path}: `requires` {text!r} cannot be computed: {error}") from None
        if not holds:
            yield text, ", ".join(f"{name} {values[name]}" for name in values if name in names)


_FUNCTIONS = {"min": min, "max": max, "len": len, "all": all, "any": any}
_RELATION = (
    *(ast.Expression, ast.Compare, ast.Name, ast.Load, ast.Store, ast.Constant, ast.BinOp, ast.BoolOp, ast.Or, ast.And),
    *(ast.cmpop, ast.Add, ast.Sub, ast.Mult, ast.Mod, ast.FloorDiv, ast.Call, ast.GeneratorExp, ast.comprehension),
    ast.Tuple,
)


@functools.lru_cache(maxsize=512)
def _relation(path: str, text: str) -> tuple[frozenset[str], types.CodeType]:
    """Parameters of a relation, and its code."""
    try:
        tree = ast.parse(text, mode="eval")
        strange = [type(node).__name__ for node in ast.walk(tree) if not isinstance(node, _RELATION)]
        if strange:
            raise ValueError(f"{strange[0]} is not for a relation of parameters")
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        if not set(calls) <= set(_FUNCTIONS):
            raise ValueError(f"a call of {choices(calls)}; accepted: {', '.join(_FUNCTIONS)}")
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        bound = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(_FUNCTIONS)
        return frozenset(node.id for node in names) - bound, compile(tree, text, "eval")
    except (SyntaxError, ValueError, TypeError) as error:
        raise ItemError(f"{path}: `requires` {text!r} is not understood: {error}") from None


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(v) for v in value) if isinstance(value, list) else value


def _named_classes(module: Module) -> Iterator[str]:
    for name, statement in module.definitions.items():
        if isinstance(statement, ast.ClassDef) and _literals(statement).get("name"):
            yield name


def describe(kind: str, module_name: str, cls: str, *, builtin: bool, type_name: str = "") -> Item:
    """Read a class's facts and parameters from its source.

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
    attributes = {**COMMON, **DEFAULTS[kind]}
    params: dict[str, Param] = {}
    for owner, statement in reversed(list(_ancestry(found[0], found[1]))):
        found_here = _literals(statement)
        own = found_here.get("requires", ())
        if not isinstance(own, (tuple, list)) or not all(isinstance(relation, str) for relation in own):
            raise ItemError(f"{owner.name}:{statement.name}: `requires` is {own!r}; accepted: a tuple of relations")
        requires = (*attributes["requires"], *own)  # those of the bases hold too
        attributes.update({**found_here, "requires": requires})
        init = next((s for s in statement.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"), None)
        if init is not None:
            params = _params(init, f"{owner.name}:{statement.name}")
    return Item(
        kind=kind,
        type=type_name or str(attributes.get("name", cls)) if builtin or type_name else f"{module_name}:{cls}",
        module=module_name,
        cls=cls,
        builtin=builtin,
        attributes=attributes,
        params=params,
        doc=ast.get_docstring(found[1]) or "",
    )


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


def _literals(statement: ast.ClassDef) -> dict[str, Any]:
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
            continue
    return values


def _params(init: ast.FunctionDef, where: str) -> dict[str, Param]:
    arguments = init.args
    if len(arguments.args) + len(arguments.posonlyargs) > 1 or arguments.vararg or arguments.kwarg:
        raise ItemError(f"{where}: parameters must be keyword-only (after `*`), without *args and **kwargs")
    found = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if argument.annotation is None:
            raise ItemError(f"{where}: parameter {argument.arg!r} has no type annotation")
        text = ast.unparse(argument.annotation)
        try:
            annotation = _adapter_of(text)
        except Exception as error:
            raise ItemError(
                f"{where}: parameter {argument.arg!r}: annotation {text!r} is not understood: {error}"
            ) from None
        try:
            value = None if default is None else ast.literal_eval(default)
        except ValueError:
            raise ItemError(f"{where}: default of {argument.arg!r} is not a literal") from None
        found[argument.arg] = Param(argument.arg, annotation, text, _plain(value), required=default is None)
    return found


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value

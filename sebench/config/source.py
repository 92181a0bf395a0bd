"""Reading Python sources without importing them: definitions, imports, and hashes of what an item's code really is."""

from __future__ import annotations

import ast
import copy
import functools
import importlib.machinery
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sebench.errors import SebenchError

#: (module, attribute or None for the module itself)
Imported = tuple[str, str | None]


@dataclass(frozen=True)
class Module:
    """The top level of one source file.

    Args:
        name: dotted.
        path: of the file.
        definitions: name -> the last statement that defines it.
        imports: local name -> what it stands for.
        stars: modules of which all names are imported.
        others: name -> further statements that define it or change what it holds.
    """

    name: str
    path: Path
    definitions: dict[str, ast.stmt]
    imports: dict[str, Imported]
    stars: tuple[str, ...] = ()
    others: dict[str, list[ast.stmt]] = field(default_factory=dict)

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def search_folders(top: str) -> list[Path]:
    """The folders of a top-level package; empty for a single file and for what is not there."""
    spec = _spec(top)
    return [Path(location) for location in (spec.submodule_search_locations or [])] if spec is not None else []


def _spec(top: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


def module_path(name: str) -> Path | None:
    """The source file of a dotted module name, found without running any of its code."""
    return _found(name, (".py",))


def binary_path(name: str) -> Path | None:
    """The file of a compiled module, found likewise."""
    return _found(name, tuple(importlib.machinery.EXTENSION_SUFFIXES))


def _found(name: str, suffixes: tuple[str, ...]) -> Path | None:
    head, *rest = name.split(".")
    if not all(part.isidentifier() for part in (head, *rest)):
        return None
    if not rest:
        spec = _spec(head)
        return Path(spec.origin) if spec is not None and spec.origin and spec.origin.endswith(suffixes) else None
    for location in search_folders(head):
        base = location.joinpath(*rest)
        for suffix in suffixes:
            for candidate in (base.with_name(base.name + suffix), base / f"__init__{suffix}"):
                if candidate.exists():
                    return candidate
    return None


class SourceError(SebenchError):
    """A module whose source is no Python."""


def read_module(name: str) -> Module | None:
    """Parse a module's source, or None where there is none (an extension, a namespace, not installed).

    Raises:
        SourceError: the file cannot be read or is no Python; says where.
    """
    path = module_path(name)
    if path is None:
        return None
    return _parse(name, path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _parse(name: str, path: Path, _mtime: int) -> Module:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise SourceError(f"module {name!r}: {path}:{error.lineno or 1}: no Python: {error.msg}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"module {name!r}: {path}: cannot be read as Python: {error}") from None
    module = Module(name, path, {}, {})
    stars: list[str] = []
    for statement in _flat(tree.body):
        for target in _defined(statement):
            if target in module.definitions:
                module.others.setdefault(target, []).append(module.definitions[target])
            module.definitions[target] = statement
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found = imports_of(statement, module.package)
            stars += [base for base, attribute in found.values() if attribute == "*"]
            module.imports.update({local: target for local, target in found.items() if target[1] != "*"})
        else:
            for target in _changed(statement):
                module.others.setdefault(target, []).append(statement)
    return replace(module, stars=tuple(stars))


def _defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        names = (node for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name))
        yield from (node.id for node in names if isinstance(node.ctx, ast.Store))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Names whose values a statement changes without defining them anew: `X += 1`, `X[0] = 1`, `X.append(1)`, loops."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    if isinstance(statement, (ast.For, ast.While, ast.With, ast.Match)):
        yield from dict.fromkeys(node.id for node in ast.walk(statement) if isinstance(node, ast.Name))
        return
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = [target for target in statement.targets if isinstance(target, (ast.Subscript, ast.Attribute))]
    elif isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        targets = [] if isinstance(statement, ast.AnnAssign) else [statement.target]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        targets = [statement.value.func] if isinstance(statement.value.func, ast.Attribute) else []
    for target in targets:
        while isinstance(target, (ast.Subscript, ast.Attribute)):
            target = target.value
        if isinstance(target, ast.Name):
            yield target.id


@functools.lru_cache(maxsize=8192)
def imports_of(statement: ast.stmt, package: str) -> Mapping[str, Imported]:
    """What the imports in a statement stand for, by local name; all names of a module by a name of its own.

    Args:
        statement: any, also a whole function.
        package: that relative imports start from.
    """
    imports: dict[str, Imported] = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                imports[alias.asname or top] = (alias.name if alias.asname else top, None)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                imports[alias.asname or (alias.name if alias.name != "*" else f"* of {base}")] = (base, alias.name)
    return imports


def further(module: Module, name: str) -> list[ast.stmt]:
    """Statements besides its definition that decide what a name of a module's top level holds."""
    return module.others.get(name, [])


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, (ast.If, ast.Try)):
            yield from _flat(statement.body)
            if isinstance(statement, ast.Try):
                yield from (inner for handler in statement.handlers for inner in _flat(handler.body))
                yield from _flat(statement.finalbody)
            yield from _flat(statement.orelse)
        else:
            yield statement


def lookup(module: Module, name: str) -> tuple[Module, ast.stmt] | None:
    """Where a top-level name of `module` is defined, following imports."""
    return _lookup(module, name, set())


def _lookup(module: Module, name: str, seen: set[tuple[str, str]]) -> tuple[Module, ast.stmt] | None:
    current: Module | None = module
    while current is not None and (current.name, name) not in seen:
        seen.add((current.name, name))
        if name in current.definitions:
            return current, current.definitions[name]
        if name not in current.imports:
            starred = (_lookup(other, name, seen) for base in current.stars if (other := read_module(base)) is not None)
            return next((found for found in starred if found is not None), None)
        target, attribute = current.imports[name]
        if attribute is None:
            return None
        current, name = read_module(target), attribute
    return None


def dotted(node: ast.expr) -> list[str]:
    """["a", "b", "c"] of `a.b.c`; empty for any other expression."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    return [node.id, *reversed(words)] if isinstance(node, ast.Name) else []


def resolve(module: Module, words: list[str]) -> tuple[Module, ast.stmt] | None:
    """Where `a` or `a.b.c`, as a module's top level writes it, is defined."""
    if len(words) < 2:
        return lookup(module, words[0]) if words else None
    taken = member(module.imports, words)
    return lookup(*taken) if taken is not None else None


def member(imports: Mapping[str, Imported], words: list[str]) -> tuple[Module, str] | None:
    """Of `a.b.c` the longest beginning that is a module, and the name that is taken of it."""
    if words[0] not in imports:
        return None
    base, attribute = imports[words[0]]
    full = [*base.split("."), *([attribute] if attribute else []), *words[1:]]
    for count in range(len(full) - 1, len(base.split(".")) - 1, -1):
        other = read_module(".".join(full[:count]))
        if other is not None:
            return other, full[count]
    return None


class _Normaliser(ast.NodeTransformer):
    """Removes what cannot change behaviour: docstrings and annotations' text stays, positions are not dumped."""

    def _strip(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        body = getattr(node, "body", [])
        if (
            body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _strip


class _Quieter(ast.NodeTransformer):
    """Removes what decides how something is told, and no value: texts of errors, logging, annotations of functions."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        node.cause = None
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        called = dotted(node.value.func) if isinstance(node.value, ast.Call) else []
        return ast.Pass() if called[:1] in (["log"], ["print"], ["warnings"]) else self.generic_visit(node)

    def _strip(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        if node.name != "__init__":  # whose annotations are the types of parameters
            arguments = node.args
            for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                argument.annotation = None
            node.returns = None
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _strip


@functools.lru_cache(maxsize=8192)
def quiet(statement: ast.stmt) -> ast.stmt:
    """A copy of a statement with nothing in it that only decides how something is told."""
    quieted: ast.stmt = _Quieter().visit(copy.deepcopy(statement))
    return quieted


#: Facts about an item that no computation reads.
_DESCRIPTIVE = {"source", "equation", "version", "requires"}


@functools.lru_cache(maxsize=8192)
def normalised(statement: ast.stmt) -> str:
    """The statement's syntax tree as text, without docstrings, comments, positions and descriptive attributes."""
    copied = copy.deepcopy(statement)
    if isinstance(copied, ast.ClassDef):
        copied.body = [
            part
            for part in copied.body
            if not (
                isinstance(part, (ast.Assign, ast.AnnAssign))
                and {n.id for n in ast.walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
                <= _DESCRIPTIVE
            )
        ]
    return ast.dump(_Normaliser().visit(copied), annotate_fields=False, include_attributes=False)

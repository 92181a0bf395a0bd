"""Reading Python sources without importing them: definitions, imports, and hashes of what an item's code really is."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sebench.errors import SebenchError


@dataclass(frozen=True)
class Module:
    """The top level of one source file."""

    name: str
    path: Path
    definitions: dict[str, ast.stmt]
    imports: dict[str, tuple[str, str | None]]  # local name -> (module, attribute or None for the module itself)


def module_path(name: str) -> Path | None:
    """The source file of a dotted module name, found without running any of its code."""
    head, *rest = name.split(".")
    if not all(part.isidentifier() for part in (head, *rest)):
        return None
    try:
        spec = importlib.util.find_spec(head)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for location in spec.submodule_search_locations or []:
        base = Path(location).joinpath(*rest)
        for candidate in (base.with_suffix(".py"), base / "__init__.py"):
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
    definitions: dict[str, ast.stmt] = {}
    imports: dict[str, tuple[str, str | None]] = {}
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for statement in _flat(tree.body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            definitions[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                for node in ast.walk(target):
                    if isinstance(node, ast.Name):
                        definitions[node.id] = statement
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            definitions[statement.target.id] = statement
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                imports[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0],
                    None,
                )
        elif isinstance(statement, ast.ImportFrom):
            base = statement.module or ""
            if statement.level:
                parents = package.split(".")
                parents = parents[: len(parents) - statement.level + 1]
                base = ".".join([*parents, base] if base else parents)
            for alias in statement.names:
                imports[alias.asname or alias.name] = (base, alias.name)
    return Module(name, path, definitions, imports)


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, (ast.If, ast.Try)):
            yield from _flat(statement.body)
            yield from _flat(statement.orelse)
        else:
            yield statement


def lookup(module: Module, name: str) -> tuple[Module, ast.stmt] | None:
    """Where a top-level name of `module` is defined, following imports."""
    seen = set()
    current: Module | None = module
    while current is not None and (current.name, name) not in seen:
        seen.add((current.name, name))
        if name in current.definitions:
            return current, current.definitions[name]
        if name not in current.imports:
            return None
        target, attribute = current.imports[name]
        if attribute is None:
            return None
        current, name = read_module(target), attribute
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


#: Facts about an item that no computation reads.
_DESCRIPTIVE = {"source", "equation", "version", "requires"}


def normalised(statement: ast.stmt) -> str:
    """The statement's syntax tree as text, without docstrings, comments, positions and descriptive attributes."""
    import copy

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


def code_hash(module_name: str, name: str) -> str:
    """Hash of a definition and of everything in its own top-level package that it refers to, however far.

    Raises:
        LookupError: there is no such definition.
    """
    module = read_module(module_name)
    start = lookup(module, name) if module is not None else None
    if start is None:
        raise LookupError(f"{module_name}:{name}: no such definition")
    package = module_name.partition(".")[0]
    queue = [(start[0], name)]
    parts: dict[tuple[str, str], str] = {}
    while queue:
        where, what = queue.pop()
        found = lookup(where, what)
        if found is None or found[0].name.partition(".")[0] != package:
            continue
        owner, statement = found
        if (owner.name, what) in parts:
            continue
        parts[owner.name, what] = normalised(statement)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                queue.append((owner, node.id))
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                target = owner.imports.get(node.value.id)
                if target is not None:
                    dotted = target[0] if target[1] is None else f"{target[0]}.{target[1]}"
                    if dotted.partition(".")[0] == package:
                        other = read_module(dotted)
                        if other is not None:
                            queue.append((other, node.attr))
            elif (
                isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").partition(".")[0] == package
            ):
                other = read_module(node.module or "")
                if other is not None:
                    queue.extend((other, alias.name) for alias in node.names)
    text = "\n".join(f"{key}={value}" for key, value in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]

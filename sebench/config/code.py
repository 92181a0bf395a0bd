"""What an item's code really is: everything it refers to, as one hash, however far and in whatever file.

Of an item from outside that is: definitions in all modules that are no part of an installed distribution, with what
decorators of one's own register beside them, data files that lie beside them and are named by literals, and the
versions of distributions that sebench does not bring. The standard library, sebench itself and what sebench requires
are in the provenance. Nothing is imported.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from sebench.config.source import (
    Imported,
    Module,
    binary_path,
    dotted,
    further,
    imports_of,
    lookup,
    member,
    module_path,
    normalised,
    quiet,
    read_module,
    search_folders,
)

OWN = __name__.partition(".")[0]

#: Modules and packages of sebench that decide where and how something is computed, read, kept and told, and never what
#: comes out: their definitions count for nothing.
INFRASTRUCTURE = tuple(
    f"{OWN}.{name}"
    for name in (
        "artefacts",
        "config.code",
        "config.classes",
        "config.facts",
        "config.items",
        "config.annotations",
        "config.registries",
        "config.specs",
        "config.relations",
        "config.own_code",
        "config.source",
        "config.versions",
        "contracts.base",
        "errors",
        "files",
        "process",
        "targets",
        "training.checkpoint",
        "training.progress",
    )
)

#: Functions that make no other path of what they are given.
PATHS = frozenset(
    {"Path", "PurePath", "join", "joinpath", "dirname", "abspath", "realpath", "resolve", "absolute", "str"}
)
#: Functions that open a file, by their last name; what they are called on is the path where that is no module.
OPENERS = frozenset({"open", "loadtxt", "genfromtxt", "read_csv", "read_text", "read_bytes"})
#: Those that look for files.
FINDERS = frozenset({"glob", "iglob", "rglob"})


@dataclass
class Code:
    """An item's code.

    Args:
        hash: of all that counts.
        modules: from which definitions count, by name.
        files: data files and compiled modules that count.
        packages: distributions that count by their version.
        unseen: what it takes at run time, by names that its source does not hold.
    """

    hash: str = ""
    modules: set[str] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)


def code_hash(module_name: str, name: str) -> str:
    """Hash of a definition and of everything that it refers to, as the module says.

    Raises:
        LookupError: there is no such definition.
    """
    return code_of(f"{module_name}:{name}").hash


def code_of(*starts: str, apart: Iterable[str] = ()) -> Code:
    """The code of some definitions; of sebench's own all that they refer to in sebench.

    Args:
        starts: `module:name`, of one package.
        apart: definitions that do not count, as they have versions of their own: likewise, where they are defined.

    Raises:
        LookupError: there is no such definition.
    """
    return _Walk(starts[0].partition(".")[0], frozenset(apart)).of(starts)


class _Walk:
    """Follows references from one definition.

    Args:
        package: top-level package of the item, which is followed wherever it lies.
        apart: definitions that do not count, as `module:name` where they are defined.
    """

    def __init__(self, package: str, apart: frozenset[str] = frozenset()) -> None:
        self.package = package
        self.apart = apart
        self.code = Code()
        self.parts: dict[tuple[str, str], str] = {}
        self.registering: set[str] = set()
        self.queue: list[tuple[Module, str]] = []

    def of(self, starts: Iterable[str]) -> Code:
        for place in starts:
            name, _, attribute = place.partition(":")
            module = read_module(name)
            if module is None or lookup(module, attribute) is None:
                raise LookupError(f"{place}: no such definition")
            self.queue.append((module, attribute))
        while self.queue:
            self._define(*self.queue.pop())
        text = "\n".join(f"{key}={value}" for key, value in sorted(self.parts.items()))
        self.code.hash = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self.code

    def _define(self, where: Module, what: str) -> None:
        found = lookup(where, what)
        if found is None:
            self._imported(where.imports.get(what))
            return
        owner, statement = found
        place = owner.name, what
        if not self._follows(owner.name) or place in self.parts or ":".join(place) in self.apart:
            return
        if self.package == OWN:
            statement = quiet(statement)
        for module in {each.name: each for each in (where, owner)}.values():
            if self.package != OWN and self._own(module.name) and module.name not in self.registering:
                self.registering.add(module.name)
                self.queue.extend((module, name) for name in module.definitions if self._registered(module, name))
        self.code.modules.add(owner.name)
        self.parts[place] = normalised(statement)
        self._refer(owner, statement)
        if what in owner.imports:  # an import in a `try`, and what stands in for it
            self._names([owner.imports[what]])
        for number, more in enumerate(further(owner, what), 1):
            self.parts[owner.name, f"{what} #{number}"] = normalised(more)
            self._refer(owner, more)

    def _registered(self, owner: Module, name: str) -> bool:
        """Whether a definition has a decorator of somebody's own, which may keep it where others find it."""
        for decorator in getattr(owner.definitions[name], "decorator_list", []):
            words = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if not words or words[0] in owner.definitions:
                return True
            found = None if words[0] in owner.imports else lookup(owner, words[0])
            if self._own(found[0].name if found else owner.imports.get(words[0], ("", None))[0]):
                return True
        return False

    def _imported(self, target: Imported | None) -> None:
        """A name that stands for a module, or for something in one whose source cannot be read."""
        if target is None:
            return
        base, attribute = target
        self._follows(base)
        for name in [base] if attribute is None else [f"{base}.{attribute}", base]:
            path = binary_path(name)
            if path is not None and self._follows(name):
                self._file(path, name)
                return

    def _refer(self, owner: Module, statement: ast.stmt) -> None:
        local = {**owner.imports, **imports_of(statement, owner.package)}
        for node in _referring(statement):
            if isinstance(node, ast.Name):
                self.queue.append((owner, node.id))
                if node.id not in owner.imports:
                    self._imported(local.get(node.id))
            elif isinstance(node, ast.Attribute):
                self._attribute(local, dotted(node))
            elif isinstance(node, ast.ImportFrom):
                self._names(imports_of(node, owner.package).values())
            elif isinstance(node, ast.Call):
                self._call(node)
        if self.package != OWN:
            names = _assigned(owner, statement)
            for path in _data_files(owner, statement, names):
                self._file(path, path.name)
            self.code.unseen.update(_opened_unseen(owner, statement, names, local))

    def _attribute(self, local: Mapping[str, Imported], words: list[str]) -> None:
        if words and words[0] in local and self._follows(local[words[0]][0]):
            taken = member(local, words)
            if taken is not None:
                self.queue.append(taken)

    def _names(self, targets: Iterable[Imported]) -> None:
        for base, attribute in targets:
            other = read_module(base) if self._follows(base) else None
            if other is not None and attribute is not None:
                self.queue.append((other, attribute))

    def _call(self, call: ast.Call) -> None:
        """A module that is asked for by its name as text: all of it."""
        if self.package == OWN or (dotted(call.func) or [""])[-1] not in ("import_module", "__import__"):
            return
        first = call.args[0] if call.args else None
        if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
            self.code.unseen.add(ast.unparse(call))
            return
        other = read_module(first.value) if self._follows(first.value) else None
        if other is not None:
            self.queue.extend((other, name) for name in other.definitions)

    def _file(self, path: Path, name: str) -> None:
        self.code.files.add(path)
        status = path.stat()
        self.parts["file", name] = _file_hash(path, status.st_size, status.st_mtime_ns)

    def _follows(self, name: str) -> bool:
        """Whether definitions of that module count themselves; notes the distribution that it counts by otherwise."""
        top = name.partition(".")[0]
        if self.package == OWN:
            return top == OWN and not any(f"{name}.".startswith(f"{each}.") for each in INFRASTRUCTURE)
        if self._own(name):
            return True
        for distribution in _distributions(top) if _is_foreign(top) and _place(top) is not None else ():
            self.code.packages.add(distribution)
            self.parts["distribution", distribution.partition(" ")[0]] = distribution
        return False

    def _own(self, name: str) -> bool:
        """Whether a module, for an item from outside, is of the item's package or of no installed distribution."""
        top = name.partition(".")[0]
        if top == self.package or not _is_foreign(top):
            return top == self.package
        where = _place(top)
        return where is not None and not _installed(where)


def _is_foreign(top: str) -> bool:
    """Whether a top-level module is neither sebench's nor the standard library's."""
    return top not in ("", OWN) and top not in sys.stdlib_module_names


@functools.lru_cache(maxsize=8192)
def _referring(statement: ast.stmt) -> tuple[ast.AST, ...]:
    kinds = (ast.Name, ast.Attribute, ast.ImportFrom, ast.Call)
    return tuple(node for node in ast.walk(statement) if isinstance(node, kinds))


@functools.lru_cache(maxsize=256)
def _file_hash(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _data_files(owner: Module, part: ast.AST, names: Mapping[str, ast.expr]) -> Iterator[Path]:
    """Files that literals in a part of a module name, from the module's folder or one above it in its package."""
    folders = [*owner.path.parents][: len(owner.package.split(".")) + 1 if owner.package else 1]
    for text in dict.fromkeys(_literals(part, names)):
        for folder in folders:
            path = folder / text
            if _is_file(path) and path.suffix not in (".py", ".pyc"):
                yield path
                break


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # of a text that is no path, such as a long docstring
        return False


def _literals(part: ast.AST, names: Mapping[str, ast.expr]) -> Iterator[str]:
    """Texts that may be paths: each alone, and those that are joined by `/` or as arguments of one call."""
    for node in ast.walk(part):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts = [node.value.lstrip("/") if not _is_file(Path(node.value)) else node.value]
        elif isinstance(node, ast.Call):
            whole = [node] if _last(node.func) in PATHS else node.args
            parts = [piece for arg in whole for piece in _pieces(arg, names) if piece is not None]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = [piece for piece in _pieces(node, names) if piece is not None]
        else:
            continue
        text = "/".join(parts)
        if 0 < len(text) < 256 and "\n" not in text and "\0" not in text:
            yield text


def _assigned(owner: Module, statement: ast.stmt) -> dict[str, ast.expr]:
    """Names that stand for one expression, in a statement or at the top level of its module."""
    found: dict[str, ast.expr] = {}
    for part in (*owner.definitions.values(), *ast.walk(statement)):
        targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
        value = part.value if isinstance(part, (ast.Assign, ast.AnnAssign)) else None
        if value is not None and len(targets) == 1 and isinstance(targets[0], ast.Name):
            found[targets[0].id] = value
    return found


def _pieces(node: ast.expr, names: Mapping[str, ast.expr]) -> Sequence[str | None]:
    """What a path expression joins, from the module's folder on; None for what only running it tells."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Name):
        if node.id in names:
            return _pieces(names[node.id], {name: value for name, value in names.items() if name != node.id})
        return [] if node.id == "__file__" else [None]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [*_pieces(node.left, names), *_pieces(node.right, names)]
    if isinstance(node, ast.Subscript):
        return _pieces(node.value, names)
    if isinstance(node, ast.Attribute) and node.attr in ("parent", "parents"):
        return _pieces(node.value, names)[:-1]
    if isinstance(node, ast.Call):
        words, last = dotted(node.func), _last(node.func)
        if last in PATHS:
            method = isinstance(node.func, ast.Attribute) and (not words or words[0] in names)
            on = _pieces(node.func.value, names) if method and isinstance(node.func, ast.Attribute) else []
            found = [*on, *(piece for arg in node.args for piece in _pieces(arg, names))]
            return found[:-1] if last == "dirname" else found
    return [None]


def _last(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else (dotted(function) or [""])[-1]


def _opened_unseen(
    owner: Module, statement: ast.stmt, names: Mapping[str, ast.expr], local: Mapping[str, Imported]
) -> Iterator[str]:
    """Calls that open files by names that are made at run time."""
    for call in _referring(statement):
        if not isinstance(call, ast.Call):
            continue
        last, words = _last(call.func), dotted(call.func)
        base = local[words[0]][0].partition(".")[0] if words and words[0] in local else ""
        if last in FINDERS:
            yield ast.unparse(call)
        elif last in OPENERS or (last == "load" and base in ("numpy", "torch")):
            on = call.func.value if isinstance(call.func, ast.Attribute) and not base else None
            path = on or next(iter([*call.args, *(word.value for word in call.keywords)]), None)
            if path is not None and None in _pieces(path, names) and not any(_data_files(owner, path, names)):
                yield ast.unparse(call)


# Where modules come from


def _place(top: str) -> Path | None:
    """File or folder of a top-level module."""
    path = module_path(top) or binary_path(top)
    if path is not None:
        return path
    return next(iter(search_folders(top)), None)


@functools.cache
def _site_folders() -> tuple[Path, ...]:
    names = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    return tuple(Path(name).resolve() for name in {*names, site.getusersitepackages()} if name)


def _installed(path: Path) -> bool:
    """Whether a file is where distributions are unpacked; the source of an editable installation is not."""
    resolved = path.resolve()
    return any(resolved.is_relative_to(folder) for folder in _site_folders())


@functools.cache
def _distributions(top: str) -> tuple[str, ...]:
    """`name version` of the distributions that a top-level module is of, but for those that sebench requires."""
    required = {_plain(OWN), *map(_plain, metadata.requires(OWN) or ())}
    if _plain(top) in required:
        return ()
    names = sorted({_plain(name) for name in _by_module().get(top, ())} - required)
    return tuple(f"{name} {metadata.version(name)}" for name in names)


@functools.cache
def _by_module() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _plain(requirement: str) -> str:
    """The normalised name of a distribution at the beginning of a requirement."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""

"""What an item's code really is: everything it refers to, as one hash, however far and in whatever file.

Of an item from outside that is: definitions in all modules that are no part of an installed distribution, data files
that lie beside them and are named by a literal, and the versions of distributions that sebench does not bring. The
standard library, sebench itself and what sebench requires are in the provenance. Nothing is imported.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
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

#: Modules of sebench that decide where and how something is computed, read, kept and told, and never what comes out:
#: their definitions count for nothing.
INFRASTRUCTURE = frozenset(
    f"{OWN}.{name}"
    for name in (
        "artefacts",
        "process.cluster",
        "config.code",
        "config.items",
        "config.own_code",
        "config.source",
        "config.versions",
        "contracts.base",
        "errors",
        "run.failures",
        "files",
        "process.isolated",
        "process.once",
        "run.restore",
        "targets",
        "training.checkpoint",
        "process.interrupt",
        "process.lease",
        "training.progress",
        "process.workers",
    )
)


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
        self.code.modules.add(owner.name)
        self.parts[place] = normalised(statement)
        self._refer(owner, statement)
        if what in owner.imports:  # an import in a `try`, and what stands in for it
            self._names([owner.imports[what]])
        for number, more in enumerate(further(owner, what), 1):
            self.parts[owner.name, f"{what} #{number}"] = normalised(more)
            self._refer(owner, more)

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
            for path in _data_files(owner, statement):
                self._file(path, path.name)

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
        if top == self.package:
            return top != OWN or name not in INFRASTRUCTURE
        if self.package == OWN or top == OWN or not top or top in sys.stdlib_module_names:
            return False
        where = _place(top)
        if where is None or not _installed(where):
            return where is not None
        for distribution in _distributions(top):
            self.code.packages.add(distribution)
            self.parts["distribution", distribution.partition(" ")[0]] = distribution
        return False


@functools.lru_cache(maxsize=8192)
def _referring(statement: ast.stmt) -> tuple[ast.AST, ...]:
    kinds = (ast.Name, ast.Attribute, ast.ImportFrom, ast.Call)
    return tuple(node for node in ast.walk(statement) if isinstance(node, kinds))


@functools.lru_cache(maxsize=256)
def _file_hash(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _data_files(owner: Module, statement: ast.stmt) -> Iterator[Path]:
    """Files that a literal in a statement names, from the module's folder or one above it in its package."""
    folders = [*owner.path.parents][: len(owner.package.split(".")) + 1 if owner.package else 1]
    for text in dict.fromkeys(_literals(statement)):
        for folder in folders:
            path = folder / text
            try:
                there = path.is_file() and path.suffix not in (".py", ".pyc")
            except (OSError, ValueError):  # a text that is no path
                there = False
            if there:
                yield path
                break


def _literals(statement: ast.stmt) -> Iterator[str]:
    """Texts that may be paths: each alone, and those that are joined by `/` or as arguments of one call."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts = [node.value.lstrip("/") if not Path(node.value).is_file() else node.value]
        elif isinstance(node, ast.Call):
            parts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = _joined(node)
        else:
            continue
        text = "/".join(parts)
        if 0 < len(text) < 256 and "\n" not in text and "\0" not in text:
            yield text


def _joined(node: ast.expr) -> list[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [*_joined(node.left), *_joined(node.right)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


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

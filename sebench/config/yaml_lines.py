"""YAML files with the line of every key, so that an error can say where it is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer

from sebench.errors import ConfigError, Problem

Location = tuple[str | int | float, ...]


#: libyaml parses, where it is; its composer does not come back from what is nested too deeply.
_BASES: Any = (Composer, yaml.CSafeLoader) if hasattr(yaml, "CSafeLoader") else (yaml.SafeLoader,)


class _Loader(*_BASES):  # type: ignore[misc]
    """Safe loader without YAML 1.1's surprises: `1e-3` is a number; yes, no, on and off are words."""

    def __init__(self, text: str) -> None:
        _BASES[-1].__init__(self, text)
        Composer.__init__(self)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node, with what it holds."""
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem=f"nested more than {MAX_DEPTH} levels deep", problem_mark=mark)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


_OURS = {f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "timestamp")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag not in _OURS]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"),
    list("-+.0123456789"),
)
#: Plain scalars that some readers of YAML take for numbers that nobody meant.
_SURPRISES = {
    "an octal number": re.compile(r"^[-+]?0[0-7_]+$"),
    "a number in base 60": re.compile(r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$"),
    "a number in another base, or with underscores": re.compile(
        r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9]+(?:_[0-9]+)+)$"
    ),
}
#: Beyond these a file is no configuration that a person wrote.
MAX_NODES, MAX_DEPTH = 200_000, 50


@dataclass
class Document:
    """A parsed file.

    Args:
        path: the file.
        data: its content.
        lines: path of keys -> line (from 1).
    """

    path: Path
    data: Any
    lines: dict[Location, int] = field(default_factory=dict)

    def where(self, location: Location = ()) -> str:
        """'file:line' of a key, or of the nearest enclosing one."""
        while location and location not in self.lines:
            location = location[:-1]
        return f"{self.path}:{self.lines.get(location, 1)}"


def load(path: Path) -> Document:
    """Read one YAML file.

    Raises:
        ConfigError: it cannot be read, is not YAML, a key stands twice, or a value is none that was meant.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError([Problem(str(path), "file", "there is no such file")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), "file", f"not UTF-8: {error.reason}")]) from None
    except OSError as error:
        raise ConfigError([Problem(str(path), "file", f"cannot be read: {error.strerror}")]) from None
    try:
        loader = _Loader(text)
        try:
            reader = _Reader(loader, path)
            root = loader.get_single_node()
            data = reader.value(root, (), ()) if root is not None else {}
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ConfigError([Problem(f"{path}:{line}", "YAML", _reason(error))]) from None
    if reader.problems:
        raise ConfigError(reader.problems)
    return Document(path, data, reader.lines)


def _reason(error: yaml.YAMLError) -> str:
    """What the parser says, and where that began."""
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context, mark = (getattr(error, name, None) for name in ("context", "context_mark"))
    return f"{context} (line {mark.line + 1}): {reason}" if context and mark else str(reason)


#: Tags of what a configuration holds, and what a reader calls their values.
_KINDS = {
    f"tag:yaml.org,2002:{name}": words
    for name, words in {
        "str": "text", "int": "whole number", "float": "number", "bool": "true or false", "null": "empty value",
        "map": "mapping", "seq": "list",
    }.items()
}  # fmt: skip


class _Reader:
    """Turns YAML's nodes into values, with the line of every key.

    Args:
        loader: constructs single values.
        path: of the file, for messages.
    """

    def __init__(self, loader: Any, path: Path) -> None:
        self.loader, self.path = loader, path
        self.lines: dict[Location, int] = {(): 1}
        self.problems: list[Problem] = []
        self.count = 0

    def value(self, node: yaml.Node, location: Location, inside: tuple[yaml.Node, ...]) -> Any:
        """A node's value; `inside` are the nodes that it stands in."""
        self.count += 1
        if self.count > MAX_NODES:
            self._stop(node, f"more than {MAX_NODES} values: aliases (`*name`) that multiply each other?")
        if any(node is outer for outer in inside):
            self._stop(node, "an anchor (`&name`) that contains itself by an alias (`*name`)")
        if node.tag not in _KINDS:
            accepted = "text, a number, true, false, nothing, a list or a mapping, without a `!kind`"
            kind = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(node, location, f"a value of the kind {kind}", accepted)
            return None
        if isinstance(node, yaml.MappingNode):
            result: dict[Any, Any] = {}
            for key, key_node, value_node in self._pairs(node, location, (*inside, node)):
                self.lines[(*location, key)] = key_node.start_mark.line + 1
                result[key] = self.value(value_node, (*location, key), (*inside, node))
            return result
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, child in enumerate(node.value):
                self.lines[(*location, index)] = child.start_mark.line + 1
                items.append(self.value(child, (*location, index), (*inside, node)))
            return items
        return self._scalar(node, location)

    def _pairs(
        self, node: yaml.MappingNode, location: Location, inside: tuple[yaml.Node, ...]
    ) -> Iterator[tuple[str | int | float, yaml.Node, yaml.Node]]:
        """Keys and values of a mapping; those of `<<: *base` follow, where the mapping does not have them itself."""
        own: dict[Any, None] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            plain = isinstance(key_node, yaml.ScalarNode) and key_node.tag in _KINDS
            key = self._scalar(key_node, location) if plain else None
            if isinstance(key, bool) or not isinstance(key, (str, int, float)):
                what = "no key" if key_node.tag.endswith("null") else "a key that is no word"
                self._problem(key_node, location, what, "a word, in quotes where it looks like something else")
                continue
            if key in own:
                self._problem(key_node, (*location, key), "the key stands twice in one mapping")
            own[key] = None
            yield key, key_node, value_node
        for base in merged:
            if any(base is outer for outer in inside):
                self._stop(base, "an anchor (`&name`) that contains itself by an alias (`*name`)")
            if not isinstance(base, yaml.MappingNode):
                self._problem(base, location, "`<<` merges what is no mapping", "`<<: *name` of a mapping")
                continue
            for key, key_node, value_node in self._pairs(base, location, (*inside, base)):
                if key not in own:
                    own[key] = None
                    yield key, key_node, value_node

    def _scalar(self, node: Any, location: Location) -> Any:
        """A single value; what would be another number elsewhere than here is a mistake."""
        try:
            value = self.loader.construct_object(node)
        except (ValueError, KeyError, AttributeError, OverflowError):  # such as `!!int x`, or 5,000 digits
            text = node.value if len(node.value) <= 40 else f"{node.value[:30]}... of {len(node.value)} characters"
            self._problem(node, location, f"{text} cannot be read as a {_KINDS.get(node.tag, 'key')}")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._problem(node, location, f"{node.value} is too large for a number", "a finite number")
        if isinstance(value, str) and not node.style:
            for what, pattern in _SURPRISES.items():
                if pattern.match(value):
                    self._problem(node, location, f"{value} ({_meant(value, what)})", _written(value))
        return value

    def _problem(self, node: yaml.Node, location: Location, found: str, accepted: str = "") -> None:
        where = f"{self.path}:{node.start_mark.line + 1}"
        self.problems.append(Problem(where, ".".join(map(str, location)) or "YAML", found, accepted))

    def _stop(self, node: yaml.Node, what: str) -> NoReturn:
        raise yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark)


def _meant(text: str, what: str) -> str:
    """What YAML 1.1 reads in a surprising number."""
    try:
        return f"in YAML 1.1 {what}: {yaml.safe_load(text):g}"
    except (yaml.YAMLError, ValueError, TypeError):
        return f"in YAML 1.1 {what}"


def _written(text: str) -> str:
    plain = text.lstrip("-+").replace("_", "").lstrip("0")
    number = f"{text[0] if text[0] == '-' else ''}{plain}, or " if plain.isdecimal() else "a decimal number, or "
    return f'{number}"{text}" in quotes for text'

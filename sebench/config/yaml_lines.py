"""YAML files with the line of every key, so that an error can say where it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sebench.errors import ConfigError, Problem

Location = tuple[str | int, ...]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe loader without YAML 1.1's surprises: `1e-3` is a number; yes, no, on and off are words."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in pairs if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")
    ]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"),
    list("-+.0123456789"),
)


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
        ConfigError: not YAML, or a key stands twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem(str(path), "file", "there is no such file")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), "file", f"not UTF-8: {error.reason}")]) from None
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        problems: list[Problem] = []
        lines: dict[Location, int] = {(): 1}
        data = _convert(loader, root, (), lines, problems, path) if root is not None else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = Problem(f"{path}:{line}", "YAML", getattr(error, "problem", None) or str(error))
        raise ConfigError([problem]) from None
    finally:
        loader.dispose()
    if problems:
        raise ConfigError(problems)
    return Document(path, data, lines)


def _convert(
    loader: Any, node: yaml.Node, location: Location, lines: dict[Location, int], problems: list[Problem], path: Path
) -> Any:
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node)
            if not isinstance(key, (str, int, float)):
                key = str(key)
            line = key_node.start_mark.line + 1
            if key in result:
                problems.append(
                    Problem(
                        f"{path}:{line}", ".".join(map(str, (*location, key))), "the key stands twice in one mapping"
                    )
                )
            lines[(*location, key)] = line
            result[key] = _convert(loader, value_node, (*location, key), lines, problems, path)
        return result
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, child in enumerate(node.value):
            lines[(*location, index)] = child.start_mark.line + 1
            items.append(_convert(loader, child, (*location, index), lines, problems, path))
        return items
    return loader.construct_object(node)

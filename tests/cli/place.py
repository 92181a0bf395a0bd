"""What the tests of commands are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sebench.artefacts import Node, Store

Command = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Place:
    """The folder, and what is in it."""

    folder: Path
    store: Store
    run: Node
    rendered: Node

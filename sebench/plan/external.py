"""Rows of a study that nobody trains here: models that others published as files."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sebench.config.entries import Config, Named
from sebench.errors import ConfigError, Problem, SebenchError
from sebench.files import expanded, sha256_of
from sebench.plan.grid import RESERVED
from sebench.plan.resolve import identity


class ExternalMissing(SebenchError):
    """The file of an external model is not where the configuration says.

    Args:
        reason: the same for everyone: it stands in tables.
        hint: what this person can do.
    """

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(f"{reason}; {hint}")
        self.reason, self.hint = reason, hint


def external_item(config: Config, name: str) -> tuple[dict[str, Any], Path]:
    """Identity of an external model, with its file's SHA-256, and where the file lies.

    Raises:
        ExternalMissing: no file is named, or there is none.
    """
    named = config.get("external", name)
    entry = named.entry
    found = (os.environ.get(entry.file_env) if entry.file_env else None) or entry.file
    hint = f"set `file:` at {named.where('file')}" + (f" or the variable {entry.file_env}" if entry.file_env else "")
    reason = f"the file of the external model {name!r} is not there"
    if entry.address:
        reason += f" (to be had: {entry.address})"
    if not found:
        raise ExternalMissing(reason, f"no file is named: {hint}")
    path = expanded(found, f"external model {name!r}: file")
    if not path.is_file():
        raise ExternalMissing(reason, f"{path} is no file: {hint}")
    status = path.stat()
    digest = _sha256(path.resolve(), status.st_size, status.st_mtime_ns)
    return {**identity("external", entry), "sha256": digest}, path.resolve()


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, _size: int, _modified: int) -> str:
    return sha256_of(path)


def check_labels(study: Named, taken: Iterable[str]) -> None:
    """Refuse an external row that is called like another one.

    Raises:
        ConfigError: names it.
    """
    others = {*RESERVED, *taken}
    problems = [
        Problem(
            study.where("external", label),
            f"{study.name}.external.{label}",
            f"a row is called {label!r} already",
            "another label",
        )
        for label in study.entry.external
        if label in others
    ]
    if problems:
        raise ConfigError(problems)

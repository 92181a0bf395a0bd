"""Versions of sebench's own algorithms (items carry theirs). They enter ids; bump one when results change.

Those of the kinds of nodes stand in their table.

`sebench/config/versions.lock` pairs each version with a hash of the code behind it; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sebench.config import items
from sebench.config.code import code_of
from sebench.config.facts import COLUMN, FIGURE, ITEM_KINDS
from sebench.files import read_json, write_json
from sebench.kinds import KINDS, Algorithm

ALGORITHMS: dict[str, Algorithm] = {
    **{kind.name: kind.algorithm for kind in KINDS.values() if kind.algorithm is not None},
    "published set": Algorithm(2, ("synthesis.mixture:published",)),
    **{
        f"column {item.type}": Algorithm(item.facts.version, (f"{item.module.removeprefix('sebench.')}:value",))
        for item in items.registry(COLUMN).values()
        if item.builtin
    },
    **{
        f"figure {item.type}": Algorithm(
            item.facts.version, (f"{item.module.removeprefix('sebench.')}:make", "figures.style:encoded")
        )
        for item in items.registry(FIGURE).values()
        if item.builtin
    },
}

LOCK = Path(__file__).with_name("versions.lock")


def version(algorithm: str) -> int:
    """The current version of one of `ALGORITHMS`."""
    return ALGORITHMS[algorithm].version


def code(algorithm: Algorithm) -> str:
    """Hash of all code that decides an algorithm's results."""
    starts, apart = ([f"sebench.{place}" for place in places] for places in (algorithm.starts, algorithm.apart))
    return code_of(*starts, apart=apart).hash


def current() -> dict[str, dict[str, int | str]]:
    """name -> version and code hash, of every algorithm and built-in item."""
    found: dict[str, dict[str, int | str]] = {}
    for name, algorithm in ALGORITHMS.items():
        found[f"algorithm {name}"] = {"version": algorithm.version, "code": code(algorithm)}
    for kind in (kind for kind in ITEM_KINDS if kind not in (FIGURE, COLUMN)):  # they are among the algorithms
        for item in items.registry(kind).values():
            if item.builtin:
                found[f"{kind} {item.type}"] = {"version": item.facts.version, "code": item.code}
    return found


def stale() -> Iterator[str]:
    """What differs from the lock: code that changed under an unchanged version, new and vanished entries."""
    locked = read_json(LOCK) if LOCK.exists() else {}
    now = current()
    for name in sorted(locked.keys() | now.keys()):
        if name not in now:
            yield f"{name}: is in the lock and no longer in the code"
        elif name not in locked:
            yield f"{name}: is new"
        elif now[name]["code"] != locked[name]["code"]:
            if now[name]["version"] == locked[name]["version"]:
                yield f"{name}: the code changed and the version ({now[name]['version']}) did not"
            else:
                yield f"{name}: version {locked[name]['version']} became {now[name]['version']}"
        elif now[name]["version"] != locked[name]["version"]:
            yield f"{name}: version {locked[name]['version']} became {now[name]['version']} with the same code"


def update() -> None:
    """Write the lock. To be called by a person who decided whether results change."""
    write_json(LOCK, current())

"""Versions of sebench's own algorithms (items carry theirs). They enter ids; bump one when results change.

`sebench/config/versions.lock` pairs each version with a hash of the code behind it; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sebench.config import items
from sebench.config.code import code_hash
from sebench.files import read_json, write_json

#: algorithm -> (version, where its code starts)
ALGORITHMS: dict[str, tuple[int, str]] = {
    "mixtures": (1, "sebench.synthesis.plan:plan_mixtures"),
    "set": (3, "sebench.synthesis.render:render_mixture"),
    "published set": (2, "sebench.synthesis.mixture:published"),
    "separation": (1, "sebench.corpora.separation:run"),
    "run": (2, "sebench.training.step:run"),
    "choice": (1, "sebench.training.choice:run"),
    "enhanced": (1, "sebench.enhancement.step:run"),
    "scores": (1, "sebench.metrics.step:run"),
    "predictions": (1, "sebench.enhancement.predict:run"),
    "complexity": (1, "sebench.models.complexity:complexity"),
    "table": (5, "sebench.tables.step:run"),
    "figure": (4, "sebench.report.step:run"),
}

LOCK = Path(__file__).with_name("versions.lock")


def version(algorithm: str) -> int:
    """The current version of one of `ALGORITHMS`."""
    return ALGORITHMS[algorithm][0]


def current() -> dict[str, dict[str, int | str]]:
    """name -> version and code hash, of every algorithm and built-in item."""
    found: dict[str, dict[str, int | str]] = {}
    for name, (number, path) in ALGORITHMS.items():
        module, _, attribute = path.partition(":")
        found[f"algorithm {name}"] = {"version": number, "code": code_hash(module, attribute)}
    for kind in items.PACKAGES:
        for item in items.registry(kind).values():
            if item.builtin:
                found[f"{kind} {item.type}"] = {"version": item.version, "code": item.code}
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

"""Folders with modules of one's own (`python_path:` of config.yaml): on the module search path of every command.

They stand behind everything else, so that a file of one's own hides no package. A job does not read `config/`: the
store remembers the folders (`Store.set_python_path`), and each step asks it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from sebench.files import expanded

_ADDED: list[str] = []


def resolved(folder: str) -> Path:
    """A configured folder, with `~` and variables, relative to the working folder.

    Raises:
        SebenchError: a variable is not set, or there is no home folder.
    """
    return expanded(folder, "folder").absolute()


def extend(folders: Iterable[str | Path]) -> None:
    """Search these folders too, here and in processes that are started from here; those of an earlier call no more."""
    for old in _ADDED:
        if old in sys.path:
            sys.path.remove(old)
    inherited = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part not in _ADDED]
    _ADDED[:] = dict.fromkeys(str(resolved(str(folder))) for folder in folders)
    sys.path.extend(folder for folder in _ADDED if folder not in sys.path)
    importlib.invalidate_caches()
    path = os.pathsep.join(dict.fromkeys([*inherited, *_ADDED]))
    if path:
        os.environ["PYTHONPATH"] = path
    else:
        os.environ.pop("PYTHONPATH", None)


def added() -> list[str]:
    """The folders that are searched too."""
    return list(_ADDED)


def searched() -> list[str]:
    """Folders in which modules of one's own can lie: those of the path that are not the interpreter's."""
    own = (Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix))
    places = (Path(place or ".") for place in sys.path)
    return [str(place) for place in places if not any(place.is_relative_to(root) for root in own)] or ["none"]

"""Where a person's copy of an external model's file lies.

That is no part of any id. It is kept beside the store, as the roots of corpora are.
"""

from __future__ import annotations

from pathlib import Path

from sebench.artefacts import Store
from sebench.files import read_json


def _name(sha256: str) -> str:
    return f"external-{sha256[:10]}"


def set_file(store: Store, sha256: str, file: Path) -> None:
    """Remember where the file with that hash lies."""
    store.set_location(_name(sha256), file)


def file_of(store: Store, sha256: str) -> Path | None:
    """The file with that hash; None where it was never planned with here."""
    path = store.location_path(_name(sha256))
    return Path(read_json(path)["root"]) if path.exists() else None

"""Simulated impulse responses, kept on disk: a room is simulated once for all the sets that it occurs in.

Simulation takes nine tenths of the time of rendering a reverberant mixture (`benchmarks/synthesis.py`); the test sets
of all SNRs have the same rooms, and audio that was deleted is made again from the same ones. A response is named by a
hash of all that it follows from. Processes that simulate the same room at once write the same bytes, each by rename.
"""

from __future__ import annotations

import functools
import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from sebench.artefacts import Store, canonical
from sebench.config.code import code_hash
from sebench.files import replacing
from sebench.synthesis import rooms

#: What `numpy.load` and the archive's checksums say of a file that is damaged.
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Responses:
    """Gives a room's response as `rooms.from_description` does: read from `folder`, or simulated and written there."""

    folder: Path

    @classmethod
    def of(cls, store: Store) -> Responses:
        """Those of a store."""
        return cls(store.root / "state" / "rooms")

    def __call__(self, room: str, sample_rate: int) -> rooms.Response:
        """The response of a simulated room from the JSON in a mixture's column `room`."""
        path = self.path(room, sample_rate)
        try:
            with np.load(path) as kept:
                return rooms.Response(kept["full"], kept["direct"], int(kept["delay"]))
        except _DAMAGED:  # or not there yet
            response = rooms.from_description(room, sample_rate)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, full=response.full, direct=response.direct, delay=response.delay)
        return response

    def path(self, room: str, sample_rate: int) -> Path:
        """Where a response lies, or would."""
        physics = {name: value for name, value in json.loads(room).items() if name not in ("source", "target")}
        content = canonical({"room": physics, "sample_rate": sample_rate, "by": _simulator()})
        name = hashlib.sha256(content.encode()).hexdigest()[:32]
        return self.folder / name[:2] / f"{name}.npz"


@functools.cache
def _simulator() -> tuple[str, str]:
    """The library and our code around it: another of either makes other files."""
    return f"pyroomacoustics {metadata.version('pyroomacoustics')}", code_hash(rooms.__name__, "simulate")

"""Read access to a rendered set: memory-mapped shards behind an index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sebench.artefacts import Node, Store
from sebench.config.specs import SetSpec
from sebench.errors import DataError
from sebench.files import read_parquet, replacing
from sebench.synthesis.mixture import COMPONENTS, Signals, complete
from sebench.synthesis.plan import RATE
from sebench.targets import check_target

if TYPE_CHECKING:
    import pandas as pd

BYTES = 4  # per sample: little-endian float32


def shard_name(shard: int) -> str:
    """File name of a shard in the set's state folder."""
    return f"shard-{shard:05d}.f32"


def shard_bytes(index: pd.DataFrame) -> dict[int, int]:
    """Size that each shard of an index has in bytes."""
    starts = np.max(list(_offsets(index).values()), axis=0)
    sizes: dict[int, int] = {}
    for shard, start, samples in zip(index["shard"].tolist(), starts.tolist(), index["samples"].tolist(), strict=True):
        sizes[shard] = max(sizes.get(shard, 0), (start + samples) * BYTES)
    return sizes


def _offsets(index: pd.DataFrame) -> dict[str, np.ndarray]:
    """Component -> where it begins in its shard, -1 where a mixture has none; sets of version 1 have no `noisy`."""
    names = {name: f"{name}_offset" for name in COMPONENTS}
    return {name: index[column].to_numpy(np.int64) for name, column in names.items() if column in index}


class AudioStore:
    """The signals of a rendered set.

    Shards are mapped when they are first needed; maps are read-only and shared, so that threads, forked processes and
    (by pickling) spawned ones may all read.

    Args:
        index: `index.parquet` of the set.
        state: folder of its shards.
        sample_rate: of the set, in Hz.
    """

    def __init__(self, index: pd.DataFrame, state: Path, sample_rate: int = RATE) -> None:
        self.index = index.reset_index(drop=True)
        self.state = Path(state)
        self.sample_rate = sample_rate
        self.lengths = self.index["samples"].to_numpy(np.int64)
        self._shard = self.index["shard"].to_numpy(np.int64)
        self._offsets = _offsets(self.index)
        self._maps: dict[int, np.ndarray] = {}

    @classmethod
    def open(cls, store: Store, node: Node, first: int | None = None) -> AudioStore:
        """The store of a node of kind `set` whose index is published; with `first`, of so many rows of it."""
        index = read_parquet(store.outputs(node)["index.parquet"])
        if first is not None:
            index = index.head(first)
        return cls(index, store.state(node), SetSpec.of(node.spec).sample_rate)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def levels_db(self) -> np.ndarray:
        """Measured active level of each row's speech, in dBov, NaN without a reference: `(rows,)` float64."""
        return self.index["measured_level_dbov"].to_numpy(np.float64)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}

    def row(self, i: int) -> Signals:
        """`noisy`, `clean` (dry where there is a dry version, else speech), `speech`, `noise`: `(lengths[i],)` float32.

        Of a recording without a reference only `noisy`.

        Raises:
            DataError: the shard is missing or too short.
        """
        return self.segment(i, 0, int(self.lengths[i]))

    def segment(self, i: int, start: int, samples: int) -> Signals:
        """The same from `start`, `(samples,)` each, with zeros after the end of the mixture."""
        components = {
            name: self._read(int(self._shard[i]), int(offsets[i]), start, samples, int(self.lengths[i]))
            for name, offsets in self._offsets.items()
            if offsets[i] >= 0
        }
        signals = complete(components)
        signals.pop("dry", None)
        return signals

    def export_wav(self, i: int, folder: Path, *, force: bool = False) -> list[Path]:
        """Write noisy, clean and noise of a mixture, as far as there are, as float32 WAV files; returns their paths.

        Raises:
            DataError: the shard is missing or too short; a file is there already and `force` is not given, or cannot be
                written.
        """
        import soundfile

        folder = Path(folder)
        signals = self.row(i)
        wanted = [name for name in ("noisy", "clean", "noise") if name in signals]
        paths = {name: folder / f"{self.index['mixture'][i]}-{name}.wav" for name in wanted}
        for path in paths.values():
            check_target(path, self.state.glob("*.f32"), force)
        for name, path in paths.items():
            with replacing(path) as temporary:
                soundfile.write(os.fsencode(temporary), signals[name], self.sample_rate, subtype="FLOAT")
        return list(paths.values())

    def _read(self, shard: int, offset: int, start: int, samples: int, length: int) -> np.ndarray:
        out = np.zeros(samples, dtype=np.float32)
        stop = min(start + samples, length)
        if start < stop:
            found = self._map(shard)[offset + start : offset + stop]
            if len(found) != stop - start:
                raise DataError(f"{self.state / shard_name(shard)}: too short: the set must be rendered again")
            out[: stop - start] = found
        return out

    def _map(self, shard: int) -> np.ndarray:
        mapped = self._maps.get(shard)
        if mapped is None:
            path = self.state / shard_name(shard)
            try:
                mapped = np.memmap(path, dtype="<f4", mode="r")
            except (OSError, ValueError) as error:
                raise DataError(f"{path}: cannot be read ({error}): the set must be rendered again") from error
            mapped = self._maps.setdefault(shard, mapped)
        return mapped

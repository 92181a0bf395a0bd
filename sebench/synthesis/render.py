"""The step `set`: render a mixture plan into shards, check what was rendered, publish the index.

A shard holds 64 mixtures. It is written in the attempt folder of the lease's generation, measured from the file itself,
and renamed into the state folder; `shard-00000.parquet` beside it (its rows of the index and its hash) says that it is
complete. Finished shards outlive interruptions. A shard's bytes depend on its rows only, not on who renders it or when.
"""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sebench.artefacts import Node, Store
from sebench.config.specs import SetSpec
from sebench.errors import RestartNeeded
from sebench.files import read_parquet, sha256_of, write_bytes, write_parquet
from sebench.process.workers import start_worker
from sebench.synthesis.mixture import COMPONENTS, at_rate, complete, render_components, render_mixture
from sebench.synthesis.plan import COUNTS, RATE
from sebench.synthesis.responses import Responses
from sebench.synthesis.store import shard_bytes, shard_name
from sebench.synthesis.verify import check_before, check_mixture

if TYPE_CHECKING:
    import pandas as pd

    from sebench.process.lease import Held

__all__ = ["is_whole", "render_mixture", "run"]

log = logging.getLogger(__name__)

SHARD_ROWS = 64
INDEX = "index.parquet"


@dataclass(frozen=True)
class Shard:
    """What a worker needs to render one shard."""

    number: int
    rows: Sequence[dict[str, Any]]
    corpus_root: Path
    sample_rate: int
    folder: Path
    responses: Responses

    @property
    def audio(self) -> str:
        return shard_name(self.number)

    @property
    def part(self) -> str:
        return f"shard-{self.number:05d}.parquet"


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Render the set with `threads` processes and publish `index.parquet`.

    Raises:
        DataError: a source file is missing or changed, or a rendered mixture is not what its row says.
        RestartNeeded: SIGTERM or Ctrl-C came; finished shards are kept.
        LeaseLost: another process took over; what it renders is kept, nothing was published.
    """
    from sebench.process.cluster import step_aside
    from sebench.process.lease import ArtefactFinished, Lease

    started = time.time()
    state = store.state(node)
    plan = read_parquet(store.outputs(store.parent(node, "mixtures"))["mixtures.parquet"])
    root = store.location(store.parent(node, "corpus"))
    sample_rate = SetSpec.of(node.spec).sample_rate
    if not is_whole(node, store):
        try:
            with Lease(state).acquire(lambda: is_whole(node, store), step_aside) as held:
                _render(plan, root, sample_rate, state, Responses.of(store), held, threads)
        except ArtefactFinished as message:
            log.info("%s", message)
    seconds = round(float(plan["samples"].sum()) / RATE, 3)
    store.write_provenance(node, started, threads=threads, mixtures=len(plan), audio_seconds=seconds)
    write_bytes(store.outputs(node)[INDEX], (state / INDEX).read_bytes())


def is_whole(node: Node, store: Store) -> bool:
    """Whether the index and every shard, in its full size, are there."""
    state = store.state(node)
    path = state / INDEX
    if not path.exists():
        return False
    sizes = shard_bytes(read_parquet(path))
    return all(_size(state / shard_name(shard)) == size for shard, size in sizes.items())


def _render(
    plan: pd.DataFrame, root: Path, sample_rate: int, state: Path, responses: Responses, held: Held, threads: int
) -> None:
    import pandas as pd

    from sebench.process.interrupt import Interruption

    rows = [{str(name): value for name, value in row.items()} for row in plan.to_dict("records")]
    shards = [
        Shard(number, rows[first : first + SHARD_ROWS], root, sample_rate, held.attempt_folder, responses)
        for number, first in enumerate(range(0, len(rows), SHARD_ROWS))
    ]
    missing = [shard for shard in shards if not _whole(shard, state)]
    log.info("%s: %d of %d shards to render", state, len(missing), len(shards))
    with Interruption() as interruption, _each(missing, threads) as rendered:
        for done, shard in enumerate(rendered, start=1):
            held.check()
            # The part last: it says that the audio is whole.
            (shard.folder / shard.audio).replace(state / shard.audio)
            (shard.folder / shard.part).replace(state / shard.part)
            if interruption.requested and done < len(missing):
                raise RestartNeeded(
                    f"{state}: {interruption.name}: {len(missing) - done} shards left; start this step again"
                )
    parts = [read_parquet(state / shard.part).drop(columns="shard_sha256") for shard in shards]
    measured = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    held.check()
    write_parquet(state / INDEX, pd.concat([_counted(plan, sample_rate), measured.drop(columns="mixture")], axis=1))
    for attempt in (held.attempt_folder, *held.previous_attempts()):
        shutil.rmtree(attempt, ignore_errors=True)


def _counted(plan: pd.DataFrame, sample_rate: int) -> pd.DataFrame:
    """A plan whose counts of samples are at a set's own rate."""
    counts = {name: [at_rate(count, sample_rate) for count in plan[name]] for name in COUNTS}
    return plan.reset_index(drop=True).assign(sample_rate=sample_rate, **counts)


def _whole(shard: Shard, state: Path) -> bool:
    """Whether an earlier attempt left this shard, unchanged since and for the same rows."""
    part, audio = state / shard.part, state / shard.audio
    if not part.exists() or not audio.exists():
        return False
    kept = read_parquet(part)
    if list(kept["mixture"]) != [row["mixture"] for row in shard.rows]:
        return False
    return bool(sha256_of(audio) == kept["shard_sha256"][0])


@contextmanager
def _each(shards: Sequence[Shard], threads: int) -> Iterator[Iterator[Shard]]:
    """Render shards; yields each when it is done. An error, here or in the caller, cancels those not begun."""
    workers = min(threads, len(shards))
    if workers <= 1:
        yield (_render_shard(shard) for shard in shards)
        return
    # Spawned: a fork of a process with threads (torch, Arrow, the lease) may deadlock.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)
    try:
        futures: list[Future[Shard]] = [pool.submit(_render_shard, shard) for shard in shards]
        yield (future.result() for future in as_completed(futures))
    finally:
        pool.shutdown(cancel_futures=True)


def _render_shard(shard: Shard) -> Shard:
    """Write a shard and its part in the attempt folder, and check the samples as they lie in the file."""
    import pandas as pd

    audio = shard.folder / shard.audio
    rows: list[dict[str, Any]] = []
    offset = 0
    with audio.open("wb") as file:
        for row in shard.rows:
            rendered = render_components(row, shard.corpus_root, shard.sample_rate, shard.responses)
            item = {"mixture": row["mixture"], "shard": shard.number, "scaled_by": rendered.scaled_by}
            if rendered.noise is not None:
                item |= check_before(row, rendered, shard.sample_rate)
            for name in COMPONENTS:
                samples = rendered.signals.get(name)
                item[f"{name}_offset"] = -1 if samples is None else offset
                if samples is not None:
                    file.write(samples.tobytes())
                    offset += len(samples)
                    item["length"] = len(samples)
            rows.append(item)
    written = np.fromfile(audio, dtype="<f4")
    for row, item in zip(shard.rows, rows, strict=True):
        item |= check_mixture(row, _components(written, item), item["scaled_by"], shard.sample_rate)
    part = pd.DataFrame(rows)[[*_PART_COLUMNS]]
    part["shard_sha256"] = hashlib.sha256(written.data).hexdigest()
    write_parquet(shard.folder / shard.part, part)
    return shard


_PART_COLUMNS = (
    "mixture",
    "shard",
    *(f"{name}_offset" for name in COMPONENTS),
    "measured_snr_db",
    "measured_level_dbov",
    "peak",
    "scaled_by",
)


def _components(samples: np.ndarray, item: dict[str, Any]) -> dict[str, np.ndarray]:
    """The signals of one mixture in a shard that holds its components one after another."""
    offsets = {name: item[f"{name}_offset"] for name in COMPONENTS}
    length = item["length"]
    return complete({name: samples[offset : offset + length] for name, offset in offsets.items() if offset >= 0})


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1

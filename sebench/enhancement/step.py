"""The enhancement step: a run, or a model that others trained, and a rendered set become enhanced audio and its index.

Each utterance passes through the model alone and whole, on one intra-op thread, so that its samples depend neither on
its neighbours nor on what the job was granted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sebench.artefacts import Node, Store
from sebench.config.specs import EnhancedSpec, SetSpec
from sebench.enhancement.estimates import AUDIO
from sebench.errors import DataError
from sebench.files import read_json, read_parquet, replacing, write_parquet
from sebench.training.choice import chosen_run

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from sebench.models.base import Model
    from sebench.synthesis.store import AudioStore

#: Columns of index.parquet, in order. `offset` and `samples` count float32 samples in audio.f32; a row that failed has
#: offset -1 and no samples.
COLUMNS = ("mixture", "offset", "samples", "status", "reason")


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Enhance the set.

    Args:
        node: of kind `enhanced`, with parents `run` (a run, or a choice of one; none where its spec has an `external`
            model) and `set`.
        store: where these and its state are.
        threads: granted; one is used.

    Raises:
        DataError: a file of a parent is not what it must be.
    """
    started = time.time()
    rendered = store.parent(node, "set")
    audio, kept = store.state(node) / AUDIO, store.state(node) / "index.parquet"
    # The kept index is written after the audio: where it is there, the audio is whole.
    if not (kept.exists() and audio.exists()):
        mixtures = read_parquet(store.outputs(rendered)["index.parquet"])["mixture"].tolist()
        kept.unlink(missing_ok=True)
        if EnhancedSpec.of(node.spec).external is not None:
            index = _by_others(node, store, rendered, mixtures, audio)
        else:
            index = _by_run(node, store, rendered, mixtures, audio)
        write_parquet(kept, index)
        store.write_provenance(node, started)
    write_parquet(store.outputs(node)["index.parquet"], read_parquet(kept))


def _trained(node: Node, store: Store) -> tuple[Node | None, str]:
    """The run whose weights are used, or why there are none."""
    trained = store.parent(node, "run")
    if trained.kind == "choice":
        seed = EnhancedSpec.of(node.spec).seed
        if seed is None:
            raise DataError(f"{node.stem}: made from a choice, and its spec does not say by which seed; plan again")
        chosen, reason = chosen_run(trained, store, seed)
        if chosen is None:
            return None, reason
        trained = chosen
    report = read_json(store.outputs(trained)["run.json"])
    if report["status"] != "ok":
        return None, f"run {trained.stem} failed: {report['reason']}"
    return trained, ""


def _by_others(node: Node, store: Store, rendered: Node, mixtures: list[str], audio: Path) -> pd.DataFrame:
    from sebench.enhancement import external
    from sebench.synthesis.store import AudioStore

    model = external.open_external(node, store)
    return _written(external.outputs(model, rendered, AudioStore.open(store, rendered)), mixtures, audio)


def _by_run(node: Node, store: Store, rendered: Node, mixtures: list[str], audio: Path) -> pd.DataFrame:
    trained, reason = _trained(node, store)
    return _failed(mixtures, reason, audio) if trained is None else _enhance(store, trained, rendered, mixtures, audio)


def _enhance(store: Store, trained: Node, rendered: Node, mixtures: list[str], audio: Path) -> pd.DataFrame:
    from sebench.enhancement.load import load_model
    from sebench.synthesis.store import AudioStore
    from sebench.training.device import pick_device, repeatable

    model = load_model(store.outputs(trained)["checkpoint.safetensors"])
    sample_rate = SetSpec.of(rendered.spec).sample_rate
    if model.sample_rate != sample_rate:
        raise DataError(f"run {trained.stem} works at {model.sample_rate} Hz, set {rendered.stem} has {sample_rate} Hz")
    rows = AudioStore.open(store, rendered)
    with repeatable(1):
        return _written(outputs(model, rows, sample_rate, pick_device()), mixtures, audio)


def _written(outputs: Iterator[np.ndarray[Any, Any]], mixtures: list[str], audio: Path) -> pd.DataFrame:
    """Write the enhanced utterances one after the other; returns their index."""
    with replacing(audio) as temporary, temporary.open("wb") as file:
        entries, offset = [], 0
        for mixture, output in zip(mixtures, outputs, strict=True):
            entries.append(entry(mixture, offset, output))
            if entries[-1]["status"] == "ok":
                file.write(output.astype("<f4").tobytes())
                offset += len(output)
    return _frame(entries)


def outputs(
    model: Model, rows: AudioStore, sample_rate: int, device: torch.device
) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
    """Each utterance of a rendered set, enhanced `(samples)`."""
    import torch

    from sebench.training.data import whole_row

    model = model.to(device)
    with torch.inference_mode():
        for i in range(len(rows)):
            batch = whole_row(rows, i, sample_rate, ("noisy",)).to(device)
            yield model(batch).waveform[0].float().cpu().numpy()


def _failed(mixtures: list[str], reason: str, audio: Path) -> pd.DataFrame:
    with replacing(audio):
        pass
    return _frame([_failed_entry(mixture, reason) for mixture in mixtures])


def entry(mixture: str, offset: int, output: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The row of the index of an enhanced utterance `(samples)`; one that is not finite has failed."""
    if not np.isfinite(output).all():
        return _failed_entry(mixture, "the model's output is not finite")
    return dict(zip(COLUMNS, (mixture, offset, len(output), "ok", ""), strict=True))


def _failed_entry(mixture: str, reason: str) -> dict[str, Any]:
    return dict(zip(COLUMNS, (mixture, -1, 0, "failed", reason), strict=True))


def _frame(entries: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(entries, columns=list(COLUMNS)).astype({"offset": "int64", "samples": "int64"})

"""The prediction step: what a trained predictor says of a test set's signals, in the form of a score file.

Each utterance passes through the predictor alone and whole, on one intra-op thread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sebench.artefacts import Node, Store
from sebench.config.specs import SetSpec
from sebench.enhancement.estimates import Estimates
from sebench.errors import DataError
from sebench.files import read_json, read_parquet, write_parquet

if TYPE_CHECKING:
    import torch

    from sebench.predictors.base import Predictor

#: A predicted score, or None and why there is none.
Predicted = tuple[float | None, str]

#: Columns of predictions.parquet, in order.
COLUMNS = ("mixture", "index", "value", "status", "reason")


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Predict.

    Args:
        node: of kind `predictions`, with parents `run` (of a predictor), `set`, and, where it is not the noisy signals
            that are judged, `enhanced`.
        store: where these are.
        threads: granted; one is used.

    Raises:
        DataError: a file of a parent is not what it must be.
    """
    import pandas as pd

    started = time.time()
    rendered, trained = store.parent(node, "set"), store.parent(node, "run")
    index = read_parquet(store.outputs(rendered)["index.parquet"])
    report = read_json(store.outputs(trained)["run.json"])
    if report["status"] == "ok":
        found = list(_predicted(node, store, trained, index["mixture"].astype(str).tolist()))
    else:
        found = [(None, f"run {trained.stem} failed: {report['reason']}")] * len(index)
    frame = pd.DataFrame(
        {
            "mixture": index["mixture"].astype(str),
            "index": index["index"],
            "value": pd.Series([np.nan if value is None else value for value, _ in found], dtype="float64"),
            "status": ["ok" if value is not None else "failed" for value, _ in found],
            "reason": [reason for _, reason in found],
        },
        columns=list(COLUMNS),
    )
    write_parquet(store.outputs(node)["predictions.parquet"], frame)
    store.write_provenance(node, started)


def _predicted(node: Node, store: Store, trained: Node, mixtures: list[str]) -> Iterator[Predicted]:
    from sebench.enhancement.load import load_predictor
    from sebench.synthesis.store import AudioStore
    from sebench.training.device import pick_device

    rendered = store.parent(node, "set")
    predictor = load_predictor(store.outputs(trained)["checkpoint.safetensors"])
    sample_rate = SetSpec.of(rendered.spec).sample_rate
    if predictor.sample_rate != sample_rate:
        raise DataError(
            f"run {trained.stem} predicts at {predictor.sample_rate} Hz, set {rendered.stem} has {sample_rate} Hz"
        )
    rows = AudioStore.open(store, rendered)
    estimates = Estimates(store, store.parent(node, "enhanced"), mixtures) if "enhanced" in node.parents else None
    judged = ((rows.row(i)["noisy"], "") if estimates is None else estimates.row(i) for i in range(len(rows)))
    return predicted(predictor, judged, pick_device())


def predicted(predictor: Predictor, judged: Iterable[tuple[Any, str]], device: torch.device) -> Iterator[Predicted]:
    """What a predictor says of each signal `(samples)`, or why it says nothing; for no signal the reason is given."""
    import torch

    from sebench.training.device import repeatable

    predictor = predictor.to(device)
    with repeatable(1), torch.inference_mode():
        for waveform, reason in judged:
            if waveform is None:
                yield None, reason
                continue
            signal = torch.from_numpy(np.array(waveform, np.float32))[None].to(device)
            value = float(predictor.of_waveform(signal).item())
            yield (value, "") if math.isfinite(value) else (None, "the predicted score is not finite")

"""A trained predictor as a metric: `pesqnet:RUN`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sebench.artefacts import Node, Store
from sebench.enhancement.find import find_run
from sebench.errors import DataError, SebenchError
from sebench.files import read_json
from sebench.metrics.base import Metric

if TYPE_CHECKING:
    from sebench.metrics.base import Signal


class TrainedPredictorMetric(Metric):
    """What a trained predictor says of a whole utterance, without a reference.

    Args:
        store: where the run is.
        run: of a stage of kind predictor, or of kind alternating, whose predictor is taken.
        name: what the metric is called.

    Raises:
        DataError: the run holds no predictor, or failed.
    """

    needs_reference = False
    unit = "predicted"
    isolated = False

    def __init__(self, store: Store, run: Node, name: str) -> None:
        from sebench.enhancement.load import load_predictor

        report = read_json(store.outputs(run)["run.json"])
        if report["status"] != "ok":
            raise DataError(f"run {run.stem} failed: {report['reason']}")
        self._predictor = load_predictor(store.outputs(run)["checkpoint.safetensors"])
        self.name = name  # type: ignore[misc]
        self.bounds = self._predictor.bounds  # type: ignore[misc]
        self.sample_rate = self._predictor.sample_rate  # type: ignore[misc]

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """The predicted score of the estimate, on one intra-op thread, as in the prediction step."""
        import numpy as np
        import torch

        from sebench.training.device import repeatable

        with repeatable(1), torch.inference_mode():
            signal = torch.from_numpy(np.array(estimate, np.float32))[None]
            return float(self._predictor.of_waveform(signal).item())


def predicted_score(store: Store, predictor: str, run: str, name: str) -> tuple[TrainedPredictorMetric, str]:
    """The metric, and what computes it in words.

    Args:
        predictor: type that the run's predictor must be of.
        run: folder, folder's name or id.
        name: what the metric is called.

    Raises:
        SebenchError: no such run, or it trained no such predictor; names those that did.
    """
    node = find_run(store, run)
    found = node.spec.get("predictor", {}).get("type")
    if found != predictor:
        what = f"its predictor is of type {found!r}" if found else "it trained no predictor"
        there = ", ".join(_runs_of(store, predictor)) or f"none in {store.root}"
        raise SebenchError(f"{name}: run {node.stem}: {what}; runs with a {predictor}: {there}")
    return TrainedPredictorMetric(store, node, name), f"{predictor} of run {node.stem}"


def _runs_of(store: Store, predictor: str) -> Iterator[str]:
    for path in sorted((store.root / "runs").glob("*-*/checkpoint.safetensors")):
        node = store.load_stem("run", path.parent.name)
        if node.spec.get("predictor", {}).get("type") == predictor:
            yield node.stem

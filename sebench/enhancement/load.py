"""A trained model from a published checkpoint, which holds tensors and a description and no code."""

from __future__ import annotations

import logging
from pathlib import Path

from sebench.config import items
from sebench.errors import DataError
from sebench.models.base import Model
from sebench.models.input_statistics import unmeasured
from sebench.training.checkpoint import load_weights, read

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.safetensors"


def load_model(path: Path | str) -> Model:
    """The model of a checkpoint, with its weights, ready for inference.

    Args:
        path: a `checkpoint.safetensors`, or a run's folder.

    Raises:
        DataError: there is no such file, or it is damaged, or it does not fit its model.
    """
    path = Path(path)
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.exists():
        raise DataError(f"{path}: no such checkpoint; accepted: a run's folder or its {CHECKPOINT}")
    found = read(path)
    if "model" not in found.meta:
        raise DataError(f"{path}: does not say which model it is of; published checkpoints do")
    model: Model = items.build(found.meta["model"], "model")
    load_weights(model, found.tensors, str(path))
    if unmeasured(model):
        log.warning("%s: is of a model that was never trained: the statistics of its input are not measured", path)
    return model.eval()

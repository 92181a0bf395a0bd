"""A trained model from a published checkpoint, which holds tensors and a description and no code."""

from __future__ import annotations

import logging
from pathlib import Path

from sebench.config import items
from sebench.errors import DataError
from sebench.models.base import Model
from sebench.models.input_statistics import unmeasured
from sebench.predictors.base import Predictor
from sebench.training.checkpoint import Checkpoint, load_weights, read

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.safetensors"


def load_model(path: Path | str) -> Model:
    """The model of a checkpoint, with its weights, ready for inference.

    Args:
        path: a `checkpoint.safetensors`, or a run's folder.

    Raises:
        DataError: there is no such file, or it is damaged, or it does not fit its model.
    """
    found, where = _published(path)
    if "model" not in found.meta:
        raise DataError(f"{where}: does not say which model it is of; published checkpoints of models do")
    model: Model = items.build(found.meta["model"], "model")
    load_weights(model, found.product, where)
    if unmeasured(model):
        log.warning("%s: is of a model that was never trained: the statistics of its input are not measured", where)
    return model.eval()


def load_predictor(path: Path | str) -> Predictor:
    """The predictor of a checkpoint: what it was trained as, or what it was trained beside an enhancer.

    Args:
        path: a `checkpoint.safetensors`, or a run's folder.

    Raises:
        DataError: as for `load_model`.
    """
    found, where = _published(path)
    if "predictor" not in found.meta:
        raise DataError(f"{where}: holds no predictor; a run of a stage of kind predictor or alternating does")
    predictor: Predictor = items.build(found.meta["predictor"], "predictor")
    load_weights(predictor, found.group("predictor") if "model" in found.meta else found.product, where)
    return predictor.eval()


def _published(path: Path | str) -> tuple[Checkpoint, str]:
    path = Path(path)
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.exists():
        raise DataError(f"{path}: no such checkpoint; accepted: a run's folder or its {CHECKPOINT}")
    return read(path), str(path)

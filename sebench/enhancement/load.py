"""A trained model from a published checkpoint, which holds tensors and a description and no code."""

from __future__ import annotations

import logging
from pathlib import Path

from sebench.enhancement.described import described
from sebench.errors import DataError
from sebench.models.base import Model
from sebench.models.input_statistics import InputStatistics, unmeasured
from sebench.predictors.base import Predictor
from sebench.training.checkpoint import Checkpoint, load_weights, read

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.safetensors"
#: What `sebench.training.step` writes.
FORMAT = 1


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
    model = described(found.meta["model"], "model", Model, found.tensors, where)
    load_weights(model, found.product, where)
    _check_statistics(model, where)
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
        raise DataError(f"{where}: holds no predictor; that of a run which trained one does")
    predictor = described(found.meta["predictor"], "predictor", Predictor, found.tensors, where)
    load_weights(predictor, found.group("predictor") if "model" in found.meta else found.product, where)
    return predictor.eval()


def _check_statistics(model: Model, where: str) -> None:
    for name, part in model.named_modules():
        if isinstance(part, InputStatistics) and (int(part.count) < 0 or not bool((part.deviation > 0).all())):
            raise DataError(f"{where}: the input statistics {name} are no mean and deviation of anything")


def _published(path: Path | str) -> tuple[Checkpoint, str]:
    path = Path(path)
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.exists():
        raise DataError(f"{path}: no such checkpoint; accepted: a run's folder or its {CHECKPOINT}")
    found = read(path)
    if found.meta.get("format") != FORMAT:
        raise DataError(
            f"{path}: format {found.meta.get('format')!r}; accepted: {FORMAT}, that of a published run (what lies in "
            "the state folder of a run is another, and a newer sebench may write a newer one)"
        )
    return found, str(path)

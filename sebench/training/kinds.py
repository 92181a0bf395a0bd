"""The kinds of training stages by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from sebench.errors import DataError, absent
from sebench.training.predictor_stages import Alternating, PredictorTraining, build_predictor
from sebench.training.stages import Context, Stage, Supervised, build_model

STAGES: Mapping[str, type[Stage]] = {
    "supervised": Supervised,
    "predictor": PredictorTraining,
    "alternating": Alternating,
}


def build_stage(context: Context) -> Stage:
    """The stage that a run's spec describes.

    Raises:
        DataError: there is no such kind.
    """
    kind = context.spec["stage"]["kind"]
    if kind not in STAGES:
        raise DataError(absent("stage kind", kind, STAGES))
    return STAGES[kind](context)


def fresh_product(spec: Mapping[str, Any]) -> nn.Module:
    """The untrained product of a run."""
    if spec["stage"]["kind"] == "predictor":
        return build_predictor(spec["predictor"], spec["seed"])
    return build_model(spec["model"], spec["seed"])

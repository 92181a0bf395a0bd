"""Checkpoints that anybody may have written: refused in one sentence that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import TinyMeasured, item
from torch import Tensor

from sebench.config.items import build
from sebench.enhancement.load import load_model, load_predictor
from sebench.errors import DataError
from sebench.training.checkpoint import Checkpoint, write

STAGE1 = {"type": "stage1", "version": 1, "params": {"hidden": 8, "embed": 4}}


def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return build({"type": "stage1", "params": STAGE1["params"]}, "model").state_dict()


def forged(path: Path, tensors: dict[str, Tensor] | None = None, **meta: Any) -> Path:
    write(path / "checkpoint.safetensors", Checkpoint(tensors or weights(), {"format": 1, "model": STAGE1, **meta}))
    return path


def test_the_right_one_loads(tmp_path: Path) -> None:
    assert not load_model(forged(tmp_path)).training


def model(**params: Any) -> dict[str, Any]:
    return {**STAGE1, "params": {**STAGE1["params"], **params}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("description", "says"),
    [
        ("stage1", "must be a mapping with a type"),
        (None, "must be a mapping with a type"),
        ({"params": {}}, "must be a mapping with a type"),
        ({"type": 3}, "must be a mapping with a type"),
        ({"type": "stage1", "params": [1]}, "must be a mapping"),
        ({"type": "stage7"}, "no model 'stage7'"),
        ({"type": "neg_si_snr"}, "no model 'neg_si_snr'"),
        ({"type": "nomodule:Model"}, "module 'nomodule' cannot be imported"),
        ({"type": "json:JSONDecoder"}, "no type annotation"),
        ({"type": "sebench.losses.si_snr:NegSiSnr"}, "checkpoint.safetensors"),
        ({**STAGE1, "version": 9}, "planned as version 9"),
        (model(unknown=3), "no parameter 'unknown'"),
        (model(hidden="8"), "parameter hidden is '8'"),
        (model(hidden=0), "parameter hidden is 0"),
        (model(hop=0), "parameter hop is 0"),
        (model(hop=100), "cannot be built: ValueError: hop 100"),
        (model(hidden=None), "parameter hidden is None"),
        (model(hidden=[8]), r"parameter hidden is \[8\]"),
        (model(hidden=1_000_000_000), "far larger than its weights"),
        (model(window_length=10**9, hop=10**9 // 2), "far larger than its weights"),
        (model(bands=10**9), "checkpoint.safetensors: "),
        (model(hidden=9), "do not fit the model"),
    ],
)
def test_descriptions(tmp_path: Path, description: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_model(forged(tmp_path, model=description))


def first(change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    found = weights()
    name = next(iter(found))
    return {**found, name: change(found[name])}


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        (lambda: first(lambda t: t * torch.nan), "values that are not finite"),
        (lambda: first(lambda t: t + torch.inf), "values that are not finite"),
        (lambda: first(lambda t: t.half()), r"of type torch\.float16; the model has torch\.float32"),
        (lambda: {k: v.bfloat16() for k, v in weights().items()}, "of type torch.bfloat16"),
        (lambda: first(lambda t: t.double()), "of type torch.float64"),
        (lambda: first(lambda t: t.long()), "of type torch.int64"),
        (lambda: first(lambda t: t[:1]), "do not fit the model"),
        (lambda: dict(list(weights().items())[1:]), "Missing key"),
        (lambda: {**weights(), "more": torch.ones(1)}, "Unexpected key"),
    ],
)
def test_weights(tmp_path: Path, tensors: Callable[[], dict[str, Tensor]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_model(forged(tmp_path, tensors()))


def test_statistics_of_nothing(tmp_path: Path) -> None:
    tensors = {**TinyMeasured().state_dict(), "statistics.deviation": torch.zeros(())}
    with pytest.raises(DataError, match="no mean and deviation"):
        load_model(forged(tmp_path, tensors, model=item("TinyMeasured")))


@pytest.mark.parametrize("format", [None, 2, "1"])
def test_formats(tmp_path: Path, format: Any) -> None:
    with pytest.raises(DataError, match=r"format .*; accepted: 1"):
        load_model(forged(tmp_path, format=format))


def test_predictors(tmp_path: Path) -> None:
    for description in ("pesqnet", {"type": "pesqnet", "params": {"channels": "2"}}, {"type": "stage1"}):
        with pytest.raises(DataError, match="predictor"):
            load_predictor(forged(tmp_path, predictor=description))

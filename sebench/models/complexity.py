"""What a model costs: parameters, operations per second of audio, and the time it takes."""

from __future__ import annotations

import contextlib
import statistics
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sebench.config.items import build
from sebench.config.specs import ComplexitySpec
from sebench.estimate.batch import Batch
from sebench.files import write_json
from sebench.models.base import FrameModel, Model

if TYPE_CHECKING:
    from sebench.artefacts import Node, Store

#: Audio and repeats of the time measurement.
SECONDS, REPEATS = 4.0, 5


def complexity(model: Model) -> dict[str, Any]:
    """Parameters and operations.

    Two conventions for operations, because papers rarely say which is theirs:
    - `uses_per_second`: (weights and biases) x frames of one second, where each weight is used once a frame (dense and
      recurrent layers only); None for other models. A 16K-parameter network at 126 frames prints as 2.1M.
    - `macs_per_second`: multiplications of all matrix products in one second of audio as `FlopCounterMode` counts them
      (FLOPs / 2), biases, element-wise operations and transforms left out. `network_macs_per_second` leaves out
      modules without parameters, i.e. fixed band matrices.

    Returns:
        `parameters`, `trainable_parameters`, `frames_per_second`, `uses_per_second`, `macs_per_second`,
        `network_macs_per_second`, `flops_per_second` (2 x MACs), `delay_samples`, `delay_ms`.
    """
    parameters = sum(parameter.numel() for parameter in model.parameters())
    frames = model.stft.frames(model.sample_rate) if isinstance(model, FrameModel) else None
    total, network = _macs(model)
    delay = model.delay if model.causal else None
    return {
        "parameters": parameters,
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "frames_per_second": frames,
        "uses_per_second": parameters * frames if frames is not None and _once_a_frame(model) else None,
        "macs_per_second": total,
        "network_macs_per_second": network,
        "flops_per_second": 2 * total,
        "delay_samples": delay,
        "delay_ms": None if delay is None else 1000.0 * delay / model.sample_rate,
    }


def real_time_factor(model: Model, seconds: float = SECONDS, repeats: int = REPEATS) -> dict[str, float]:
    """Processing time over audio duration, one utterance, one thread, offline: median of `repeats`, least and most.

    Args:
        model: on the CPU.
        seconds: duration of the utterance.
        repeats: measurements, after one that is not counted.
    """
    noise = torch.randn(1, round(seconds * model.sample_rate), generator=torch.Generator().manual_seed(0))

    def measure() -> float:
        start = time.perf_counter()
        _ = model(Batch(0.05 * noise, sample_rate=model.sample_rate)).waveform
        return (time.perf_counter() - start) / seconds

    with torch.no_grad(), _one_thread():
        measure()
        factors = [measure() for _ in range(repeats)]
    return {"median": statistics.median(factors), "least": min(factors), "most": max(factors)}


def run(node: Node, store: Store, threads: int) -> None:
    """The step: count a model built from the node's spec; write complexity.json, and the measured time as provenance.

    Args:
        node: of kind "complexity"; `spec["model"]` is {type, params, ...}.
        store: where to write.
        threads: granted; one is used.
    """
    started = time.time()
    spec = ComplexitySpec.of(node.spec)
    model: Model = build(spec.model, kind="model")
    model.eval()
    factor = real_time_factor(model)
    store.write_provenance(
        node,
        started,
        real_time_factor=round(factor["median"], 6),
        real_time_factor_range=[round(factor["least"], 6), round(factor["most"], 6)],
        real_time_factor_setup={"threads": 1, "seconds": SECONDS, "repeats": REPEATS, "batch": 1, "device": "cpu"},
    )
    write_json(store.outputs(node)["complexity.json"], {**complexity(model), "version": spec.version})


def _macs(model: Model) -> tuple[int, int]:
    """MACs of one second: all, and those of modules that own parameters."""
    counter = FlopCounterMode(display=False)
    batch = Batch(torch.zeros(1, model.sample_rate), sample_rate=model.sample_rate)
    # Fused recurrent and attention kernels would count as nothing.
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("ignore", message="TF32 acceleration")  # said by mkldnn.flags on any CPU
        with torch.backends.mkldnn.flags(enabled=False), _no_fast_attention(), counter:
            _ = model(batch).waveform
    counts = {name: sum(operations.values()) for name, operations in counter.get_flop_counts().items()}
    # Names start with the class of the model; modules called other than by `__call__` count in their caller.
    root = type(model).__name__
    owners = [f"{root}.{name}" for name, module in model.named_modules() if name and _owns_parameters(module)]
    network = sum(counts.get(name, 0) for name in owners)
    return counts["Global"] // 2, network // 2


def _owns_parameters(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is not None


def _once_a_frame(model: Model) -> bool:
    """Whether all parameters belong to dense, recurrent or normalising layers."""
    kinds = (nn.Linear, nn.RNNBase, nn.LayerNorm)
    return all(isinstance(module, kinds) for module in model.modules() if _owns_parameters(module))


@contextlib.contextmanager
def _no_fast_attention() -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

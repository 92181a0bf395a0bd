"""Where tensors live, and what makes their arithmetic repeatable.

Plain torch, not lightning-fabric. Measured on two shared x86-64 cores (lightning-fabric 2.6.6, torch 2.13.0): importing
Fabric takes 2.6 s on top of torch's 1.1 s, in each of a grid's training jobs, and its wrapped model and backward pass
add 0.04 ms to each step. What one device needs of it is this file; what several need is `parallel`.
"""

from __future__ import annotations

import contextlib
import os
import textwrap
from collections.abc import Iterator

import torch
from torch.utils import deterministic as filling

from sebench.errors import DataError
from sebench.process.cluster import grants_no_gpu, job_id

PRECISIONS = ("32-true", "bf16-mixed")


def pick_device() -> torch.device:
    """The device named by SEBENCH_DEVICE, else the first CUDA device (in a Slurm job: that it was granted), else the
    CPU.

    Raises:
        DataError: torch cannot use the device that is named, or a GPU that Slurm granted.
    """
    named = named_device()
    if named is not None:
        return named
    if job_id() and not grants_no_gpu() and not torch.cuda.is_available():
        raise DataError(
            f"Slurm granted job {job_id()} a GPU that torch {torch.__version__} cannot use (a build for the CPU, or "
            "the node's driver): install the CUDA build, or set SEBENCH_DEVICE=cpu to train on the CPU all the same"
        )
    return torch.device("cuda" if not grants_no_gpu() and torch.cuda.is_available() else "cpu")


def named_device() -> torch.device | None:
    """The device named by SEBENCH_DEVICE; None where it is not set.

    Raises:
        DataError: there is no such device, or torch cannot use it.
    """
    named = os.environ.get("SEBENCH_DEVICE", "")
    if not named:
        return None
    try:
        device = torch.device(named)
        torch.zeros(1, device=device).item()  # a device may be known and not there, or hold no numbers ("meta")
    except (RuntimeError, AssertionError) as error:
        reason = textwrap.shorten(str(error).partition(". ")[0], 100)
        count = torch.cuda.device_count()
        gpus = ", ".join(["cuda", *(f"cuda:{i}" for i in range(count))]) if count else ""
        raise DataError(
            f"SEBENCH_DEVICE={named}: torch {torch.__version__} has no such device ({reason}); accepted here: cpu"
            + (f", {gpus}" if gpus else "")
        ) from error
    return device


def device_of(module: torch.nn.Module) -> torch.device:
    """Where a module's weights live; the CPU for one without any."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")


@contextlib.contextmanager
def repeatable(threads: int) -> Iterator[None]:
    """Deterministic kernels, `threads` intra-op threads, and the global generators as they were afterwards.

    The number of threads changes the order of sums and with it the last bits, so it belongs to what is computed.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is not deterministic without
    before = torch.get_num_threads()
    deterministic = torch.get_deterministic_debug_mode()
    fill = filling.fill_uninitialized_memory  # type: ignore[attr-defined]
    benchmark = torch.backends.cudnn.benchmark
    with contextlib.suppress(RuntimeError):  # can be set only once in a process
        torch.set_num_interop_threads(1)
    torch.set_num_threads(threads)
    # The same as use_deterministic_algorithms(True), which imports the compiler (2 s) to tell it too.
    torch.set_deterministic_debug_mode("error")
    # costs time, finds nothing here
    filling.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(deterministic)
        filling.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = benchmark


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """The context of a model's forward pass; losses are computed outside of it, in float32.

    Raises:
        DataError: unknown precision.
    """
    if precision not in PRECISIONS:
        raise DataError(f"precision {precision!r}; accepted: {', '.join(PRECISIONS)}")
    if precision == "32-true":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)

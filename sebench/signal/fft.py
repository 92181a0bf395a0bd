"""The FFT of real signals with a gradient that is an FFT of real signals too.

torch's own gradient of `rfft` is a complex transform of the full length, twice the work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def rfft(frames: Tensor, n_fft: int) -> Tensor:
    """Real and imaginary part of the one-sided transform; zeros follow the frame.

    Args:
        frames: real.
        n_fft: length of the transform, even and at least the frame's.

    Shape:
        frames `(..., samples)`; returns `(..., n_fft / 2 + 1, 2)`.
    """
    transformed: Tensor = _Rfft.apply(frames, n_fft)  # type: ignore[no-untyped-call]
    return transformed


class _Rfft(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, frames: Tensor, n_fft: int) -> Tensor:
        ctx.n_fft, ctx.samples = n_fft, frames.shape[-1]
        return torch.view_as_real(torch.fft.rfft(frames, n=n_fft))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # d/dx[n] = sum_k Re(g[k] exp(2 pi i k n / N)) over the one-sided bins. `irfft` counts all of them twice, the
        # first and the middle one once, and divides by N.
        spectrum = torch.view_as_complex(gradient.contiguous()) * (ctx.n_fft / 2)
        spectrum[..., 0] *= 2
        spectrum[..., -1] *= 2
        return torch.fft.irfft(spectrum, n=ctx.n_fft)[..., : ctx.samples], None

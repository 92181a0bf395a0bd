"""The FFT with a gradient of its own against torch's."""

from __future__ import annotations

import pytest
import torch

from sebench.signal.fft import rfft


@pytest.mark.parametrize(("samples", "n_fft"), [(16, 16), (10, 16), (1, 2), (7, 12)])
def test_value_and_gradient_are_torchs(samples: int, n_fft: int) -> None:
    torch.manual_seed(0)
    frames = torch.randn(2, 3, samples, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, n_fft // 2 + 1, 2, dtype=torch.float64)
    expected = torch.view_as_real(torch.fft.rfft(frames, n=n_fft))
    found = rfft(frames, n_fft)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad((weight * value.square()).sum(), frames)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_gradient_by_differences() -> None:
    frames = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: rfft(x, 8), frames)

"""Resampling by two against tones, against SciPy, and as a stream against itself."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import upfirdn
from torch import Tensor

from sebench.signal.resample import Downsample2, Upsample2, half_sample_taps

EDGE = 400


def whole(stage: Upsample2 | Downsample2, signal: Tensor) -> Tensor:
    """The signal at the new rate, zeros behind it."""
    samples = 2 * signal.shape[1] if isinstance(stage, Upsample2) else -(-signal.shape[1] // 2)
    following = stage.needed(samples - 1) + 1 - signal.shape[1]
    output = stage(torch.nn.functional.pad(signal, (0, following)))[0]
    assert output.shape[1] >= samples
    return output[:, :samples]


def tone(frequency: float, rate: int, samples: int) -> Tensor:
    return (2 * math.pi * frequency / rate * torch.arange(samples, dtype=torch.float64)).sin().float()[None]


@pytest.mark.parametrize("frequency", [50.0, 1000.0, 7000.0])
def test_a_tone_keeps_its_frequency_and_phase(frequency: float) -> None:
    up = whole(Upsample2(), tone(frequency, 16000, 4000))
    torch.testing.assert_close(up[:, EDGE:-EDGE], tone(frequency, 32000, 8000)[:, EDGE:-EDGE], rtol=0, atol=1e-3)
    down = whole(Downsample2(), tone(frequency, 32000, 8000))
    torch.testing.assert_close(down[:, EDGE:-EDGE], tone(frequency, 16000, 4000)[:, EDGE:-EDGE], rtol=0, atol=1e-3)


def test_a_tone_survives_up_and_down() -> None:
    signal = tone(1000.0, 16000, 4000)
    there = whole(Upsample2(), whole(Upsample2(), signal))
    back = whole(Downsample2(), whole(Downsample2(), there))
    torch.testing.assert_close(back[:, EDGE:-EDGE], signal[:, EDGE:-EDGE], rtol=0, atol=1e-3)


@pytest.mark.parametrize("frequency", [9000.0, 12000.0, 15500.0])
def test_a_tone_above_half_the_new_rate_vanishes(frequency: float) -> None:
    assert whole(Downsample2(), tone(frequency, 32000, 8000))[:, EDGE:-EDGE].abs().max() < 1e-3


def test_against_scipy() -> None:
    """The same taps between zeros, and a one for the samples themselves, as a polyphase filter."""
    taps = torch.zeros(4 * 56 - 1)
    taps[::2] = half_sample_taps(56)
    taps[2 * 56 - 1] = 1.0
    signal = torch.randn(2, 1001, generator=torch.Generator().manual_seed(0))
    up = torch.from_numpy(upfirdn(taps.numpy(), signal.numpy(), up=2))
    torch.testing.assert_close(whole(Upsample2(), signal), up[:, 111 : 111 + 2002].float(), rtol=0, atol=1e-5)
    down = torch.from_numpy(upfirdn(0.5 * taps.numpy(), signal.numpy()))[:, 111 : 111 + 1001 : 2].float()
    torch.testing.assert_close(whole(Downsample2(), signal), down, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stage", [Upsample2(7), Downsample2(7)])
@settings(max_examples=30, deadline=None)
@given(chunks=st.lists(st.integers(1, 60), min_size=1, max_size=9))
def test_chunks_change_nothing(stage: Upsample2 | Downsample2, chunks: list[int]) -> None:
    signal = torch.randn(2, sum(chunks), generator=torch.Generator().manual_seed(0))
    kept, outputs = None, []
    for chunk in signal.split(chunks, dim=1):
        output, kept = stage(chunk, kept)
        outputs.append(output)
    streamed, offline = torch.cat(outputs, dim=1), stage(signal)[0]
    torch.testing.assert_close(streamed, offline, rtol=0, atol=1e-6)
    complete = streamed.shape[1]
    if complete > 1:
        assert stage.needed(complete - 1) < sum(chunks) <= stage.needed(complete)

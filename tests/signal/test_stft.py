"""The transform against physics, against torch.stft, and its streaming form against itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sebench.signal.stft import FrameSink, FrameSource, Stft

SHAPES = [
    (256, 128, 256, "sqrt_hann"),
    (512, 128, 512, "hann"),
    (400, 100, 512, "sqrt_hann"),
    (384, 192, 512, "hann"),
    (384, 96, 400, "hann"),
]


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("samples", [1, 127, 128, 129, 3001])
def test_reconstruction_is_perfect(shape: tuple[int, int, int, str], samples: int) -> None:
    stft = Stft(*shape)
    signal = noise(2, samples)
    spectrum = stft(signal)
    assert spectrum.shape == (2, shape[2] // 2 + 1, stft.frames(samples))
    assert spectrum.dtype == torch.complex64
    torch.testing.assert_close(stft.inverse(spectrum, samples), signal, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_frames_are_those_of_torch(shape: tuple[int, int, int, str]) -> None:
    stft = Stft(*shape)
    before = stft.window_length - stft.hop
    signal = noise(2, 10 * stft.hop)
    padded = torch.nn.functional.pad(signal, (before, before))
    theirs = torch.stft(
        padded, stft.n_fft, stft.hop, stft.window_length, stft.analysis, center=False, return_complex=True
    )
    torch.testing.assert_close(stft(signal), theirs, rtol=0, atol=1e-4)


def test_a_frame_covers_the_samples_that_it_says() -> None:
    stft = Stft(256, 128)
    for sample in (0, 127, 128, 700):
        click = torch.zeros(1, 1000)
        click[0, sample] = 1.0
        touched = (stft(click).abs().amax(1)[0] > 1e-6).nonzero().flatten().tolist()
        covering = [t for t in range(stft.frames(1000)) if t * 128 - 128 < sample < t * 128 + 128]
        assert touched == covering


def test_energy_of_a_tone_lies_in_its_bin() -> None:
    stft = Stft(256, 128)
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None]
    assert stft(tone).abs()[0, :, 20].argmax().item() == 16


def test_parseval() -> None:
    """Sqrt-Hann at half overlap is a tight frame: energies are equal, up to the factor n_fft."""
    stft = Stft(256, 128)
    signal = noise(1, 5000)
    spectrum = stft(signal).abs().square()
    energy = 2 * spectrum.sum() - spectrum[:, 0].sum() - spectrum[:, -1].sum()
    torch.testing.assert_close(energy / 256, signal.square().sum(), rtol=1e-4, atol=0)


def test_hann_frames_are_added_up_as_they_are() -> None:
    stft = Stft(384, 192, 512, "hann")
    torch.testing.assert_close(stft.analysis, torch.hann_window(384, periodic=True))
    assert torch.equal(stft.synthesis, torch.ones(512))


def test_a_filter_that_the_zeros_have_room_for_is_exact() -> None:
    """Products of spectra are circular convolutions, which are linear ones up to 512 - 384 + 1 taps."""
    stft = Stft(384, 192, 512, "hann")
    signal, taps = noise(1, 3000), noise(129)
    filtered = stft.inverse(stft(signal) * torch.fft.rfft(taps, n=512)[None, :, None], 3000)
    expected = np.convolve(signal[0].double().numpy(), taps.double().numpy())[:3000]
    np.testing.assert_allclose(filtered[0].numpy(), expected, atol=1e-4)


def test_low_precision_is_cast_up() -> None:
    signal = noise(1, 1000).to(torch.bfloat16)
    assert Stft(256, 128)(signal).dtype == torch.complex64


def test_gradient_passes_both_ways() -> None:
    stft = Stft(16, 8)
    stft.analysis, stft.synthesis = stft.analysis.double(), stft.synthesis.double()
    framed = noise(1, 40).double().requires_grad_()

    def around(signal: torch.Tensor) -> torch.Tensor:
        return stft.overlap_add(stft.synthesise(stft.analyse(signal)))

    assert torch.autograd.gradcheck(around, framed)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), st.sampled_from(SHAPES))
def test_streaming_gives_the_same_frames_and_samples(chunks: list[int], shape: tuple[int, int, int, str]) -> None:
    stft = Stft(*shape)
    signal = noise(2, sum(chunks))
    source, sink = FrameSource(stft, 2), FrameSink(stft, 2)
    spectra = [source.push(chunk) for chunk in signal.split(chunks, dim=1)]
    streamed = torch.cat(spectra, dim=-1)
    complete = signal.shape[1] // stft.hop
    assert streamed.shape[-1] == complete
    torch.testing.assert_close(streamed, stft(signal)[..., :complete], rtol=0, atol=1e-4)
    samples = torch.cat([sink.push(spectrum) for spectrum in spectra], dim=-1)
    before = stft.window_length - stft.hop
    assert samples.shape[-1] == complete * stft.hop
    torch.testing.assert_close(
        samples[:, before:], signal[:, : max(complete * stft.hop - before, 0)], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    ("shape", "message"), [((256, 100), "divide"), ((256, 256), "half"), ((256, 128, 128), "n_fft")]
)
def test_lengths_that_do_not_fit_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stft(*shape)


def test_unknown_window_is_refused() -> None:
    with pytest.raises(ValueError, match="accepted are sqrt_hann, hann"):
        Stft(256, 128, window="kaiser")

"""Causal DEMUCS: published sizes, its look-ahead, its levels, and chunks against whole utterances."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv1d, conv_transpose1d, glu

from sebench.config.items import registry
from sebench.contracts.loss import make_batch, scaled
from sebench.estimate.batch import Batch
from sebench.models.demucs import Demucs, rescale
from sebench.models.scale import prefix_sums

SMALL: dict[str, Any] = {"hidden": 4, "depth": 3}


def loud(**params: Any) -> Demucs:
    """A model whose output is of the order of its input."""
    torch.manual_seed(0)
    model = Demucs(**{**SMALL, **params}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return model


def noise(*shape: int) -> Tensor:
    return 0.05 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def streamed(model: Demucs, signal: Tensor, chunks: list[int], scale: Tensor | None = None) -> Tensor:
    state = model.reset(len(signal), scale)
    outputs = []
    for chunk in signal.split(chunks, dim=1):
        output, state = model.stream(chunk, state)
        assert output.shape == chunk.shape
        outputs.append(output)
    return torch.cat([*outputs, model.flush(state)], dim=1)[:, model.delay :]


def public_padding(model: Demucs, samples: int) -> int:
    """The least number of samples, from `samples` on, that the strides fit at the inner rate, at the outer rate."""
    steps = max(1, math.ceil((samples * model.upsample - model.reach) / model.step) + 1)
    return math.ceil((model.reach + (steps - 1) * model.step) / model.upsample)


def test_sizes_are_those_published() -> None:
    with torch.device("meta"):
        model, wide = Demucs(), Demucs(hidden=64)
    assert sum(p.numel() for p in model.parameters()) == 18_867_937
    assert sum(p.numel() for p in model.lstm.parameters()) == 9_449_472
    assert sum(p.numel() for p in wide.parameters()) == 33_533_569


def test_lengths_are_those_published() -> None:
    with torch.device("meta"):
        model = Demucs()
    assert model.reach / model.upsample == 597
    assert public_padding(model, 1) == 597
    assert public_padding(model, 72_000) == 72_021
    assert model.block == 256


def test_delay_by_arithmetic() -> None:
    """A sample n = 256 q - 83 is the first whose sinc down reaches step q: 4 n + 2 * 111 + 111 = 1024 q + 1; that
    step sees 2388 samples of 64 kHz from 1024 q on, and the last of them is interpolated from 55.5 + 27.75 samples."""
    with torch.device("meta"):
        model = Demucs()
    step = 1024 * 10
    first = (step + 1 - 3 * 111) // 4
    last_inner = step + 2388 - 1
    last_middle = (last_inner - 1) // 2 + 56
    last = (last_middle - 1) // 2 + 56
    assert model.needed(first) == last
    assert model.needed(first - 1) == last - 256
    assert model.delay == last - first == 763


@pytest.mark.slow
@pytest.mark.parametrize(
    "params",
    [
        {"depth": 5},
        {"upsample": 2},
        {"upsample": 1},
        {"kernel": 5, "stride": 3},
        {"kernel": 4, "stride": 4},
        {"kernel": 7, "stride": 2},
    ],
)
def test_delay_by_experiment(params: dict[str, Any]) -> None:
    """The last sample that an output's derivative sees, over all phases."""
    model = Demucs(**{**SMALL, **params}, normalise="none")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()  # no ReLU is off
    phases = range(1180, 1244)  # a whole block, or at depth 5 the part where a new step begins
    inputs = noise(1, 2100).abs().repeat(len(phases), 1).requires_grad_()
    model(Batch(inputs)).waveform[torch.arange(len(phases)), list(phases)].sum().backward()
    assert inputs.grad is not None
    last = [int(row.nonzero().max()) for row in inputs.grad]
    assert last == [model.needed(p) for p in phases]
    assert max(q - p for p, q in zip(phases, last, strict=True)) == model.delay


def test_network_is_that_of_plain_layers() -> None:
    """Encoders, LSTM and decoders written out for one whole signal, as in the paper's figure."""
    model = loud(upsample=1, normalise="none")
    signal = noise(2, model.reach + 9 * model.step)
    values, skips = signal[:, None], []
    for encoder in model.encoders:
        values = conv1d(values, encoder.conv.weight, encoder.conv.bias, stride=4).relu()
        values = glu(conv1d(values, encoder.mix.weight, encoder.mix.bias), dim=1)
        skips.append(values)
    values = model.lstm(values.permute(2, 0, 1))[0].permute(1, 2, 0)
    for i, decoder in enumerate(model.decoders):
        skip = skips.pop()
        values = values + skip[..., : values.shape[2]]
        values = glu(conv1d(values, decoder.mix.weight, decoder.mix.bias), dim=1)
        values = conv_transpose1d(values, decoder.spread.weight, decoder.spread.bias, stride=4)
        values = values if i == 2 else values.relu()
    samples = 10 * model.step  # what follows lacks frames that this signal is too short for
    found = model(Batch(signal)).waveform
    torch.testing.assert_close(found[:, :samples], values[:, 0, :samples], rtol=0, atol=1e-5)


def test_bfloat16_is_near() -> None:
    model, batch = loud(normalise="running"), make_batch()
    exact = model(batch).waveform
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model(batch).waveform
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() < 0.05 * exact.norm()


@pytest.mark.slow
@pytest.mark.parametrize(
    "params", [{}, {"upsample": 2, "depth": 4}, {"upsample": 1, "kernel": 4}, {"kernel": 5, "stride": 3}]
)
@settings(max_examples=8, deadline=None)
@given(chunks=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_chunks_change_nothing(params: dict[str, Any], chunks: list[int]) -> None:
    model = loud(normalise="running", **params)
    signal = noise(2, sum(chunks))
    with torch.no_grad():
        offline = model(Batch(signal)).waveform
    torch.testing.assert_close(streamed(model, signal, chunks), offline, rtol=0, atol=1e-5)


def test_single_samples_at_full_depth() -> None:
    model = loud(depth=5, normalise="running")
    signal = noise(1, 800)
    with torch.no_grad():
        offline = model(Batch(signal)).waveform
    assert offline.abs().max() > 1e-3
    torch.testing.assert_close(streamed(model, signal, [1] * 800), offline, rtol=0, atol=1e-5)


def test_a_stream_keeps_a_bounded_number_of_samples() -> None:
    model = loud(normalise="running")

    def kept(seconds: int) -> int:
        state = model.reset()
        for _ in range(seconds):
            _, state = model.stream(noise(1, 16000), state)
        tensors = [*state.up, *state.encoders, *state.skips, *state.tails, *state.down, state.scales, state.waiting]
        return sum(tensor.numel() for tensor in tensors if tensor is not None)

    assert kept(3) == kept(1)


def test_utterance_streams_with_its_scale_and_not_without() -> None:
    model, signal = loud(), noise(2, 3000) * torch.tensor([[1.0], [0.1]])
    assert not model.causal
    scale = model.utterance_scale(Batch(signal))
    torch.testing.assert_close(scale, 1e-3 + signal.std(1))
    with torch.no_grad():
        offline = model(Batch(signal)).waveform
    torch.testing.assert_close(streamed(model, signal, [1100, 1, 1899], scale), offline, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"reset\(batch, scale\)"):
        model.stream(signal, model.reset(2))


def test_only_models_with_a_causal_level_say_that_they_are_causal() -> None:
    assert not registry("model")["demucs"].facts.causal
    assert Demucs(**SMALL, normalise="running").causal
    assert Demucs(**SMALL, normalise="none").causal


@pytest.mark.parametrize("normalise", ["utterance", "running"])
def test_output_scales_with_the_input(normalise: str) -> None:
    model, batch = loud(normalise=normalise, floor=1e-9), make_batch()
    with torch.no_grad():
        once, quiet = model(batch).waveform, model(scaled(batch, 0.1)).waveform
    torch.testing.assert_close(10 * quiet, once, rtol=0, atol=1e-4 * once.abs().max().item())


def test_utterance_level_is_that_of_its_own_samples() -> None:
    signal = noise(3, 500)
    lengths = torch.tensor([500, 200, 1])
    scale = loud().utterance_scale(Batch(signal + 0.3, lengths=lengths))
    expected = torch.stack([signal[0].std(), signal[1, :200].std(), torch.zeros(())])
    torch.testing.assert_close(scale, 1e-3 + expected, rtol=1e-4, atol=1e-7)


def test_running_level_is_the_rms_so_far() -> None:
    model, signal = loud(normalise="running"), noise(2, 700)
    scale = model.scale.whole(Batch(signal))
    for sample in (0, 1, 255, 256, 699):
        expected = 1e-3 + signal[:, : sample + 1].square().mean(1).sqrt()
        torch.testing.assert_close(scale[:, sample], expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("samples", [1, 256, 257, 70_000])
def test_prefix_sums(samples: int) -> None:
    values = torch.randn(2, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prefix_sums(values), values.cumsum(1))


def test_rescaling_moves_deviations_half_way_to_the_reference() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Conv1d(3, 5, 4)
    deviation, bias = layer.weight.std().item(), layer.bias.detach().clone()  # type: ignore[union-attr]
    rescale(layer, 0.1)
    torch.testing.assert_close(layer.weight.std().item(), math.sqrt(0.1 * deviation))
    torch.testing.assert_close(layer.bias, bias * math.sqrt(0.1 / deviation))


def test_a_stride_beyond_the_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="at most kernel 4"):
        Demucs(kernel=4, stride=5)

"""FCRN: published sizes, its layers written out, its mask, and the statistics of its input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu, max_pool2d, pad
from torch.utils.flop_counter import FlopCounterMode

from sebench.contracts.loss import make_batch
from sebench.estimate.batch import Batch
from sebench.losses.spectral import ComplexMse
from sebench.models.conv_lstm import BinConv, ConvLstm
from sebench.models.fcrn import Fcrn

SMALL: dict[str, Any] = {"filters": 4, "kernel": 6}


def small(spread: float = 40.0, **params: Any) -> Fcrn:
    """A model whose mask depends on its input, and that has measured one."""
    torch.manual_seed(0)
    model = Fcrn(**{**SMALL, **params}).eval()
    assert model.out.bias is not None
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
        model.out.weight.mul_(spread)
        model.out.bias.fill_(0.3)
    model.measure([make_batch()])
    return model


def test_size_is_that_derived_from_the_paper() -> None:
    """Printed are 5.2M parameters and 631.5M operations a frame (arXiv 2306.02778, for hop 256)."""
    with torch.device("meta"):
        model, spectrum = Fcrn(), torch.zeros(1, 257, 3, dtype=torch.complex64)
    assert sum(p.numel() for p in model.parameters()) == 5_213_826
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.network(spectrum)
    assert counter.get_total_flops() == 2 * 3 * 630_389_760


def test_transform_is_that_of_the_paper() -> None:
    with torch.device("meta"):
        model = Fcrn()
    assert model.stft.key == (384, 192, 512, "hann")
    assert (model.stft.bins, model.stft.bins + model.missing) == (257, 260)
    assert model.delay == 383


@pytest.mark.parametrize("kernel", [1, 2, 5, 24])
def test_convolution_has_as_many_bins_out_as_in(kernel: int) -> None:
    torch.manual_seed(0)
    layer, values = BinConv(3, 5, kernel), torch.randn(4, 20, 3)
    assert layer.bias is not None
    padded = pad(values.transpose(1, 2), ((kernel - 1) // 2, kernel // 2))
    expected = torch.conv1d(padded, layer.weight, layer.bias).transpose(1, 2)
    torch.testing.assert_close(layer(values), expected, rtol=1e-5, atol=1e-6)


def test_one_tap_makes_an_lstm_of_each_bin() -> None:
    torch.manual_seed(0)
    layer, values = ConvLstm(3, 5, 1), torch.randn(9, 2, 7, 3)
    theirs = torch.nn.LSTM(3, 5)
    order = torch.tensor([0, 1, 3, 2])  # torch's gates are i, f, g, o

    def reordered(weight: Tensor) -> Tensor:
        return weight.unflatten(0, (4, 5))[order].flatten(0, 1)

    assert layer.from_input.bias is not None
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(reordered(layer.from_input.weight[..., 0]))
        theirs.weight_hh_l0.copy_(reordered(layer.from_memory.weight[..., 0]))
        theirs.bias_ih_l0.copy_(reordered(layer.from_input.bias))
        theirs.bias_hh_l0.zero_()
    expected, (hidden, cell) = theirs(values.flatten(1, 2))
    found, state = layer(values)
    torch.testing.assert_close(found, expected.unflatten(1, (2, 7)), rtol=0, atol=1e-6)
    torch.testing.assert_close(state[0], hidden[0].unflatten(0, (2, 7)), rtol=0, atol=1e-6)
    torch.testing.assert_close(state[1], cell[0].unflatten(0, (2, 7)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 3, 4])
def test_recurrence_has_the_gradient_that_autograd_finds(kernel: int) -> None:
    torch.manual_seed(0)
    layer = ConvLstm(3, 5, kernel).double()
    values = torch.randn(7, 2, 9, 3, dtype=torch.double, requires_grad=True)
    state = tuple(torch.randn(2, 9, 5, dtype=torch.double, requires_grad=True) for _ in range(2))
    wanted = [values, *state, *layer.parameters()]
    weights = torch.randn(7, 2, 9, 5, dtype=torch.double)

    def gradients(result: Any) -> list[Tensor]:
        output, (hidden, cell) = result
        total = (output * weights).sum() + hidden.square().sum() + cell.square().sum()
        return [output, cell, *torch.autograd.grad(total, wanted)]

    gates = layer.from_input(values.flatten(0, 1)).unflatten(0, values.shape[:2])
    theirs = gradients(layer.plain(gates, state))  # type: ignore[arg-type]
    for ours, expected in zip(gradients(layer(values, state)), theirs, strict=True):
        torch.testing.assert_close(ours, expected)


def written_out(model: Fcrn, spectrum: Tensor) -> Tensor:
    """The mask from the table of layers, frame by frame, channels first, as one image of one column a frame."""
    kernel = model.out.kernel_size[0]

    def conv(layer: BinConv, x: Tensor) -> Tensor:
        return conv2d(pad(x, (0, 0, (kernel - 1) // 2, kernel // 2)), layer.weight[..., None], layer.bias)

    def hidden(layer: BinConv, x: Tensor) -> Tensor:
        return leaky_relu(conv(layer, x), 0.2)

    def twice(x: Tensor) -> Tensor:
        return torch.nn.Upsample(scale_factor=(2, 1))(x)

    parts = torch.stack([spectrum.real, spectrum.imag], 1)  # (batch, 2, bins, frames)
    mean, deviation = (x.T[None, :, :, None] for x in (model.statistics.mean, model.statistics.deviation))
    inputs = pad((parts - mean) / deviation, (0, 0, 0, 3))
    h = c = torch.zeros(len(spectrum), model.memory.hidden, 65, 1)
    masks = []
    for x in inputs.split(1, dim=-1):
        a = hidden(model.down1.conv2, hidden(model.down1.conv1, x))
        b = hidden(model.down2.conv2, hidden(model.down2.conv1, max_pool2d(a, (2, 1))))
        gates = conv(model.memory.from_input, max_pool2d(b, (2, 1))) + conv(model.memory.from_memory, h)
        i, f, o, g = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        x = hidden(model.up2.conv2, hidden(model.up2.conv1, twice(h))) + b
        x = hidden(model.up1.conv2, hidden(model.up1.conv1, twice(x))) + a
        masks.append(conv(model.out, x)[:, :, :257])
    real, imag = torch.cat(masks, dim=-1).unbind(1)
    value = torch.complex(real, imag)
    return value.abs().tanh() * value / value.abs()


@pytest.mark.parametrize("kernel", [5, 6])
def test_network_is_the_table_of_layers(kernel: int) -> None:
    model, batch = small(kernel=kernel), make_batch()
    with torch.no_grad():
        estimate = model(batch)
        expected = written_out(model, batch.spectrum("noisy", model.stft))
    assert estimate.mask.abs().std() > 0.05
    assert estimate.mask.angle().std() > 0.05
    torch.testing.assert_close(estimate.mask, expected, rtol=0, atol=1e-5)


def test_mask_is_bounded_and_multiplies_the_spectrum_as_it_was() -> None:
    model, batch = small(4000.0), make_batch()
    model.statistics.mean.fill_(0.3)
    with torch.no_grad():
        estimate = model(batch)
    assert 0.99 < float(estimate.mask.abs().max()) <= 1.0 + 1e-6
    torch.testing.assert_close(estimate.spectrum, estimate.mask * batch.spectrum("noisy", model.stft))


def test_a_mask_of_zero_has_a_finite_gradient() -> None:
    model, batch = small(), make_batch()
    assert model.out.bias is not None
    with torch.no_grad():
        model.out.weight.zero_()
        model.out.bias.zero_()
    estimate = model(batch)
    assert bool((estimate.mask == 0).all())
    ComplexMse()(estimate, batch).sum().backward()
    gradients = [p.grad for p in (model.out.weight, model.out.bias)]
    assert all(g is not None and bool(g.isfinite().all()) and bool((g != 0).any()) for g in gradients)


def test_memory_reaches_far_and_forwards_only() -> None:
    model, batch = small(), make_batch()
    spectrum = batch.spectrum("noisy", model.stft)
    changed = spectrum.clone()
    changed[:, :, 5] += 3.0
    with torch.no_grad():
        one, other = (model.network(x)[0]["mask"] for x in (spectrum, changed))
    differs = (one - other).abs().amax((0, 1)) > 1e-6
    assert not bool(differs[:5].any())
    assert bool(differs[5:].all())


@pytest.mark.parametrize("padded", [False, True])
def test_statistics_are_those_of_numpy(padded: bool) -> None:
    """Mean and deviation over all frames of all utterances, by real and imaginary part of each bin."""
    signals = [0.1 * np.random.default_rng(i).standard_normal(2000 + 500 * i).cumsum() for i in range(3)]
    frames = []
    for signal in signals:
        count = -(-len(signal) // 192) + 1
        extended = np.zeros(192 * (count + 1))
        extended[192 : 192 + len(signal)] = signal.astype(np.float32)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(384) / 384)
        frames += [np.fft.rfft(window * extended[192 * t : 192 * t + 384], n=512) for t in range(count)]
    values = np.stack([np.real(frames), np.imag(frames)], axis=-1)
    model = Fcrn(**SMALL)
    if padded:
        noisy = torch.full((3, 3000), 7.0)  # what lies in the padding does not count
        for row, signal in zip(noisy, signals, strict=True):
            row[: len(signal)] = torch.from_numpy(signal)
        model.measure([Batch(noisy, lengths=torch.tensor([2000, 2500, 3000]))])
    else:
        model.measure(Batch(torch.from_numpy(signal).float()[None]) for signal in signals)
    statistics = model.statistics
    deviation = values.std(0)
    np.testing.assert_allclose(statistics.mean.numpy(), values.mean(0), atol=2e-6 * deviation.max())
    least = 1e-4 * deviation.max()
    np.testing.assert_allclose(statistics.deviation.numpy(), np.maximum(deviation, least), rtol=1e-4)
    assert (deviation[[0, -1], 1] < 1e-12).all()
    assert int(statistics.count) == len(frames)


def test_chunks_change_nothing() -> None:
    model, signal = small(), make_batch().noisy
    with torch.no_grad():
        offline = model(Batch(signal)).waveform
    state, outputs = model.reset(len(signal)), []
    for chunk in signal.split([1, 191, 192, 193, 7, 1416, 2000], dim=1):
        output, state = model.stream(chunk, state)
        outputs.append(output)
    streamed = torch.cat([*outputs, model.flush(state)], dim=1)
    torch.testing.assert_close(streamed[:, model.delay :], offline, rtol=0, atol=1e-5)


def test_bfloat16_is_near() -> None:
    model, batch = small(), make_batch()
    exact = model(batch).waveform
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model(batch)
    assert rounded.mask.dtype == torch.complex64
    assert (rounded.waveform - exact).norm() < 0.02 * exact.norm()
    rounded.waveform.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


def test_a_few_steps_of_training_help() -> None:
    torch.manual_seed(0)
    model, loss, batch = Fcrn(**SMALL), ComplexMse(), make_batch()
    model.measure([batch])
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    values = []
    for _ in range(20):
        value = loss(model(batch), batch).mean()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < 0.7 * values[0]


def test_widths_and_transform_are_parameters() -> None:
    model = Fcrn(filters=3, kernel=2, window_length=256, hop=128, n_fft=256)
    assert model.missing == 3
    assert model(Batch(torch.randn(1, 3000))).mask.shape == (1, 129, 25)
    assert model.delay == 255

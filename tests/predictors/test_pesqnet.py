"""PESQNet against counts that are stated, numbers that were computed by hand, and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sebench.predictors.pesqnet import PesqNet, _statistics

Array = NDArray[np.float64]


def test_size_of_the_source() -> None:
    """Layer by layer: encoder, four parallel convolutions over 65 bins of 32 channels, BLSTM, dense layers."""
    with torch.device("meta"):
        network = PesqNet()
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert counts["encoder"] == 832 + 9_248
    assert [sum(p.numel() for p in kernel.parameters()) for kernel in network.parallel] == [
        799_104, 1_597_824, 3_195_264, 6_390_144,
    ]  # fmt: skip
    assert counts["lstm"] == 1_705_984
    assert sum(counts.values()) == 13_833_761
    assert (network.bins, network.block, network.bounds) == (260, 16, (1.04, 4.64))


@pytest.mark.parametrize(
    ("hop", "frames", "blocks"),
    [
        *[(16, n, b) for n, b in [(1, 1), (15, 1), (16, 1), (17, 2), (32, 2), (33, 3), (48, 3), (49, 4), (1000, 63)]],
        *[(15, n, b) for n, b in [(1, 1), (15, 1), (16, 1), (17, 2), (31, 2), (32, 3), (46, 3), (47, 4), (1000, 67)]],
    ],
)
def test_blocks_of_an_utterance(hop: int, frames: int, blocks: int) -> None:
    network = PesqNet(channels=1, kernels=1, hidden=1, dense=(), block_hop=hop)
    assert network.blocks(torch.tensor([frames])).tolist() == [blocks]


@pytest.mark.parametrize("hop", [16, 15, 4])
def test_blocks_hold_the_frames_in_order_and_then_zeros(hop: int) -> None:
    network = PesqNet(channels=1, kernels=1, hidden=1, dense=(), block_hop=hop)
    frames = torch.tensor([40, 17])
    magnitude = torch.rand(2, 257, 40) + 1.0
    count = int(network.blocks(frames).max())
    found = network._blocks(magnitude, frames, count).numpy()
    assert found.shape == (2, count, 260, 16)
    assert not found[:, :, 257:].any()
    for i, length in enumerate(frames.tolist()):
        for block in range(count):
            for k in range(16):
                t = block * hop + k
                expected = magnitude[i, :, t].numpy() if t < length else np.zeros(257)
                np.testing.assert_array_equal(found[i, block, :257, k], expected)


def correlate(image: Array, weight: Array, bias: Array, padding: int) -> Array:
    """A convolution layer by its definition. image `(in, h, w)`, weight `(out, in, kh, kw)`."""
    _, kh, kw = weight.shape[1:]
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    h, w = padded.shape[1] - kh + 1, padded.shape[2] - kw + 1
    out = np.zeros((len(weight), h, w))
    for y in range(h):
        for x in range(w):
            out[:, y, x] = (weight * padded[:, y : y + kh, x : x + kw]).sum((1, 2, 3)) + bias
    return out


def pooled(image: Array, h: int, w: int) -> Array:
    channels, height, width = image.shape
    return image.reshape(channels, height // h, h, width // w, w).max((2, 4))


def test_features_of_a_block_are_those_of_the_equations() -> None:
    """Convolution 5 x 5, pooling 2 x 2, convolution 3 x 3, pooling 2 x 1; then kernels of all bins and w frames."""
    torch.manual_seed(0)
    options = {"window_length": 16, "hop": 8, "n_fft": 16, "block": 16}
    network = PesqNet(channels=3, kernels=5, widths=(1, 2, 4, 8), hidden=2, dense=(), **options).double()
    block = torch.rand(1, 12, 16, dtype=torch.float64)
    found = network._encode(block)[0].detach().numpy()
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}

    image = correlate(block.numpy(), weights["encoder.0.weight"], weights["encoder.0.bias"], 2)
    image = pooled(np.maximum(image, 0), 2, 2)
    assert image.shape == (3, 6, 8)
    image = correlate(image, weights["encoder.3.weight"], weights["encoder.3.bias"], 1)
    image = pooled(np.maximum(image, 0), 2, 1)
    assert image.shape == (3, 3, 8)
    expected = []
    for i, width in enumerate((1, 2, 4, 8)):
        kernel = weights[f"parallel.{i}.weight"].reshape(5, 3, 3, width)  # kernels, channels, bins, frames
        every = [
            np.maximum((kernel * image[:, :, t : t + width]).sum((1, 2, 3)) + weights[f"parallel.{i}.bias"], 0)
            for t in range(8 - width + 1)
        ]
        expected.append(np.max(every, axis=0))
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-10, atol=1e-12)
    assert (found > 0).mean() > 0.2, "rectified to nothing: the comparison would say nothing"


def test_statistics_are_over_the_blocks_that_are_there() -> None:
    values = torch.randn(3, 6, 4)
    counts = [6, 3, 1]
    present = torch.arange(6) < torch.tensor(counts)[:, None]
    found = _statistics(values, present).numpy()
    for i, count in enumerate(counts):
        own = values[i, :count].double().numpy()
        expected = [own.mean(0), np.maximum(own.std(0), 1e-4), own.min(0), own.max(0)]
        np.testing.assert_allclose(found[i], np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_the_lstm_runs_over_the_blocks_of_an_utterance_in_both_directions() -> None:
    """The order of blocks matters, and the backward direction begins at the utterance's own last block."""
    torch.manual_seed(0)
    network = PesqNet(channels=2, kernels=4, hidden=3, dense=(4,)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3.0)
        magnitude = torch.rand(1, 257, 48)
        features = network._encode(network._blocks(magnitude, torch.tensor([48]), 3)[0])[None]
        hidden = network.lstm(features)[0]
        expected = 1.04 + 3.6 * torch.sigmoid(network.head(_statistics(hidden, torch.ones(1, 3, dtype=torch.bool))))
        frames = torch.tensor([48, 160])
        together = network(torch.nn.functional.pad(magnitude, (0, 112), value=7.0).repeat(2, 1, 1), frames)
        turned = network(magnitude.unflatten(-1, (3, 16)).flip(2).flatten(-2), torch.tensor([48]))
    torch.testing.assert_close(together[:1], expected[:, 0], rtol=0, atol=1e-5)
    assert abs(float(turned - together[0])) > 1e-4


@pytest.mark.parametrize(("bias", "score"), [(-100.0, 1.04), (0.0, 2.84), (100.0, 4.64), (np.log(3.0), 3.74)])
def test_ends_and_middle_of_the_gate(bias: float, score: float) -> None:
    network = PesqNet(channels=1, kernels=1, hidden=1, dense=())
    with torch.no_grad():
        network.head[-1].weight.zero_()
        network.head[-1].bias.fill_(bias)
    assert network(torch.rand(1, 257, 20), torch.tensor([20])).item() == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"widths": (1, 9)}, "from 1 to 8, half a block"),
        ({"widths": (0, 1)}, "from 1 to 8, half a block"),
        ({"block": 8, "widths": (1, 8)}, "from 1 to 4"),
        ({"block_hop": 17}, "at most the block's 16 frames"),
    ],
)
def test_sizes_that_do_not_fit(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PesqNet(**params)  # type: ignore[arg-type]

"""The two-stage system: published sizes, its parts, and what its normalisation is for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from sebench.artefacts import Node, Store
from sebench.config.items import build
from sebench.contracts.loss import make_batch, scaled
from sebench.estimate.batch import Batch
from sebench.losses.spectral import MagnitudeMse
from sebench.models.band_gain import Stage1
from sebench.models.complex_refine import Stage2, bounded
from sebench.models.complexity import complexity, run
from sebench.models.gru import Gru
from sebench.models.level import RunningMean
from sebench.models.two_stage import TwoStage

#: parameters, weight uses per second, as derived from the reconstruction; and as the page prints them
SIZES = {
    "stage1": (16_392, 2_065_392, "16K", "2.1M"),
    "stage2": (62_080, 7_822_080, "62K", "7.8M"),
    "two_stage": (78_472, 9_887_472, "78K", "10M"),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_print_as_published(name: str) -> None:
    parameters, uses, printed_parameters, printed_uses = SIZES[name]
    found = complexity(build({"type": name, "params": {}}, "model"))
    assert (found["parameters"], found["uses_per_second"]) == (parameters, uses)
    assert f"{found['parameters'] / 1e3:.0f}K" == printed_parameters
    assert f"{found['uses_per_second'] / 1e6:.2g}M".replace("9.9M", "10M") == printed_uses


def test_macs_are_those_of_the_layers() -> None:
    """Without biases: 16,000 and 61,440 a frame (FACTS A.4), and 126 frames a second."""
    assert complexity(Stage1())["network_macs_per_second"] == 16_000 * 126
    assert complexity(Stage2())["network_macs_per_second"] == 61_440 * 126
    both = complexity(TwoStage())
    assert both["network_macs_per_second"] == 77_440 * 126
    assert both["macs_per_second"] > both["network_macs_per_second"]
    assert both["delay_ms"] == pytest.approx(16.0, abs=0.1)


def test_the_step_writes_the_same_bytes_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    node = Node("complexity", "stage1", {"model": {"type": "stage1", "version": 1, "params": {}}, "version": 1})
    run(node, store, 1)
    path = store.outputs(node)["complexity.json"]
    first = path.read_bytes()
    run(node, store, 2)
    assert path.read_bytes() == first
    assert json.loads(first)["parameters"] == 16_392
    provenance = json.loads((store.folder(node) / "provenance.json").read_text())
    assert 0 < provenance["real_time_factor"] < 1
    assert provenance["real_time_factor_setup"]["threads"] == 1


def test_weights_of_a_trained_stage1_fit() -> None:
    torch.manual_seed(0)
    alone, both = Stage1(), TwoStage()
    both.stage1.load_state_dict(alone.state_dict())
    batch = make_batch()
    spectrum = batch.spectrum("noisy", both.stft)
    assert torch.equal(alone(batch).gain, both.stage1.network(spectrum)[0]["gain"])


@pytest.mark.parametrize("model", [Stage1, Stage2, TwoStage])
def test_masks_do_not_depend_on_the_level(model: type[Stage1 | Stage2 | TwoStage]) -> None:
    torch.manual_seed(0)
    system, batch = model(), make_batch()
    loud, quiet = system(batch).waveform, system(scaled(batch, 0.1)).waveform
    torch.testing.assert_close(10 * quiet, loud, rtol=0, atol=0.02 * loud.abs().max().item())


def test_bounded_mask() -> None:
    real, imag = bounded(torch.tensor([[3.0, 0.0, 0.0, 4.0, 0.0, -0.1]]))
    mask = torch.complex(real, imag)
    expected = torch.tensor([[5.0, 0.0, 0.1]]).tanh()
    torch.testing.assert_close(mask.abs(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mask[0, 0].angle(), torch.tensor(4.0 / 3.0).atan())


def test_a_few_steps_of_training_help() -> None:
    torch.manual_seed(0)
    model, loss, batch = Stage1(), MagnitudeMse(), make_batch()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    values = []
    for _ in range(30):
        value = loss(model(batch), batch).mean()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < 0.7 * values[0]


@pytest.mark.parametrize("chunks", [[300], [1, 127, 172], [100, 100, 100]])
def test_running_mean_is_the_weighted_mean_of_the_past(chunks: list[int]) -> None:
    mean = RunningMean(0.5, 125.0)
    values = 3.0 + torch.randn(2, 300, 4, generator=torch.Generator().manual_seed(0))
    state, found = None, []
    for chunk in values.split(chunks, dim=1):
        part, state = mean(chunk, state)
        found.append(part)
    for frame in (0, 1, 150, 299):
        weights = mean.coefficient ** torch.arange(frame, -1, -1.0)
        expected = (weights[:, None] * values[:, : frame + 1]).sum(1) / weights.sum()
        torch.testing.assert_close(torch.cat(found, 1)[:, frame], expected, rtol=1e-5, atol=1e-5)


def test_gru_is_that_of_torch() -> None:
    torch.manual_seed(0)
    gru = Gru(5, 7).double()
    values = torch.randn(9, 3, 5, dtype=torch.double, requires_grad=True)
    hidden = torch.randn(1, 3, 7, dtype=torch.double, requires_grad=True)
    wanted = [values, hidden, *gru.parameters()]
    weights = torch.randn(9, 3, 7, dtype=torch.double)

    def gradients(function) -> list[torch.Tensor]:  # type: ignore[no-untyped-def]
        output, last = function(values, hidden)
        total = (output * weights).sum() + last.square().sum()
        return [output, last, *torch.autograd.grad(total, wanted)]

    theirs = gradients(lambda x, h: torch.nn.GRU.forward(gru, x, h))
    for ours, expected in zip(gradients(gru), theirs, strict=True):
        torch.testing.assert_close(ours, expected)


def test_widths_are_parameters() -> None:
    model = TwoStage(hidden1=8, hidden2=16, window_length=512, hop=256)
    assert model(Batch(torch.randn(1, 3000))).waveform.shape == (1, 3000)
    assert model.delay == 511

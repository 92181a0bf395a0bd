"""The contract of predictors, over all that are registered: who adds a predictor writes no test here."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from sebench.config.facts import PREDICTOR
from sebench.config.items import build, get, registry
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.predictors.base import Predictor
from sebench.seeding import seed_of
from sebench.stages.with_predictor import hold
from sebench.training.device import repeatable
from sebench.training.stage import build_network

#: Parameters under test, where the defaults are too slow or are not all that there is: by predictor and variant.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "pesqnet": {
        "small": {"channels": 2, "kernels": 5, "hidden": 4, "dense": [6]},
        "overlapping": {"channels": 2, "kernels": 5, "hidden": 4, "dense": [6, 3], "block_hop": 15},
    },
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    f"{name}-{variant}" if variant else name: (name, params)
    for name in sorted(registry("predictor"))
    for variant, params in VARIANTS.get(name, {"": {}}).items()
}
ALL = list(CASES)
#: Frames of utterances: one, less than a block, a block, one more, several.
LENGTHS = (1, 7, 16, 17, 70)


def item(case: str) -> dict[str, Any]:
    name, params = CASES[case]
    return {"type": name, "params": params}


def make(case: str, spread: float = 2.0) -> Predictor:
    """A predictor with weights that are not those of the start, so that its output depends on its input."""
    torch.manual_seed(seed_of("predictor contract") % 2**32)
    predictor: Predictor = build(item(case), "predictor")
    with torch.no_grad():
        for parameter in predictor.parameters():
            parameter.mul_(spread)
    return predictor.eval()


def magnitudes(predictor: Predictor, *lengths: int, behind: float = 0.0) -> tuple[Tensor, Tensor]:
    """`(batch, bins, frames)` with `behind` after the frames of each utterance, and the frames."""
    random = torch.Generator().manual_seed(sum(lengths))
    values = torch.randn(len(lengths), predictor.stft.bins, max(lengths), generator=random).abs()
    frames = torch.tensor(lengths)
    there = torch.arange(max(lengths)) < frames[:, None]
    return torch.where(there[:, None], values, torch.tensor(behind)), frames


def inside(predictor: Predictor, scores: Tensor) -> bool:
    low, high = predictor.bounds
    return bool(((scores > low) & (scores < high)).all())


@pytest.mark.parametrize("name", sorted(registry("predictor")))
def test_what_the_planner_reads_is_declared(name: str) -> None:
    found = get(PREDICTOR, name).facts
    assert found.sample_rate in (8000, 16000, 24000, 48000)
    assert len(found.bounds) == 2
    assert found.bounds[0] < found.bounds[1]
    assert found.source
    predictor = build({"type": name, "params": CASES[next(c for c in ALL if CASES[c][0] == name)][1]}, "predictor")
    assert (predictor.name, predictor.version) == (name, found.version)
    assert (predictor.sample_rate, tuple(predictor.bounds)) == (found.sample_rate, tuple(found.bounds))
    assert all(param.kind == param.KEYWORD_ONLY for param in inspect.signature(type(predictor)).parameters.values())


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("lengths", [(1,), (16, 3), LENGTHS])
def test_one_score_per_utterance_within_the_bounds(name: str, lengths: tuple[int, ...]) -> None:
    predictor = make(name)
    scores = predictor(*magnitudes(predictor, *lengths))
    assert scores.shape == (len(lengths),)
    assert scores.dtype == torch.float32
    assert inside(predictor, scores)


@pytest.mark.parametrize("name", ALL)
def test_the_score_depends_on_every_frame(name: str) -> None:
    predictor = make(name, 4.0)
    magnitude, frames = magnitudes(predictor, 17)
    magnitude = magnitude.requires_grad_()
    predictor(magnitude, frames).sum().backward()
    assert magnitude.grad is not None
    assert bool(magnitude.grad.isfinite().all())
    assert bool((magnitude.grad != 0).any(dim=1).all()), "a frame without any gradient"
    assert magnitude.grad.abs().sum() > 1e-6


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("behind", [0.0, 100.0, float("nan")])
def test_padding_and_company_change_nothing(name: str, behind: float) -> None:
    """An utterance has the same score and the same gradient alone as beside longer ones, whatever lies behind it."""
    predictor = make(name)
    magnitude, frames = magnitudes(predictor, *LENGTHS, behind=behind)
    magnitude = magnitude.requires_grad_()
    together = predictor(magnitude, frames)
    (gradient,) = torch.autograd.grad(together.sum(), magnitude)
    for i, length in enumerate(LENGTHS):
        own = magnitude[i : i + 1, :, :length].detach().requires_grad_()
        alone = predictor(own, frames[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-5)
        (expected,) = torch.autograd.grad(alone.sum(), own)
        torch.testing.assert_close(gradient[i : i + 1, :, :length], expected, rtol=1e-3, atol=1e-6)
        assert not gradient[i, :, length:].any()


@pytest.mark.parametrize("name", ALL)
def test_gradients_of_weights_do_not_see_the_padding(name: str) -> None:
    predictor = make(name)
    found = []
    for behind in (0.0, 50.0):
        predictor.zero_grad()
        predictor(*magnitudes(predictor, 5, 40, behind=behind)).sum().backward()
        found.append([parameter.grad.clone() for parameter in predictor.parameters() if parameter.grad is not None])
    assert found[0]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("level", [0.0, 1e-20, 1e4])
def test_silent_and_loud_input_is_finite_and_has_a_finite_gradient(name: str, level: float) -> None:
    predictor = make(name, 1.0).train()
    magnitude, frames = magnitudes(predictor, 20, 40)
    magnitude = (level * magnitude).requires_grad_()
    scores = predictor(magnitude, frames)
    low, high = predictor.bounds
    assert bool(((scores >= low) & (scores <= high)).all())
    (scores - 3.0).square().sum().backward()
    assert magnitude.grad is not None
    assert bool(magnitude.grad.isfinite().all())
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in predictor.parameters())


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_is_trained(name: str) -> None:
    predictor = make(name, 1.0).train()
    predictor(*magnitudes(predictor, 40, 70, 33)).sum().backward()
    untouched = [n for n, p in predictor.named_parameters() if p.grad is None or not bool((p.grad != 0).any())]
    assert untouched == []


@pytest.mark.parametrize("name", ALL)
def test_bfloat16(name: str) -> None:
    """Under autocast: float32 scores near those of float32, and finite gradients."""
    predictor = make(name, 1.0)
    magnitude, frames = magnitudes(predictor, 20, 40)
    expected = predictor(magnitude, frames)
    rounded = magnitude.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        scores = predictor(rounded, frames)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, expected, rtol=0, atol=0.05)
    scores.sum().backward()
    assert rounded.grad is not None
    assert rounded.grad.dtype == torch.float32
    assert bool(rounded.grad.isfinite().all())


@pytest.mark.parametrize("name", ALL)
def test_one_seed_one_predictor(name: str) -> None:
    """Weights depend on the seed alone, whatever the global generator; it is left alone."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = build_network("predictor", item(name), 5)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    same, other = build_network("predictor", item(name), 5), build_network("predictor", item(name), 6)
    weights, again, others = (p.state_dict() for p in (one, same, other))
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    assert any(not torch.equal(weights[key], others[key]) for key in weights)
    magnitude = magnitudes(one, 9, 30)
    assert torch.equal(one(*magnitude), same(*magnitude))


@pytest.mark.parametrize("name", ALL)
def test_its_state_is_its_weights_and_makes_the_same_predictor(name: str) -> None:
    predictor = make(name)
    assert set(predictor.state_dict()) == {n for n, _ in predictor.named_parameters()}
    other: Predictor = build(item(name), "predictor")
    magnitude = magnitudes(predictor, 9, 30)
    assert not torch.equal(other(*magnitude), predictor(*magnitude))
    other.load_state_dict(predictor.state_dict(), strict=True)
    assert torch.equal(other.eval()(*magnitude), predictor(*magnitude))


@pytest.mark.parametrize("name", ALL)
def test_held_it_passes_the_gradient_and_takes_none(name: str) -> None:
    predictor = make(name)
    magnitude, frames = magnitudes(predictor, 20, 9)
    free = magnitude.clone().requires_grad_()
    (expected,) = torch.autograd.grad(predictor(free, frames).sum(), free)
    hold(predictor)
    held = magnitude.clone().requires_grad_()
    predictor(held, frames).sum().backward()
    torch.testing.assert_close(held.grad, expected, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in predictor.parameters())


@pytest.mark.parametrize("name", ALL)
def test_waveforms_and_estimates_are_judged_by_their_magnitudes(name: str) -> None:
    """The spectrum of the estimate itself where it is in this transform, and each utterance to its own length."""
    predictor = make(name)
    random = torch.Generator().manual_seed(0)
    signal = 0.1 * torch.randn(2, 4000, generator=random)
    lengths = torch.tensor([4000, 1500])
    batch = Batch(signal, lengths=lengths)
    of_waveform = predictor.of_estimate(Estimate(batch, waveform=signal), batch)
    for i, length in enumerate(lengths.tolist()):
        alone = predictor.of_waveform(signal[i : i + 1, :length])
        torch.testing.assert_close(of_waveform[i : i + 1], alone, rtol=0, atol=1e-5)
    spectrum = 2.0 * predictor.stft(batch.mask(signal))
    own = predictor.of_estimate(Estimate(batch, predictor.stft, spectrum=spectrum), batch)
    torch.testing.assert_close(own, predictor(spectrum.abs(), predictor.stft.frame_lengths(lengths)), rtol=0, atol=0)
    assert not torch.equal(own, of_waveform)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", ALL)
def test_gpu_and_cpu_agree_held_too(name: str) -> None:
    predictor = make(name)
    magnitude, frames = magnitudes(predictor, *LENGTHS)
    expected_at = magnitude.clone().requires_grad_()
    at = magnitude.to("cuda").requires_grad_()
    with repeatable(1):  # as in training: operations without a deterministic kernel raise
        expected = predictor(expected_at, frames)
        expected.sum().backward()
        hold(predictor.to("cuda"))
        found = predictor(at, frames.to("cuda"))
        found.sum().backward()
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-3)
    assert at.grad is not None
    torch.testing.assert_close(at.grad.cpu(), expected_at.grad, rtol=1e-2, atol=1e-5)

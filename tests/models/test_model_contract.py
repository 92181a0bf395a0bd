"""The contract of models, over all that are registered: who adds a model writes no test here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sebench.config.items import build, registry
from sebench.contracts import model as contract
from sebench.contracts.loss import make_batch
from sebench.estimate.batch import Batch
from sebench.models.base import Model
from sebench.models.input_statistics import measure_inputs, statistics_of, unmeasured
from sebench.seeding import seed_of

#: Parameters under test, where the defaults are too slow or are not all that there is: by model and variant.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "demucs": {
        "utterance": {"hidden": 4, "normalise": "utterance"},
        "running": {"hidden": 4, "depth": 3, "normalise": "running"},
        "none": {"hidden": 4, "depth": 4, "upsample": 2, "normalise": "none"},
    },
    "fcrn": {"small": {"filters": 4, "kernel": 6}},
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    f"{name}-{variant}" if variant else name: (name, params)
    for name in sorted(registry("model"))
    for variant, params in VARIANTS.get(name, {"": {}}).items()
}


def build_case(case: str) -> Model:
    name, params = CASES[case]
    model: Model = build({"type": name, "params": params}, "model")
    return model


ALL = list(CASES)
CAUSAL = [case for case in ALL if build_case(case).causal]
FREE_MASK = [case for case in ALL if build_case(case).free_phase and "mask" in build_case(case).views]


def make(name: str, spread: float = 1.0) -> Model:
    """A model with weights that are not those of the start, so that its output depends on its input."""
    torch.manual_seed(seed_of("model contract") % 2**32)
    model = build_case(name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(spread)
    return model.eval()


def noise(*shape: int) -> torch.Tensor:
    return 0.05 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def subject(case: str) -> contract.Subject:
    return contract.Subject(case, lambda: build_case(case))


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ALL)
def test_contract(name: str, check: Callable[[contract.Subject], str]) -> None:
    """What every model of others is held to, too: `sebench check model`, and most of it before each run."""
    check(subject(name))


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_is_trained_by_the_waveform(name: str) -> None:
    model = make(name).train()
    model(make_batch()).waveform.square().sum().backward()
    untouched = [n for n, p in model.named_parameters() if p.grad is None or not bool((p.grad != 0).any())]
    assert untouched == []


@pytest.mark.parametrize("name", ALL)
def test_only_weights_and_input_statistics_are_saved(name: str) -> None:
    model = make(name)
    assert set(model.state_dict()) == {n for n, _ in model.named_parameters()} | statistics_of(model).keys()


@pytest.mark.parametrize("name", ALL)
def test_input_statistics_can_be_measured(name: str) -> None:
    model = make(name)
    measure_inputs(model, [Batch(noise(1, 3000)), Batch(noise(1, 1000))])
    assert unmeasured(model) == []


@pytest.mark.parametrize("name", CAUSAL)
@settings(max_examples=8, deadline=None)
@given(chunks=st.lists(st.integers(1, 900), min_size=1, max_size=9))
def test_stream_is_the_offline_output_after_the_delay(name: str, chunks: list[int]) -> None:
    model = make(name, 2.0)
    signal = noise(2, sum(chunks))
    with torch.no_grad():
        offline = model(Batch(signal)).waveform
    state = model.reset(2)
    outputs = []
    for chunk in signal.split(chunks, dim=1):
        output, state = model.stream(chunk, state)
        assert output.shape == chunk.shape
        outputs.append(output)
    streamed = torch.cat([*outputs, model.flush(state)], dim=1)
    assert streamed.shape[1] == signal.shape[1] + model.delay
    torch.testing.assert_close(streamed[:, model.delay :], offline, rtol=0, atol=1e-5)


def phases(model: Model) -> range:
    """Samples, one for each phase within a block."""
    stft = getattr(model, "stft", None)
    return range(900, 900 + (stft.hop if stft is not None else getattr(model, "block", 1)))


@pytest.mark.parametrize("name", CAUSAL)
def test_output_before_the_look_ahead_stays(name: str) -> None:
    """Change the input from one sample on; see how much earlier the output changes."""
    model = make(name, 2.0)
    signal = noise(1, 2000)
    inputs = torch.stack([torch.cat([signal[0, :p], signal[0, p:] + 100.0]) for p in phases(model)])
    with torch.no_grad():
        before, after = (model(Batch(x)).waveform for x in (signal.expand_as(inputs), inputs))
    changed = (after - before).abs() > 1e-6
    first = changed.int().argmax(1)
    assert bool(changed.any(1).all())
    assert max(p - int(q) for p, q in zip(phases(model), first, strict=True)) <= model.delay


@pytest.mark.parametrize("name", CAUSAL)
def test_look_ahead_is_the_stated_delay(name: str) -> None:
    """The last sample of the input that an output's derivative sees, however small, as the ends of a sinc are."""
    model = make(name, 2.0)
    inputs = noise(1, 2000).repeat(len(phases(model)), 1).requires_grad_()
    rows = torch.arange(len(phases(model)))
    model(Batch(inputs)).waveform[rows, list(phases(model))].sum().backward()
    assert inputs.grad is not None
    last = inputs.shape[1] - 1 - (inputs.grad != 0).flip(1).int().argmax(1)
    look_ahead = max(int(p) - q for p, q in zip(last, phases(model), strict=True))
    # The first sample of a periodic Hann window is zero: no signal shows that last sample of look-ahead.
    stft = getattr(model, "stft", None)
    zeros = 0 if stft is None else int((stft.synthesis == 0).int().argmin())
    assert look_ahead == model.delay - zeros


@pytest.mark.parametrize("name", FREE_MASK)
def test_a_complex_mask_starts_real_and_positive(name: str) -> None:
    torch.manual_seed(3)
    model = build_case(name)
    mask = model(make_batch()).mask
    assert bool((mask.real > 0).all())
    assert bool((mask.imag.abs() < 0.1 * mask.real).all())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", ALL)
def test_gpu_and_cpu_agree(name: str) -> None:
    model = make(name, 2.0)
    batch = Batch(noise(2, 4000))
    expected = model(batch).waveform
    found = model.to("cuda")(batch.to("cuda")).waveform.cpu()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)

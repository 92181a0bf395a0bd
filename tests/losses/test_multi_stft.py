"""The loss of DEMUCS with compressed magnitudes against its equations in NumPy, auraloss and arithmetic.

Equations (1) to (10) of Dai, Hong and Hung (ROCLING 2022), means in place of sums over resolutions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import auraloss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from sebench.config.items import build
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate

Reals = NDArray[np.float64]

RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))
#: One window of odd length, whose middle is not that of its transform.
OTHER_RESOLUTIONS = ((256, 60, 201), (512, 100, 512))
POWERS = (0.1, 0.3, 0.5, 0.7, 1.0, 1.1)


def value(output: Tensor, batch: Batch, **params: Any) -> list[float]:
    loss = build({"type": "multi_stft", "params": params}, "loss")
    return loss(Estimate(batch, waveform=output), batch).tolist()


def make_signals(lengths: tuple[int, ...], silence: int = 0) -> tuple[Tensor, Batch]:
    """Outputs and targets: voiced bursts, delayed and in noise, with `silence` zeros at both ends."""
    output, clean = torch.zeros(2, len(lengths), max(lengths))
    for i, length in enumerate(lengths):
        rng = np.random.default_rng(i)
        seconds = np.arange(length - 2 * silence) / 16000
        voiced = sum(np.sin(2 * np.pi * k * (110 + 30 * i) * seconds + k * k) / k for k in range(1, 40))
        target = 0.05 * voiced * np.clip(0.2 + np.sin(2 * np.pi * 6 * seconds), 0, None)
        result = 0.8 * np.roll(target, 5) + 0.01 * rng.standard_normal(len(target))
        inside = slice(silence, length - silence)
        clean[i, inside], output[i, inside] = torch.from_numpy(target), torch.from_numpy(result)
    return output, Batch(clean + 0.01, clean, lengths=torch.tensor(lengths))


def magnitudes(signal: Reals, n_fft: int, hop: int, window_length: int, power_floor: float) -> Reals:
    """Frames centred at multiples of the hop, zeros outside the signal; returns `(frames, bins)`."""
    window = np.zeros(n_fft)
    start = (n_fft - window_length) // 2
    window[start : start + window_length] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / window_length)
    padded = np.concatenate([np.zeros(n_fft // 2), signal, np.zeros(n_fft // 2)])
    frames = [padded[t * hop : t * hop + n_fft] for t in range(len(signal) // hop + 1)]
    power = np.abs(np.fft.rfft(window * np.stack(frames))) ** 2
    return np.sqrt(np.maximum(power, power_floor))


def reference(
    output: Reals,
    clean: Reals,
    noisy: Reals,
    compression: float | str = 1.0,
    resolutions: tuple[tuple[int, int, int], ...] = RESOLUTIONS,
    sc_weight: float = 1.0,
    mag_weight: float = 1.0,
    wave_weight: float = 1.0,
    denominator: str = "clean",
    floor: float = 0.0,
    power_floor: float = 1e-7,
) -> float:
    """Equations (5) to (10), one utterance; the norm below the line is at least `floor` times the noisy one's."""
    f: Callable[[Reals], Reals] = np.log1p if compression == "log1p" else lambda x: x**compression
    terms = []
    for resolution in resolutions:
        enhanced, target, mixed = (f(magnitudes(x, *resolution, power_floor)) for x in (output, clean, noisy))
        below = np.sqrt(np.sum({"clean": target, "enhanced": enhanced}[denominator] ** 2))
        convergence = np.sqrt(np.sum((enhanced - target) ** 2)) / max(below, floor * np.sqrt(np.sum(mixed**2)))
        terms.append(sc_weight * convergence + mag_weight * np.mean(np.abs(np.log(enhanced / target))))
    return float(wave_weight * np.mean(np.abs(output - clean)) + np.mean(terms))


def expected(output: Tensor, batch: Batch, **params: Any) -> list[float]:
    signals = (signal.double().numpy() for signal in (output, batch.clean, batch.noisy))
    rows = zip(*signals, batch.lengths.tolist(), strict=True)
    return [reference(*(signal[:length] for signal in row), **params) for *row, length in rows]


PARAMS: list[dict[str, Any]] = [
    {},
    *({"compression": r} for r in POWERS),
    {"compression": "log1p"},
    *({"denominator": "enhanced", "compression": c} for c in (1.0, 0.3, "log1p")),
    *({"floor": 3.0, "compression": c} for c in (1.0, 0.3, "log1p")),
    {"resolutions": OTHER_RESOLUTIONS},
    {"resolutions": RESOLUTIONS[1:2]},
    {"sc_weight": 0.1, "mag_weight": 0.5, "wave_weight": 3.0},
    *({"power_floor": 0.01, "compression": c} for c in (1.0, 0.3, "log1p")),
]


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_is_the_equations(params: dict[str, Any]) -> None:
    output, batch = make_signals((6000, 4301))
    assert value(output, batch, **params) == pytest.approx(expected(output, batch, **params), rel=1e-4)


def test_the_reference_frames_as_torch_does() -> None:
    output, _ = make_signals((4301,))
    for n_fft, hop, length in (*RESOLUTIONS, *OTHER_RESOLUTIONS):
        options = {"center": True, "pad_mode": "constant", "return_complex": True}
        window = torch.hann_window(length, dtype=torch.float64)
        theirs = torch.stft(output[0].double(), n_fft, hop, length, window, **options).abs().T
        np.testing.assert_allclose(magnitudes(output[0].double().numpy(), n_fft, hop, length, 0.0), theirs, atol=1e-9)


@pytest.mark.parametrize("denominator", ["clean", "enhanced"])
@pytest.mark.parametrize(("sc_weight", "mag_weight"), [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.1, 0.5)])
def test_is_that_of_auraloss(sc_weight: float, mag_weight: float, denominator: str) -> None:
    """Between zeros, where its reflection at the ends is zero too; it divides by its second argument."""
    output, batch = make_signals((7000,), silence=1100)
    sizes = dict(zip(("fft_sizes", "hop_sizes", "win_lengths"), map(list, zip(*RESOLUTIONS, strict=True)), strict=True))
    theirs = auraloss.freq.MultiResolutionSTFTLoss(**sizes, w_sc=sc_weight, w_log_mag=mag_weight, eps=1e-7)
    pair = (output[:, None], batch.clean[:, None])
    wanted = theirs(*(pair if denominator == "clean" else pair[::-1])).item()
    params = {"sc_weight": sc_weight, "mag_weight": mag_weight, "denominator": denominator}
    assert value(output, batch, wave_weight=0.0, compression=1.0, **params) == pytest.approx([wanted], rel=1e-5)


@pytest.mark.parametrize("power", POWERS)
def test_logarithm_of_a_power_is_a_multiple(power: float) -> None:
    """(6) is r times (4)."""
    output, batch = make_signals((6000, 4301))
    plain = value(output, batch, sc_weight=0.0, wave_weight=0.0)
    compressed = value(output, batch, sc_weight=0.0, wave_weight=0.0, compression=power)
    assert compressed == pytest.approx([power * v for v in plain], rel=1e-4)


@settings(max_examples=8, deadline=None)
@given(decibels=st.floats(-20, 20), power=st.sampled_from(POWERS))
def test_closed_form_of_a_target_at_another_level(decibels: float, power: float) -> None:
    """The target times k, no bin under the floor: |1 - k^r| (or that over k^r), r |ln k|, and |1 - k| <|s|>."""
    k = 10 ** (decibels / 20)
    clean = torch.randn(1, 5000, generator=torch.Generator().manual_seed(0))
    batch = Batch(clean, clean)
    common = {"compression": power, "power_floor": 1e-20}
    parts: list[tuple[float, dict[str, Any]]] = [
        (abs(1 - k**power), {"mag_weight": 0.0, "wave_weight": 0.0}),
        (abs(1 - k**-power), {"mag_weight": 0.0, "wave_weight": 0.0, "denominator": "enhanced"}),
        (power * abs(math.log(k)), {"sc_weight": 0.0, "wave_weight": 0.0}),
        (abs(1 - k) * clean.abs().mean().item(), {"sc_weight": 0.0, "mag_weight": 0.0}),
    ]
    for wanted, params in parts:
        assert value(k * clean, batch, **common, **params) == pytest.approx([wanted], rel=1e-4, abs=1e-5), params


@pytest.mark.parametrize("compression", [1.0, 0.3, "log1p"])
def test_perfect_output_has_no_loss(compression: float | str) -> None:
    _, batch = make_signals((6000, 4301))
    assert value(batch.clean, batch, compression=compression) == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("compression", [1.0, 0.3, "log1p"])
def test_only_the_waveform_term_sees_the_phase(compression: float | str) -> None:
    _, batch = make_signals((6000, 4301))
    output = -batch.clean
    assert value(output, batch, compression=compression, wave_weight=0.0) == pytest.approx([0.0, 0.0], abs=1e-6)
    wanted = [2 * row[:n].abs().mean().item() for row, n in zip(batch.clean, batch.lengths, strict=True)]
    assert value(output, batch, compression=compression) == pytest.approx(wanted, rel=1e-4)


def test_weights_are_those_of_a_sum() -> None:
    output, batch = make_signals((6000, 4301))
    names = ("sc_weight", "mag_weight", "wave_weight")
    singles = [value(output, batch, **(dict.fromkeys(names, 0.0) | {name: 1.0})) for name in names]
    wanted = [0.1 * a + 0.5 * b + 3 * c for a, b, c in zip(*singles, strict=True)]
    assert value(output, batch, sc_weight=0.1, mag_weight=0.5, wave_weight=3.0) == pytest.approx(wanted, rel=1e-5)


def test_resolutions_are_averaged() -> None:
    output, batch = make_signals((6000, 4301))
    singles = [value(output, batch, wave_weight=0.0, resolutions=[list(r)]) for r in RESOLUTIONS]
    wanted = np.mean(singles, axis=0).tolist()
    assert value(output, batch, wave_weight=0.0) == pytest.approx(wanted, rel=1e-5)


def test_floor_stands_for_all_that_is_less() -> None:
    """A silent target: of each bin, log(A / sqrt(floor)) is left, and convergence relative to the floor."""
    output, batch = make_signals((6000,))
    silent = Batch(output, torch.zeros_like(output), lengths=batch.lengths)
    terms = []
    for resolution in RESOLUTIONS:
        enhanced = magnitudes(output[0].double().numpy(), *resolution, 1e-4)
        terms.append(np.sqrt(np.mean((enhanced - 0.01) ** 2)) / 0.01 + np.mean(np.log(enhanced / 0.01)))
    assert value(output, silent, wave_weight=0.0, power_floor=1e-4) == pytest.approx([np.mean(terms)], rel=1e-4)

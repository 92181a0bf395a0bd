"""The losses of Braun and Tashev (arXiv 2009.12286) against the paper's equations in NumPy, packages and arithmetic."""

from __future__ import annotations

import cmath
import dataclasses
import math
from typing import Any

import auraloss
import numpy as np
import pytest
import torch
from braun_reference import REFERENCES, TRANSFORMS, Case, Complexes, make_case, power
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional.audio import signal_noise_ratio

from sebench.config.items import build
from sebench.contracts.loss import scaled
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.losses.base import Loss
from sebench.losses.compose import build_loss
from sebench.signal.stft import Stft

NAMES = list(REFERENCES)
#: The two that the package had before the paper's table: as they are printed they are not scaled.
AS_PRINTED = {name: {"scale": "none", "bins": "inner"} for name in ("mag_mse", "complex_mse")}
#: Rows of the paper's Table 2 that are mixed by (21).
MAGNITUDE_AND_COMPLEX = [
    ("mag_mse", "complex_mse"),
    ("mag_mae", "complex_mae"),
    ("mag_comp", "complex_comp"),
    ("neg_snr", "neg_sdr"),
    ("neg_mag_corr", "neg_complex_corr"),
]


def item(name: str, **params: Any) -> dict[str, Any]:
    return {"type": name, "params": {**AS_PRINTED.get(name, {}), **params}}


def loss_of(name: str, **params: Any) -> Loss:
    return build(item(name, **params), "loss")


def values(name: str, case: Case, **params: Any) -> list[float]:
    return loss_of(name, **params)(case.estimate, case.batch).tolist()


def expected(name: str, case: Case, **params: Any) -> list[float]:
    return [REFERENCES[name](utterance, **params) for utterance in case.utterances]


def with_estimate(case: Case, spectrum: Tensor, gain: Tensor | None = None) -> Case:
    """The same batch with another estimate; `utterances` keep the old one."""
    return dataclasses.replace(case, estimate=Estimate(case.batch, case.estimate.stft, spectrum=spectrum, gain=gain))


def times_target(case: Case, factor: complex) -> Case:
    """An estimate that is the target times a complex number."""
    return with_estimate(case, factor * case.batch.spectrum("clean", case.estimate.stft))


@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_is_the_equation(name: str, transform: tuple[int, int, int]) -> None:
    case = make_case(transform)
    assert values(name, case) == pytest.approx(expected(name, case), rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_all_bins_include_the_first_and_the_last(name: str) -> None:
    case = make_case(TRANSFORMS[1], bins="all")
    assert values(name, case, bins="all") == pytest.approx(expected(name, case), rel=1e-4)


# A floor of 0.3 lies above a good part of the bins; that of the phase-aware ones is left out, because the equation
# does not say what a phase is below the floor.
PARAMS = [
    ("lsd", {"floor": 0.3}),
    *((name, {"gamma": gamma}) for name in ("wlsd", "wplsd") for gamma in (0.0, 0.5)),
    *((name, {"power": 1.0}) for name in ("wlsd", "wplsd")),
    *((name, {"weight_from": "estimate"}) for name in ("wlsd", "wplsd")),
    ("wlsd", {"floor": 0.3}),
    *((name, {"error": "absolute"}) for name in ("lsd", "plsd", "wlsd", "wplsd")),
    *((name, {"exponent": c}) for name in ("mag_comp", "complex_comp") for c in (0.5, 1.0)),
    *((name, {"floor": 0.3}) for name in ("mag_comp", "complex_comp")),
    *(("sdw", {"weight": weight}) for weight in (0.0, 0.3, 1.0)),
    *(
        (name, params)
        for name in ("mag_mse_amr", "complex_mse_amr")
        for params in ({"order": 8}, {"gamma1": 0.8}, {"gamma2": 0.3}, {"correction": 0.01})
    ),
]


@pytest.mark.parametrize(("name", "params"), PARAMS, ids=str)
def test_parameters_are_those_of_the_equation(name: str, params: dict[str, Any]) -> None:
    case = make_case()
    wanted = expected(name, case, **params)
    assert wanted != pytest.approx(expected(name, case), rel=1e-3)
    assert values(name, case, **params) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(("compressed", "plain"), [("mag_comp", "mag_mse"), ("complex_comp", "complex_mse")])
def test_exponent_one_is_no_compression(compressed: str, plain: str) -> None:
    assert values(compressed, make_case(), exponent=1.0) == pytest.approx(values(plain, make_case()), rel=1e-5)


@pytest.mark.parametrize(("weighted", "plain"), [("wlsd", "lsd"), ("wplsd", "plsd")])
def test_power_zero_is_no_weight(weighted: str, plain: str) -> None:
    assert values(weighted, make_case(), power=0.0) == pytest.approx(values(plain, make_case()), rel=1e-5)


@pytest.mark.parametrize(("weighted", "plain"), [("mag_mse_amr", "mag_mse"), ("complex_mse_amr", "complex_mse")])
def test_equal_gammas_are_no_weight(weighted: str, plain: str) -> None:
    assert values(weighted, make_case(), gamma1=0.6) == pytest.approx(values(plain, make_case()), rel=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("magnitude", "complex_"), MAGNITUDE_AND_COMPLEX)
def test_beta_mixes_a_row_of_the_table(magnitude: str, complex_: str, beta: float) -> None:
    case = make_case()
    weights = {magnitude: 1 - beta, complex_: beta}
    loss = build_loss({"sum": [{"weight": w, "loss": {"item": item(name)}} for name, w in weights.items()]})
    wanted = [
        (1 - beta) * a + beta * b for a, b in zip(expected(magnitude, case), expected(complex_, case), strict=True)
    ]
    assert loss(case.estimate, case.batch).tolist() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("name", ["wlsd", "wplsd"])
def test_no_gradient_flows_through_the_weight(name: str) -> None:
    case = make_case(lengths=(3500,))
    (utterance,) = case.utterances
    clean, noisy = (torch.from_numpy(x.T) for x in (utterance.clean, utterance.noisy))
    leaf = case.estimate.spectrum.clone().requires_grad_()
    loss_of(name, weight_from="estimate")(with_estimate(case, leaf).estimate, case.batch).sum().backward()
    other = leaf.detach().to(torch.complex128).requires_grad_()
    inner = other[0, 1:-1]
    weight = (inner.detach() + 0.1 * noisy).abs() ** 0.3
    factor = 2 - torch.cos(inner.angle() - clean.angle()) if name == "wplsd" else 1.0
    (weight * (inner.abs().log10() - clean.abs().log10()) ** 2 * factor).mean().backward()
    assert leaf.grad is not None
    assert other.grad is not None
    difference = (leaf.grad - other.grad).abs()
    assert difference.max().item() < 1e-3 * other.grad.abs().max().item()


def test_floor_of_the_ratios_bounds_them() -> None:
    """Without an error the value is the floor's, about -10 for 1e-10; which mean the noisy power is does not matter."""
    case = times_target(make_case(), 1.0)
    for floor in (1e-10, 1e-2):
        added = [floor * power(u.noisy) for u in case.utterances]
        wanted = [-math.log10((power(u.clean) + a) / a) for u, a in zip(case.utterances, added, strict=True)]
        for name in ("neg_snr", "neg_sdr"):
            assert values(name, case, floor=floor) == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize(("ratio", "error"), [("neg_snr", "mag_mse"), ("neg_sdr", "complex_mse")])
def test_ratios_are_logarithms_of_normalised_errors(ratio: str, error: str) -> None:
    case = make_case()
    errors = [10**v * power(u.clean) for v, u in zip(values(ratio, case), case.utterances, strict=True)]
    assert values(error, case) == pytest.approx(errors, rel=1e-4)


# Packages: what they call samples are here the bins of the reference's own STFT.


def inner_bins(case: Case) -> list[tuple[Tensor, Tensor]]:
    """Real and imaginary parts of estimate and target, each flat, by utterance."""

    def flat(x: Complexes) -> Tensor:
        return torch.from_numpy(np.stack([x.real, x.imag])).flatten()

    return [(flat(u.estimate), flat(u.clean)) for u in case.utterances]


def magnitudes(case: Case) -> list[tuple[Tensor, Tensor]]:
    """Magnitudes of estimate and target, each flat, by utterance."""

    def flat(x: Complexes) -> Tensor:
        return torch.from_numpy(np.abs(x)).flatten()

    return [(flat(u.estimate), flat(u.clean)) for u in case.utterances]


@pytest.mark.parametrize(("name", "parts"), [("neg_snr", magnitudes), ("neg_sdr", inner_bins)])
def test_ratios_are_those_of_torchmetrics_and_auraloss(name: str, parts: Any) -> None:
    """Theirs are in dB."""
    pairs = parts(make_case())
    theirs = [-signal_noise_ratio(a, b).item() / 10 for a, b in pairs]
    assert values(name, make_case()) == pytest.approx(theirs, rel=1e-4)
    theirs = [auraloss.time.SNRLoss(zero_mean=False)(a, b).item() / 10 for a, b in pairs]
    assert values(name, make_case()) == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize(("name", "parts"), [("neg_mag_corr", magnitudes), ("neg_complex_corr", inner_bins)])
def test_correlations_are_those_of_torch(name: str, parts: Any) -> None:
    """(15) is the square of a cosine, (16) a cosine."""
    cosines = [torch.cosine_similarity(a, b, dim=0).item() for a, b in parts(make_case())]
    wanted = [-(cosine**2) if name == "neg_mag_corr" else -cosine for cosine in cosines]
    assert values(name, make_case()) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "log", "distance", "unit"),
    [
        ("mag_mse", False, "L2", 1.0),
        ("mag_mae", False, "L1", 1.0),
        ("lsd", True, "L2", math.log(10) ** 2),
    ],
)
def test_magnitude_distances_are_those_of_auraloss(name: str, log: bool, distance: str, unit: float) -> None:
    theirs = auraloss.freq.STFTMagnitudeLoss(log=log, distance=distance)
    wanted = [theirs(a, b).item() / unit for a, b in magnitudes(make_case())]
    assert values(name, make_case()) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("bins", ["inner", "all"])
def test_sdr_of_a_spectrum_is_that_of_the_signal(bins: str) -> None:
    """Parseval: squared sqrt-Hann windows add up to one, and these signals have nothing at 0 and 8 kHz."""
    rng = np.random.default_rng(0)
    seconds = np.arange(8000) / 16000
    hertz = np.fft.rfftfreq(8000, 1 / 16000)
    spectra = np.where((hertz > 500) & (hertz < 7500), np.fft.rfft(rng.standard_normal((2, 8000))), 0)
    clean, noise = torch.from_numpy(np.fft.irfft(spectra) * np.sin(2 * np.pi * seconds) ** 2).float()[:, None]
    output = 0.9 * clean + 0.2 * noise
    batch = Batch(clean + noise, clean)
    value = loss_of("neg_sdr", bins=bins)(Estimate(batch, Stft(512, 256), waveform=output), batch)
    assert 10 * value.item() == pytest.approx(-signal_noise_ratio(output, clean).item(), abs=0.01)


# Levels and scales.

LEVEL_EXPONENTS = {
    **dict.fromkeys(("mag_mse", "complex_mse", "sdw", "mag_mse_amr", "complex_mse_amr"), 2.0),
    **dict.fromkeys(("mag_mae", "complex_mae"), 1.0),
    **dict.fromkeys(("mag_comp", "complex_comp"), 0.6),
    **dict.fromkeys(("wlsd", "wplsd"), 0.3),
    **dict.fromkeys(("lsd", "plsd", "neg_snr", "neg_sdr", "neg_mag_corr", "neg_complex_corr"), 0.0),
}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(decibels=st.floats(-30, 30))
def test_level_of_all_signals(name: str, decibels: float) -> None:
    case, k = make_case(), 10 ** (decibels / 20)
    batch = scaled(case.batch, k)
    estimate = Estimate(batch, case.estimate.stft, spectrum=k * case.estimate.spectrum, gain=case.estimate.gain)
    wanted = [k ** LEVEL_EXPONENTS[name] * value for value in values(name, case)]
    assert loss_of(name)(estimate, batch).tolist() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(("name", "exponent"), [("mag_comp", 0.5), ("complex_comp", 1.0)])
def test_level_of_compressed_errors_follows_the_exponent(name: str, exponent: float) -> None:
    case = make_case()
    batch = scaled(case.batch, 0.1)
    estimate = Estimate(batch, case.estimate.stft, spectrum=0.1 * case.estimate.spectrum)
    wanted = [0.1 ** (2 * exponent) * value for value in values(name, case, exponent=exponent)]
    assert loss_of(name, exponent=exponent)(estimate, batch).tolist() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("name", ["neg_mag_corr", "neg_complex_corr"])
@settings(max_examples=8, deadline=None)
@given(decibels=st.floats(-30, 30))
def test_scale_of_the_estimate_does_not_correlate(name: str, decibels: float) -> None:
    case = make_case()
    louder = with_estimate(case, 10 ** (decibels / 20) * case.estimate.spectrum)
    assert values(name, louder) == pytest.approx(values(name, case), rel=1e-4)


# Closed forms.


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("neg_snr", "neg_sdr")])
def test_value_of_a_perfect_estimate(name: str) -> None:
    """0, or -1 for correlations; (13) and (14) have no least value but their floor, and (17) is best without noise."""
    case = make_case()
    stft = case.estimate.stft
    clean = case.batch.signal("clean")
    batch = Batch(clean, clean, clean, torch.zeros_like(clean), case.batch.lengths)
    spectrum = batch.spectrum("clean", stft)
    value = loss_of(name)(Estimate(batch, stft, spectrum=spectrum, gain=torch.ones_like(spectrum.real)), batch)
    assert value.tolist() == pytest.approx([-1.0 if "corr" in name else 0.0] * 2, abs=1e-5)


@pytest.mark.parametrize("factor", [0.5, -0.5, 0.5j, -1.0, 1j, 2 * cmath.exp(1j * math.pi / 3)], ids=str)
def test_closed_forms_of_a_target_times_a_number(factor: complex) -> None:
    """A factor of -0.5 has the opposite phase and another magnitude: PLSD is 3 LSD; of 0.5: equal to LSD."""
    case = times_target(make_case(), factor)
    magnitude, cosine = abs(factor), factor.real / abs(factor)
    log = math.log10(magnitude) ** 2
    phasor = factor / magnitude
    closed = {
        "lsd": log,
        "plsd": log * (2 - cosine),
        "neg_sdr": 2 * math.log10(abs(1 - factor)),
        "neg_mag_corr": -1.0,
        "neg_complex_corr": -cosine,
    }
    if magnitude != 1:
        closed["neg_snr"] = 2 * math.log10(abs(1 - magnitude))
    for name, wanted in closed.items():
        assert values(name, case) == pytest.approx([wanted] * 2, rel=1e-4, abs=1e-5), name
    for i, u in enumerate(case.utterances):
        squared, compressed = power(u.clean), float(np.mean(np.abs(u.clean) ** 0.6))
        errors = {
            "mag_mse": (1 - magnitude) ** 2 * squared,
            "complex_mse": abs(1 - factor) ** 2 * squared,
            "mag_comp": (1 - magnitude**0.3) ** 2 * compressed,
            "complex_comp": abs(1 - magnitude**0.3 * phasor) ** 2 * compressed,
        }
        for name, wanted in errors.items():
            assert values(name, case)[i] == pytest.approx(wanted, rel=1e-4, abs=1e-6 * squared), name


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_bounds_whatever_the_estimate(seed: int) -> None:
    case = make_case()
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(case.estimate.spectrum.shape, dtype=torch.complex64, generator=generator)
    random = with_estimate(case, noise)
    pairs = {"lsd": "plsd", "wlsd": "wplsd"}
    for magnitude, phase_aware in pairs.items():
        for least, value in zip(values(magnitude, random), values(phase_aware, random), strict=True):
            assert least * (1 - 1e-5) <= value <= 3 * least * (1 + 1e-5)
    assert all(-1 - 1e-5 <= value <= 0 for value in values("neg_mag_corr", random))
    assert all(abs(value) <= 1 + 1e-5 for value in values("neg_complex_corr", random))


def test_silent_target_lies_at_the_floor() -> None:
    """Of (7): all of the target's magnitudes are the floor, 1e-4 of what noise of the input's level would have."""
    case = make_case()
    batch = dataclasses.replace(case.batch, clean=torch.zeros_like(case.batch.noisy))
    estimate = Estimate(batch, case.estimate.stft, spectrum=case.estimate.spectrum)
    silent = [dataclasses.replace(u, clean=np.full_like(u.clean, 1e-4 * u.level)) for u in case.utterances]
    wanted = [REFERENCES["lsd"](u) for u in silent]
    assert loss_of("lsd")(estimate, batch).tolist() == pytest.approx(wanted, rel=1e-4)


# The weighting of the AMR codec.


@pytest.mark.parametrize("name", ["mag_mse_amr", "complex_mse_amr"])
def test_weight_of_order_one_is_that_of_the_first_two_lags(name: str) -> None:
    """A(z) = 1 - a/z with a = r(1) / (1.01 r(0)), written out."""
    case = make_case()
    for i, u in enumerate(case.utterances):
        lags = [np.sum(u.frames[:, k:] * u.frames[:, : u.frames.shape[1] - k], axis=1) for k in (0, 1)]
        a = (lags[1] / (1.01 * lags[0]))[:, None]
        response = (1 - 0.9 * a * np.exp(-1j * u.omega)) / (1 - 0.5 * a * np.exp(-1j * u.omega))
        error = u.estimate - u.clean if name == "complex_mse_amr" else np.abs(u.estimate) - np.abs(u.clean)
        value = values(name, case, order=1, gamma1=0.9, gamma2=0.5, correction=0.01)[i]
        assert value == pytest.approx(power(response * error), rel=1e-4)


def test_weight_forgives_errors_under_the_speech() -> None:
    """The speech lies below 5 kHz: an error of one size weighs less at 300 Hz than at 7 kHz."""
    case = make_case()
    weighed = {}
    for hertz in (300, 7000):
        spectrum = case.batch.spectrum("clean", case.estimate.stft).clone()
        spectrum[:, round(hertz * 512 / 16000)] += 0.1
        weighed[hertz] = values("complex_mse_amr", with_estimate(case, spectrum))
    assert all(low < 0.5 * high for low, high in zip(weighed[300], weighed[7000], strict=True))


@pytest.mark.parametrize(("weighted", "plain"), [("mag_mse_amr", "mag_mse"), ("complex_mse_amr", "complex_mse")])
def test_silence_has_no_envelope_to_weigh_with(weighted: str, plain: str) -> None:
    """Nothing to predict: A = 1, and H with it."""
    case = make_case()
    batch = dataclasses.replace(case.batch, clean=torch.zeros_like(case.batch.noisy))
    silent = Case(batch, Estimate(batch, case.estimate.stft, spectrum=case.estimate.spectrum), [])
    assert values(weighted, silent) == pytest.approx(values(plain, silent), rel=1e-5)

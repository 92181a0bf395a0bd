"""Losses against other packages, against NumPy written apart, and against arithmetic."""

from __future__ import annotations

import auraloss
import numpy as np
import pytest
import torch
from torchmetrics.functional.audio import scale_invariant_signal_noise_ratio

from sebench.contracts.loss import STFT, make_batch
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.losses.base import Loss
from sebench.losses.component import ComponentClean, ComponentNoise
from sebench.losses.compose import WeightedSum, build_loss
from sebench.losses.si_snr import NegSiSnr
from sebench.losses.spectral import ComplexMse, MagnitudeMse


def estimate_of(batch: Batch, gain: float = 0.7) -> Estimate:
    """A constant gain."""
    return Estimate(batch, STFT, gain=torch.full_like(batch.magnitude("noisy", STFT), gain))


def numpy_spectrum(signal: np.ndarray, window_length: int = 256, hop: int = 128) -> np.ndarray:
    """STFT in float64 with explicit frames; returns `(frames, bins)`."""
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / window_length))
    frames = -(-len(signal) // hop) + window_length // hop - 1
    padded = np.zeros((frames - 1) * hop + window_length)
    padded[window_length - hop : window_length - hop + len(signal)] = signal
    return np.stack([np.fft.rfft(window * padded[t * hop : t * hop + window_length]) for t in range(frames)])


def test_si_snr_is_that_of_torchmetrics() -> None:
    batch = make_batch()
    output = 0.5 * batch.signal("clean") + 0.2 * batch.signal("noise") + 0.01
    ours = -NegSiSnr()(Estimate(batch, waveform=output), batch)
    torch.testing.assert_close(ours, scale_invariant_signal_noise_ratio(output, batch.clean), rtol=0, atol=1e-3)


def test_si_snr_is_that_of_auraloss() -> None:
    batch = make_batch()
    output = 0.5 * batch.signal("clean") + 0.2 * batch.signal("noise") + 0.01
    theirs = auraloss.time.SISDRLoss(zero_mean=True, reduction="mean")(output[:, None], batch.clean[:, None])
    torch.testing.assert_close(NegSiSnr()(Estimate(batch, waveform=output), batch).mean(), theirs, rtol=0, atol=1e-2)


def test_si_snr_of_orthogonal_error_is_the_ratio_of_powers() -> None:
    time = torch.arange(16000) / 16000
    target, error = torch.sin(2 * torch.pi * 100 * time), torch.cos(2 * torch.pi * 100 * time)
    batch = Batch(target[None], target[None])
    value = NegSiSnr()(Estimate(batch, waveform=(target + 0.1 * error)[None]), batch)
    assert value.item() == pytest.approx(-20.0, abs=1e-3)


@pytest.mark.parametrize("lengths", [(4000, 4000), (4000, 2700)])
def test_spectral_errors_are_those_of_numpy(lengths: tuple[int, int]) -> None:
    batch = make_batch(2)
    batch.lengths = torch.tensor(lengths)
    output = 0.8 * batch.signal("clean") + 0.3 * batch.signal("noise")
    estimate = Estimate(batch, STFT, waveform=output)
    magnitude, complex_ = MagnitudeMse()(estimate, batch), ComplexMse()(estimate, batch)
    for i, length in enumerate(lengths):
        clean = batch.signal("clean")[i, :length].double().numpy()
        a, b = numpy_spectrum(output[i, :length].double().numpy()), numpy_spectrum(clean)
        power = np.mean(clean**2)
        assert magnitude[i].item() == pytest.approx(np.mean((abs(a) - abs(b)) ** 2) / power, rel=1e-4)
        assert complex_[i].item() == pytest.approx(np.mean(abs(a - b) ** 2) / power, rel=1e-4)


def test_own_transform_and_no_scale() -> None:
    batch = make_batch(1)
    output = batch.signal("clean") + 0.3 * batch.signal("noise")
    value = MagnitudeMse(scale="none", window_length=512, hop=128)(Estimate(batch, waveform=output), batch)
    a, b = (numpy_spectrum(s[0].double().numpy(), 512, 128) for s in (output, batch.signal("clean")))
    assert value.item() == pytest.approx(np.mean((abs(a) - abs(b)) ** 2), rel=1e-4)


def test_gain_view_and_waveform_agree_on_magnitudes() -> None:
    batch = make_batch()
    waveform = Estimate(batch, STFT, waveform=0.7 * batch.noisy)
    torch.testing.assert_close(MagnitudeMse()(estimate_of(batch), batch), MagnitudeMse()(waveform, batch))


@pytest.mark.parametrize("weight", [0.4, 0.7, 1.0])
@pytest.mark.parametrize(("loss", "on_speech"), [(ComponentClean, False), (ComponentNoise, True)])
def test_component_losses_of_a_constant_gain(loss: type[Loss], on_speech: bool, weight: float) -> None:
    batch = make_batch(2)
    value = loss(weight=weight)(estimate_of(batch, 0.7), batch)
    for i in range(2):
        speech, noise = (getattr(batch, name)[i].double().numpy() for name in ("speech", "noise"))
        kept = np.mean(abs(0.3 * numpy_spectrum(speech)) ** 2) * (weight if on_speech else 1.0)
        left = np.mean(abs(0.7 * numpy_spectrum(noise)) ** 2) * (1.0 if on_speech else weight)
        assert value[i].item() == pytest.approx((kept + left) / np.mean(speech**2), rel=1e-4)


@pytest.mark.parametrize("form", ["component", "asymmetric"])
def test_component_losses_pull_the_gain_where_their_names_say(form: str) -> None:
    batch = make_batch()

    def best(loss: Loss) -> float:
        gains = torch.linspace(0, 1, 101).tolist()
        return min(gains, key=lambda gain: loss(estimate_of(batch, gain), batch).mean().item())

    l_c, balanced, l_n = (
        ComponentClean(weight=0.4, form=form),
        ComponentClean(weight=1.0, form=form),
        ComponentNoise(weight=0.4, form=form),
    )
    assert best(l_c) > best(balanced) > best(l_n)


def test_asymmetric_form_at_weight_one_is_the_magnitude_error() -> None:
    batch = make_batch()
    loss = ComponentNoise(weight=1.0, form="asymmetric")
    torch.testing.assert_close(loss(estimate_of(batch), batch), MagnitudeMse()(estimate_of(batch), batch))


def test_both_component_losses_are_equal_at_weight_one() -> None:
    batch = make_batch()
    one, other = ComponentClean(weight=1.0), ComponentNoise(weight=1.0)
    torch.testing.assert_close(one(estimate_of(batch), batch), other(estimate_of(batch), batch))


def test_weighted_sum_and_its_terms() -> None:
    si_snr, mse = ({"item": {"type": name, "params": {}}} for name in ("neg_si_snr", "complex_mse"))
    inner = {"sum": [{"weight": 0.02, "loss": mse}, {"weight": 3.0, "loss": mse}]}
    loss = build_loss({"sum": [{"weight": 1.0, "loss": si_snr}, {"weight": 2.0, "loss": inner}]})
    assert isinstance(loss, WeightedSum)
    assert (loss.needs_views, loss.needs_signals) == (("spectrum", "waveform"), ("clean", "noisy"))
    assert (loss.phase_blind, loss.optimum, loss.invariances) == (False, "target", ("level",))
    batch = make_batch()
    estimate = estimate_of(batch)
    terms = loss.terms(estimate, batch)
    assert list(terms) == ["neg_si_snr", "complex_mse", "complex_mse_2"]
    total = terms["neg_si_snr"] + 2 * (0.02 + 3.0) * terms["complex_mse"]
    torch.testing.assert_close(loss(estimate, batch), total)


def test_the_mse_term_of_the_published_sum_matters() -> None:
    """0.02 x MSE must be neither nothing nor everything beside SI-SNR in dB (FACTS A.5: about 0.5)."""
    batch = make_batch()
    value = 0.02 * ComplexMse()(estimate_of(batch), batch)
    assert bool(((value > 0.05) & (value < 5.0)).all())


def test_a_phase_blind_sum_is_phase_blind() -> None:
    assert WeightedSum([(1.0, MagnitudeMse()), (1.0, ComponentClean())]).phase_blind


def test_what_is_not_there_is_refused_by_name() -> None:
    batch = make_batch()
    with pytest.raises(ValueError, match="no view 'gain'; it gives waveform"):
        _ = Estimate(batch, waveform=batch.noisy).gain
    with pytest.raises(ValueError, match="no signal 'noise'"):
        Batch(batch.noisy).signal("noise")
    with pytest.raises(ValueError, match="sum"):
        build_loss({"sum": []})
    with pytest.raises(ValueError, match="window_length"):
        MagnitudeMse(hop=64)

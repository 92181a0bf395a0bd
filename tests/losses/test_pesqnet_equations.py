"""Equations (5) to (9) of PESQNet (arXiv 2111.03847), written apart in NumPy with all K = 512 bins of the DFT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sebench.config.load import load_config
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.losses.base import Loss
from sebench.losses.compose import build_loss
from sebench.losses.predicted import PredictedScore
from sebench.losses.two_sided import TwoSidedMse
from sebench.plan.resolve import resolve_loss
from sebench.predictors.pesqnet import PesqNet
from sebench.signal.stft import Stft

CONFIG = load_config(Path(__file__).parents[2] / "config")
STFT = Stft(384, 192, 512, "hann")
K = 512
LENGTHS = (3000, 1700)

Signal = NDArray[np.float64]


def dft(signal: Signal) -> NDArray[np.complex128]:
    """`(K, frames)`: frames of 384 samples every 192, periodic Hann, zeros outside the signal, all K bins."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(384) / 384)
    count = -(-len(signal) // 192) + 1
    padded = np.concatenate([np.zeros(192), signal, np.zeros(192 * count + 192)])
    return np.stack([np.fft.fft(padded[192 * t : 192 * t + 384] * window, K) for t in range(count)], axis=1)


def j_5(estimate: NDArray[np.complex128], target: NDArray[np.complex128]) -> float:
    """(5), and with the reverberant target (6): sum over k = 0 .. K - 1 and all frames, divided by their number."""
    total = sum(abs(estimate[k, t] - target[k, t]) ** 2 for k in range(K) for t in range(estimate.shape[1]))
    return float(total / (K * estimate.shape[1]))


@pytest.fixture
def batch() -> Batch:
    random = torch.Generator().manual_seed(3)
    clean = 0.1 * torch.randn(2, 3000, generator=random)
    speech = clean + 0.05 * torch.randn(2, 3000, generator=random)
    noise = 0.1 * torch.randn(2, 3000, generator=random)
    return Batch(speech + noise, clean, speech, noise, torch.tensor(LENGTHS))


@pytest.fixture
def predictor() -> PesqNet:
    torch.manual_seed(1)
    network = PesqNet(channels=2, kernels=4, hidden=4, dense=(4,))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2.0)
    return network.eval()


def estimated(batch: Batch) -> Estimate:
    """A mask of complex numbers on the noisy spectrum, as FCRN gives it."""
    random = torch.Generator().manual_seed(4)
    shape = (2, STFT.bins, STFT.frames(batch.samples))
    mask = torch.complex(*(torch.randn(shape, generator=random) for _ in range(2)))
    mask[:, [0, -1]] = mask[:, [0, -1]].real + 0j  # which the spectrum of a real signal has there
    return Estimate(batch, STFT, mask=mask.requires_grad_())


def spectra(batch: Batch, estimate: Estimate, i: int) -> dict[str, NDArray[np.complex128]]:
    """S^, S and S^rev of an utterance, two-sided."""
    length = LENGTHS[i]
    signals = {name: getattr(batch, name)[i, :length].double().numpy() for name in ("noisy", "clean", "speech")}
    found = {name: dft(signal) for name, signal in signals.items()}
    half = estimate.mask[i].detach().numpy().astype(np.complex128)[:, : found["noisy"].shape[1]]
    mask = np.concatenate([half, half[1:-1][::-1].conj()])
    assert mask.shape[0] == K
    return {**found, "estimate": mask * found["noisy"]}


def loss_of(name: str) -> Loss:
    """As the shipped configuration has it."""
    return build_loss(resolve_loss(CONFIG, name).tree)


@pytest.mark.parametrize(("name", "target"), [("pesqnet_joint", "clean"), ("pesqnet_noise", "speech")])
def test_equations_5_and_6(name: str, target: str, batch: Batch) -> None:
    estimate = estimated(batch)
    found = loss_of(name)(estimate, batch)
    for i in range(2):
        each = spectra(batch, estimate, i)
        assert found[i].item() == pytest.approx(j_5(each["estimate"], each[target]), rel=1e-4)


def test_equation_7_with_beta_09(batch: Batch) -> None:
    estimate = estimated(batch)
    found = loss_of("pesqnet_mse")(estimate, batch)
    for i in range(2):
        each = spectra(batch, estimate, i)
        joint, noise = (j_5(each["estimate"], each[target]) for target in ("clean", "speech"))
        assert found[i].item() == pytest.approx(0.9 * joint + 0.1 * noise, rel=1e-4)


@pytest.mark.parametrize("n_fft", [9, 10])
def test_each_bin_counts_as_often_as_the_two_sided_spectrum_has_it(n_fft: int) -> None:
    """Parseval: over all bins of frames that nothing is masked in, the mean is that of the windowed samples."""
    stft = Stft(8, 4, n_fft, "hann")
    random = np.random.default_rng(0)
    estimate, clean = random.standard_normal((2, 1, 40)).astype(np.float32)
    batch = Batch(torch.from_numpy(clean), torch.from_numpy(clean))
    found = TwoSidedMse()(Estimate(batch, stft, waveform=torch.from_numpy(estimate)), batch)
    error = np.concatenate([np.zeros(4), (estimate - clean)[0], np.zeros(4)]).astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(8) / 8)
    frames = np.stack([error[4 * t : 4 * t + 8] * window for t in range(11)])
    assert found.item() == pytest.approx((frames**2).sum(1).mean(), rel=1e-4)


@pytest.mark.parametrize(("level", "divisor"), [(1.0, 1.0), (0.01, 0.3)])
def test_scale_by_the_targets_rms(level: float, divisor: float, batch: Batch) -> None:
    """Estimate and target divided by the target's RMS; by 0.3 of the noisy signal's where that is larger."""
    quiet = Batch(batch.noisy, level * batch.signal("clean"), lengths=batch.lengths)
    estimate = estimated(batch)
    found = TwoSidedMse(scale="target_rms", floor=0.3)(estimate, quiet)
    for i, length in enumerate(LENGTHS):
        clean, noisy = (getattr(quiet, name)[i, :length].double().numpy() for name in ("clean", "noisy"))
        rms = np.sqrt((clean**2).mean()) if divisor == 1.0 else divisor * np.sqrt((noisy**2).mean())
        target = dft(clean)
        expected = j_5(spectra(batch, estimate, i)["estimate"] / rms, target / rms)
        assert found[i].item() == pytest.approx(expected, rel=1e-4)


def predicted(predictor: PesqNet, batch: Batch, estimate: Estimate, i: int) -> float:
    """P^ of an utterance, alone."""
    magnitude = np.abs(spectra(batch, estimate, i)["estimate"])[: K // 2 + 1]
    frames = torch.tensor([magnitude.shape[1]])
    return float(predictor(torch.from_numpy(magnitude.astype(np.float32))[None], frames).item())


def test_equation_8(batch: Batch, predictor: PesqNet) -> None:
    estimate = estimated(batch)
    loss = loss_of("pesqnet_predicted")
    assert isinstance(loss, PredictedScore)
    loss.attach({"predictor": predictor})
    found = loss(estimate, batch)
    for i in range(2):
        assert found[i].item() == pytest.approx((predicted(predictor, batch, estimate, i) - 4.64) ** 2, rel=1e-3)
    assert found[0].item() != pytest.approx(found[1].item(), rel=1e-3)


@pytest.mark.parametrize(("name", "alpha"), [("pesqnet_predicted", 0.0), ("pesqnet_half", 0.5), ("pesqnet_mse", 1.0)])
def test_equation_9(name: str, alpha: float, batch: Batch, predictor: PesqNet) -> None:
    estimate = estimated(batch)
    loss = loss_of(name)
    loss.attach({"predictor": predictor})
    found = loss(estimate, batch)
    for i in range(2):
        each = spectra(batch, estimate, i)
        mse = 0.9 * j_5(each["estimate"], each["clean"]) + 0.1 * j_5(each["estimate"], each["speech"])
        score = (predicted(predictor, batch, estimate, i) - 4.64) ** 2
        assert found[i].item() == pytest.approx(alpha * mse + (1 - alpha) * score, rel=1e-3)


def test_gradients_pass_through_the_predictor_and_leave_none_in_it(batch: Batch, predictor: PesqNet) -> None:
    """A small step against the gradient of (8) brings the predicted score nearer to 4.64."""
    predictor.requires_grad_(False)
    loss = loss_of("pesqnet_predicted")
    loss.attach({"predictor": predictor})
    estimate = estimated(batch)
    before = loss(estimate, batch).sum()
    (gradient,) = torch.autograd.grad(before, estimate._given["mask"])
    step = 0.01 * gradient / gradient.abs().max()
    after = loss(Estimate(batch, STFT, mask=estimate.mask.detach() - step), batch).sum()
    assert after < before
    assert not any(name.startswith("predictor") for name in loss.state_dict())
    assert all(parameter.grad is None for parameter in predictor.parameters())


def test_a_loss_whose_predictor_is_not_there_says_so(batch: Batch) -> None:
    loss = loss_of("pesqnet_half")
    with pytest.raises(ValueError, match="'predicted_score' uses predictor: attach it first"):
        loss(estimated(batch), batch)
    with pytest.raises(ValueError, match="uses predictor, which is not there"):
        loss.attach({})

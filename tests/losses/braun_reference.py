"""Equations (3) to (20) of Braun and Tashev (arXiv 2009.12286) in float64 NumPy, one utterance at a time.

Written from the paper alone: own framing, normal equations solved by SciPy. Every reference takes an utterance, whose
spectra are `(frames, bins)` arrays without padding, and parameters by name; it returns the value of the loss.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal import freqz

from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.signal.stft import Stft

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]

#: (window_length, hop, n_fft): that of the paper, and one with more overlap and zeros after each frame
TRANSFORMS = [(512, 256, 512), (256, 64, 320)]
LENGTHS = (6000, 3500)


def window_of(length: int) -> Reals:
    """Periodic sqrt-Hann."""
    return np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length))


def framed(signal: Reals, window_length: int, hop: int) -> Reals:
    """Windowed frames, zeros before and after the signal; returns `(frames, window_length)`."""
    count = -(-len(signal) // hop) + window_length // hop - 1
    padded = np.zeros((count - 1) * hop + window_length)
    padded[window_length - hop : window_length - hop + len(signal)] = signal
    return np.stack([window_of(window_length) * padded[t * hop : t * hop + window_length] for t in range(count)])


@dataclasses.dataclass(frozen=True)
class Utterance:
    """What the references see.

    `frames` is the windowed clean signal, `level` the magnitude that noise at the RMS of the input has in a bin, and
    `omega` the angular frequencies of the bins.
    """

    clean: Complexes
    noisy: Complexes
    speech: Complexes
    noise: Complexes
    estimate: Complexes
    gain: Reals
    frames: Reals
    level: float
    omega: Reals


@dataclasses.dataclass(frozen=True)
class Case:
    """A batch with an estimate, and the same as utterances."""

    batch: Batch
    estimate: Estimate
    utterances: list[Utterance]


def signals(length: int, pitch: float, rng: np.random.Generator) -> dict[str, Reals]:
    """Voiced bursts with breath noise between them, in noise; `speech` is `clean` with an echo."""
    seconds = np.arange(length) / 16000
    voiced = sum(np.sin(2 * np.pi * k * pitch * seconds + k * k) / k for k in range(1, 40))
    bursts = np.clip(0.2 + np.sin(2 * np.pi * 6 * seconds), 0.0, None)
    clean = 0.05 * (voiced * bursts + 0.03 * rng.standard_normal(length))
    speech = clean + 0.4 * np.concatenate([np.zeros(37), clean[:-37]])
    noise = 0.03 * rng.standard_normal(length)
    return {"noisy": speech + noise, "clean": clean, "speech": speech, "noise": noise}


@functools.cache
def make_case(
    transform: tuple[int, int, int] = TRANSFORMS[0], lengths: tuple[int, ...] = LENGTHS, bins: str = "inner"
) -> Case:
    """Utterances of unequal length, and an estimate of other magnitudes and phases than the target.

    The estimate's spectrum is that of no signal: a loss that analyses its waveform again differs from the references.
    The frames beyond an utterance's length hold large values. No bin lies under a floor of 1e-4: what a phase is there,
    no equation says.
    """
    window_length, hop, n_fft = transform
    stft = Stft(*transform)
    count = stft.frames(max(lengths))
    rows = {name: torch.zeros(len(lengths), max(lengths)) for name in ("noisy", "clean", "speech", "noise")}
    spectrum = torch.full((len(lengths), n_fft // 2 + 1, count), 5 + 3j, dtype=torch.complex64)
    gain = torch.full((len(lengths), n_fft // 2 + 1, count), 7.0)
    kept = slice(1, n_fft // 2) if bins == "inner" else slice(None)
    utterances = []
    for i, length in enumerate(lengths):
        rng = np.random.default_rng(16 + i)
        for name, signal in signals(length, 110.0 + 30.0 * i, rng).items():
            rows[name][i, :length] = torch.from_numpy(signal)
        wave = {name: row[i, :length].double().numpy() for name, row in rows.items()}
        found = {name: np.fft.rfft(framed(s, window_length, hop), n_fft) for name, s in wave.items()}
        shape = found["clean"].shape
        output = (0.8 * found["clean"] + 0.3 * found["noise"]) * np.exp(1j * rng.uniform(-1.5, 1.5, shape))
        spectrum[i, :, : shape[0]] = torch.from_numpy(output.T)
        gain[i, :, : shape[0]] = torch.from_numpy(rng.uniform(0, 1, shape).T)
        utterances.append(
            Utterance(
                **{name: s[:, kept] for name, s in found.items()},
                estimate=spectrum[i, kept, : shape[0]].numpy().T.astype(np.complex128),
                gain=gain[i, kept, : shape[0]].numpy().T.astype(np.float64),
                frames=framed(wave["clean"], window_length, hop),
                level=float(np.sqrt(np.mean(wave["noisy"] ** 2) * np.sum(window_of(window_length) ** 2))),
                omega=2 * np.pi * np.arange(n_fft // 2 + 1)[kept] / n_fft,
            )
        )
    batch = Batch(**rows, lengths=torch.tensor(lengths))
    return Case(batch, Estimate(batch, stft, spectrum=spectrum, gain=gain), utterances)


def power(x: NDArray) -> float:
    """<|x|^2>."""
    return float(np.mean(np.abs(x) ** 2))


def log_distance(u: Utterance, floor: float, error: str) -> Reals:
    """(log10 A^ - log10 A)^2, or its value without the square, bin by bin; magnitudes at least `floor * level`."""
    estimate, clean = (np.maximum(np.abs(x), floor * u.level) for x in (u.estimate, u.clean))
    return np.abs(np.log10(estimate / clean)) ** {"squared": 2, "absolute": 1}[error]


def phase_factor(u: Utterance) -> Reals:
    """2 - cos(phi_S^ - phi_S) bin by bin."""
    return 2 - np.cos(np.angle(u.estimate) - np.angle(u.clean))


def loudness_weight(u: Utterance, gamma: float, power: float, weight_from: str) -> Reals:
    """Equation (20)."""
    speech = {"target": u.clean, "estimate": u.estimate}[weight_from]
    return np.abs(speech + gamma * u.noisy) ** power


def compressed(x: Complexes, u: Utterance, exponent: float, floor: float) -> Complexes:
    """|x|^c e^{j phi} where |x| is above the floor, linear below."""
    magnitude, knee = np.abs(x), floor * u.level
    above = np.maximum(magnitude, knee) ** exponent
    below = magnitude * knee ** (exponent - 1)
    return np.where(magnitude > knee, above, below) * np.exp(1j * np.angle(x))


def perceptual_weight(u: Utterance, order: int, gamma1: float, gamma2: float, correction: float) -> Reals:
    """|H|^2 with H = A(z/gamma1) / A(z/gamma2), A from each windowed frame of the clean signal."""
    weights = []
    for frame in u.frames:
        r = np.correlate(frame, frame, "full")[len(frame) - 1 : len(frame) + order]
        r[0] *= 1 + correction
        predictor = solve_toeplitz(r[:order], r[1:])
        a, k = np.concatenate([[1.0], -predictor]), np.arange(order + 1)
        weights.append(np.abs(freqz(a * gamma1**k, a * gamma2**k, worN=u.omega)[1]) ** 2)
    return np.stack(weights)


def mag_mse(u: Utterance) -> float:
    return float(np.mean((np.abs(u.estimate) - np.abs(u.clean)) ** 2))


def complex_mse(u: Utterance) -> float:
    return power(u.estimate - u.clean)


def mag_mae(u: Utterance) -> float:
    return float(np.mean(np.abs(np.abs(u.estimate) - np.abs(u.clean))))


def complex_mae(u: Utterance) -> float:
    error = u.estimate - u.clean
    return float(np.mean(np.abs(error.real) + np.abs(error.imag)))


def lsd(u: Utterance, floor: float = 1e-4, error: str = "squared") -> float:
    return float(np.mean(log_distance(u, floor, error)))


def plsd(u: Utterance, floor: float = 1e-4, error: str = "squared") -> float:
    return float(np.mean(log_distance(u, floor, error) * phase_factor(u)))


def weighted_log_distance(
    u: Utterance,
    gamma: float = 0.1,
    power: float = 0.3,
    weight_from: str = "target",
    floor: float = 1e-4,
    error: str = "squared",
) -> Reals:
    return loudness_weight(u, gamma, power, weight_from) * log_distance(u, floor, error)


def wlsd(u: Utterance, **params: Any) -> float:
    return float(np.mean(weighted_log_distance(u, **params)))


def wplsd(u: Utterance, **params: Any) -> float:
    return float(np.mean(weighted_log_distance(u, **params) * phase_factor(u)))


def mag_comp(u: Utterance, exponent: float = 0.3, floor: float = 1e-4) -> float:
    estimate, clean = (np.abs(compressed(x, u, exponent, floor)) for x in (u.estimate, u.clean))
    return power(estimate - clean)


def complex_comp(u: Utterance, exponent: float = 0.3, floor: float = 1e-4) -> float:
    return power(compressed(u.estimate, u, exponent, floor) - compressed(u.clean, u, exponent, floor))


def neg_snr(u: Utterance, floor: float = 1e-10) -> float:
    added = floor * power(u.noisy)
    return float(-np.log10((power(u.clean) + added) / (mag_mse(u) + added)))


def neg_sdr(u: Utterance, floor: float = 1e-10) -> float:
    added = floor * power(u.noisy)
    return float(-np.log10((power(u.clean) + added) / (complex_mse(u) + added)))


def neg_mag_corr(u: Utterance) -> float:
    product = np.mean(np.abs(u.estimate) * np.abs(u.clean))
    return float(-(product**2) / (power(u.estimate) * power(u.clean)))


def neg_complex_corr(u: Utterance) -> float:
    product = np.mean(u.estimate * np.conj(u.clean)).real
    return float(-product / np.sqrt(power(u.estimate) * power(u.clean)))


def sdw(u: Utterance, weight: float = 0.6) -> float:
    return weight * power(u.speech - u.gain * u.speech) + (1 - weight) * power(u.gain * u.noise)


def mag_mse_amr(
    u: Utterance, order: int = 16, gamma1: float = 0.92, gamma2: float = 0.6, correction: float = 1e-6
) -> float:
    weight = perceptual_weight(u, order, gamma1, gamma2, correction)
    return float(np.mean(weight * (np.abs(u.estimate) - np.abs(u.clean)) ** 2))


def complex_mse_amr(
    u: Utterance, order: int = 16, gamma1: float = 0.92, gamma2: float = 0.6, correction: float = 1e-6
) -> float:
    weight = perceptual_weight(u, order, gamma1, gamma2, correction)
    return float(np.mean(weight * np.abs(u.estimate - u.clean) ** 2))


#: reference by the name of the loss, in the order of the paper's Table 1
REFERENCES: dict[str, Callable[..., float]] = {
    reference.__name__: reference
    for reference in (
        *(mag_mse, complex_mse, mag_mae, complex_mae, lsd, plsd, wlsd, wplsd, mag_comp, complex_comp),
        *(neg_snr, neg_sdr, neg_mag_corr, neg_complex_corr, sdw, mag_mse_amr, complex_mse_amr),
    )
}

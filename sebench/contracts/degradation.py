"""What every degradation must hold, built-in or from outside: plain functions, usable in tests of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from sebench.contracts.base import ContractBroken, Verdict, judged
from sebench.degradations.base import Degradation
from sebench.seeding import generator

#: Makes the same degradation once more.
Build = Callable[[], Degradation]
Check = Callable[[Build], str]

RATES = (16000, 48000)
LENGTHS = (1, 7, 400, 16017)


def speech_like(sample_rate: int, samples: int) -> NDArray[np.float32]:
    """Voiced bursts of rising pitch in noise, peak 0.5: `(samples,)`."""
    rng = generator("degradation contract", sample_rate, samples)
    time = np.arange(samples) / sample_rate
    turns = 110 * time + 40 * np.sin(time) ** 2
    voiced = sum(np.sin(2 * np.pi * n * turns + n * n) / n for n in range(1, 25))
    signal = voiced * np.maximum(0.05, np.sin(2 * np.pi * 3 * time)) + 0.05 * rng.standard_normal(samples)
    return np.asarray(0.5 * signal / max(1e-9, np.abs(signal).max()), np.float32)


def _signals() -> Iterator[tuple[int, NDArray[np.float32]]]:
    for rate in RATES:
        for samples in LENGTHS:
            yield rate, speech_like(rate, samples)


def check_shape(build: Build) -> str:
    """As many float32 samples come out as went in, all finite, at each rate and length."""
    for rate, signal in _signals():
        made = build().apply(signal, rate, generator("contract"))
        _require(made.shape == signal.shape, f"{made.shape} of {signal.shape} samples at {rate} Hz")
        _require(made.dtype == np.float32, f"samples of type {made.dtype}")
        _require(bool(np.isfinite(made).all()), f"samples of {len(signal)} at {rate} Hz that are not finite")
    return ""


def check_extremes(build: Build) -> str:
    """Silence and full-scale signals stay finite, and silence nearly silent."""
    for rate in RATES:
        silent = build().apply(np.zeros(rate, np.float32), rate, generator("contract"))
        _require(bool(np.isfinite(silent).all()), "samples of silence that are not finite")
        loudest = float(np.abs(silent).max())
        _require(loudest <= 1e-3, f"a peak of {loudest:.2g} of silence")
        square = np.where(np.arange(rate) // 40 % 2, 1.0, -1.0).astype(np.float32)
        loud = build().apply(square, rate, generator("contract"))
        _require(bool(np.isfinite(loud).all()), "samples of a full-scale signal that are not finite")
    return ""


def check_repeatable(build: Build) -> str:
    """Its parameters and the generator decide every bit, and nothing else does."""
    for rate, signal in _signals():
        before = np.random.get_state()[1].copy()  # type: ignore[index]
        found = [build().apply(signal, rate, generator("contract", 1)) for _ in range(2)]
        kept = build()
        kept.apply(signal[::-1].copy(), rate, generator("contract", 2))
        found.append(kept.apply(signal, rate, generator("contract", 1)))
        _require(all(np.array_equal(found[0], other) for other in found[1:]), "two outcomes for one signal and seed")
        after = np.random.get_state()[1]  # type: ignore[index]
        _require(np.array_equal(before, after), "draws from NumPy's global generator")
    return ""


def check_input(build: Build) -> str:
    """The signal that it is given stays as it is."""
    for rate, signal in _signals():
        given = signal.copy()
        build().apply(given, rate, generator("contract"))
        _require(np.array_equal(given, signal), "its input changed")
    return ""


def check_alignment(build: Build) -> str:
    """Speech is not delayed: the cross-correlation is largest within 0.1 ms of a lag of 0."""
    for rate in RATES:
        signal = speech_like(rate, rate)
        made = build().apply(signal, rate, generator("contract"))
        size = 2 * rate
        product = np.fft.rfft(made, size) * np.conj(np.fft.rfft(signal, size))
        lag = int(np.argmax(np.fft.irfft(product, size)))
        lag -= size * (lag >= rate)
        _require(abs(lag) <= rate / 1e4, f"speech is moved by {lag} samples at {rate} Hz")
    return ""


CHECKS: tuple[Check, ...] = (check_shape, check_extremes, check_repeatable, check_input, check_alignment)


def verdicts(build: Build) -> Iterator[Verdict]:
    """The verdict of each check on what `build` makes."""
    return judged(CHECKS, build)


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise ContractBroken(found)

"""What every feature extractor must hold, built-in or from outside."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sebench.contracts.base import ContractBroken
from sebench.extractors.base import Extractor
from sebench.seeding import seed_of


def broken(name: str, build: Callable[[], Extractor], device: torch.device) -> str:
    """What is wrong with an extractor; "" where nothing is. The global generators are left as they were.

    Features are `(batch, channels, frames)`, finite, of silence too, the same alone and in a batch, and the same from
    two builds, whatever the generators; finite gradients reach the waveform.

    Args:
        name: for the message.
        build: makes one.
        device: where it is tested.
    """
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = build().to(device).eval().requires_grad_(False)
        torch.manual_seed(2)
        second = build().to(device).eval().requires_grad_(False)
        try:
            _check(first, second, device)
        except ContractBroken as error:
            return f"extractor {name}: {error}"
    return ""


def _check(first: Extractor, second: Extractor, device: torch.device) -> None:
    random = torch.Generator().manual_seed(seed_of("extractor contract"))
    noise = torch.randn(1, first.sample_rate // 2, generator=random)
    waveform = torch.cat([noise, torch.zeros_like(noise)]).to(device).requires_grad_(True)
    features = first(waveform)
    shape = tuple(features.shape)
    _require(len(shape) == 3 and shape[0] == 2, f"features of shape {shape}; must be (batch, channels, frames)")
    _require(bool(features.isfinite().all()), "features of noise or of silence are not finite")
    for found, what in ((first(waveform[:1]), "a signal alone and in a batch"), (second(waveform), "two builds")):
        difference = float((found - features[: len(found)]).detach().abs().max())
        _require(difference <= 1e-4, f"{what}: features differ by up to {difference:.2g}")
    features.square().mean().backward()
    finite = waveform.grad is not None and bool(waveform.grad.isfinite().all())
    _require(finite, "no finite gradient reaches the waveform")


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise ContractBroken(found)

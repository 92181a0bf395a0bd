"""What every discriminator must hold before a run trains it, built-in or from outside."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sebench.contracts.base import ContractBroken
from sebench.discriminators.base import Discriminator
from sebench.seeding import seed_of

#: Lengths of the signals under test, in samples.
LENGTHS = (8000, 4001)


def broken(name: str, build: Callable[[], Discriminator], device: torch.device) -> str:
    """What is wrong with a discriminator; "" where nothing is. The global generators are left as they were.

    Scores and features are finite, of each signal of the batch, and the same for the same input; a finite gradient of
    the scores reaches every parameter and the waveform.

    Args:
        name: for the message.
        build: makes one with fresh weights from the global generator.
        device: where it is tested.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed_of("discriminator contract"))
        discriminator = build().to(device)
        try:
            for samples in LENGTHS:
                _check(discriminator, samples, device)
        except ContractBroken as error:
            return f"discriminator {name}: {error}"
    return ""


def _check(discriminator: Discriminator, samples: int, device: torch.device) -> None:
    random = torch.Generator().manual_seed(seed_of("discriminator contract", samples))
    waveform = torch.randn(2, samples, generator=random).to(device).requires_grad_(True)
    discriminator.zero_grad()
    found, again = discriminator(waveform), discriminator(waveform)
    _require(len(found) > 0, "no judgement of any scale")
    for number, (judgement, other) in enumerate(zip(found, again, strict=True)):
        for what, tensor in (("scores", judgement.scores), *(("features", part) for part in judgement.features)):
            _require(len(tensor) == 2, f"scale {number}: {what} of shape {tuple(tensor.shape)}; must be (batch, ...)")
            _require(bool(tensor.isfinite().all()), f"scale {number}: {what} of noise are not finite")
        difference = float((judgement.scores - other.scores).detach().abs().max())
        _require(difference <= 1e-4, f"scale {number}: the same input twice: scores differ by up to {difference:.2g}")
    torch.stack([judgement.scores.square().mean() for judgement in found]).sum().backward()
    for name, tensor in (("the waveform", waveform), *discriminator.named_parameters()):
        _require(tensor.grad is not None or not tensor.requires_grad, f"no gradient reaches {name}")
        finite = tensor.grad is None or bool(tensor.grad.isfinite().all())
        _require(finite, f"the gradient of {name} is not finite")


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise ContractBroken(found)

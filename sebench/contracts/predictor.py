"""What every predictor must hold before a run trains it, built-in or from outside."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sebench.contracts.base import ContractBroken
from sebench.predictors.base import Predictor
from sebench.seeding import seed_of

#: Frames of the utterances under test.
FRAMES = (40, 17, 1)


def broken(name: str, build: Callable[[], Predictor], device: torch.device) -> str:
    """What is wrong with a predictor; "" where nothing is. The global generators are left as they were.

    One finite float32 score per utterance, within the bounds, the same for the same input, whatever lies behind an
    utterance; a finite gradient reaches every parameter.

    Args:
        name: for the message.
        build: makes one with fresh weights from the global generator.
        device: where it is tested.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed_of("predictor contract"))
        predictor = build().to(device)
        try:
            _check(predictor.eval(), device)
        except ContractBroken as error:
            return f"predictor {name}: {error}"
    return ""


def _check(predictor: Predictor, device: torch.device) -> None:
    plain, dirty = (_magnitudes(predictor, behind).to(device) for behind in (0.0, 50.0))
    frames = torch.tensor(FRAMES, device=device)
    with torch.no_grad():
        scores, again, other = predictor(plain, frames), predictor(plain, frames), predictor(dirty, frames)
    _require(scores.shape == (len(FRAMES),), f"scores of shape {tuple(scores.shape)}; must be (batch,)")
    _require(scores.dtype == torch.float32, f"scores of type {scores.dtype}; must be float32")
    _require(bool(scores.isfinite().all()), f"scores {scores.tolist()} of noise")
    low, high = predictor.bounds
    _require(bool(((scores >= low) & (scores <= high)).all()), f"scores {scores.tolist()} outside of {low} to {high}")
    for found, what in ((again, "the same input twice"), (other, "other values behind the utterances")):
        difference = float((found - scores).abs().max())
        _require(difference <= 1e-4, f"{what}: scores differ by up to {difference:.2g}")
    predictor.train()
    torch.manual_seed(seed_of("predictor contract", "training"))
    predictor(plain, frames).sum().backward()
    for name, parameter in predictor.named_parameters():
        _require(parameter.grad is not None or not parameter.requires_grad, f"no gradient reaches {name}")
        finite = parameter.grad is None or bool(parameter.grad.isfinite().all())
        _require(finite, f"the gradient of {name} is not finite")


def _magnitudes(predictor: Predictor, behind: float) -> Tensor:
    random = torch.Generator().manual_seed(seed_of("predictor contract", "input"))
    values = torch.randn(len(FRAMES), predictor.stft.bins, max(FRAMES), generator=random).abs()
    there = torch.arange(max(FRAMES)) < torch.tensor(FRAMES)[:, None]
    return torch.where(there[:, None], values, torch.tensor(behind))


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise ContractBroken(found)

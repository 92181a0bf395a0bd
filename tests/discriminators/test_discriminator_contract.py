"""Every registered discriminator, and one from outside, held to its contract; what is wrong is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sebench.config.items import build, registry
from sebench.contracts.discriminator import broken
from sebench.discriminators.base import Discriminator, Judgement
from sebench.discriminators.stft import StftDiscriminator

CPU = torch.device("cpu")
SMALL = {"stft": {"n_ffts": [256, 128], "channels": 4}}
OUTSIDE = """
from sebench.discriminators.stft import StftDiscriminator


class Mine(StftDiscriminator):
    '''One resolution.'''

    def __init__(self, *, channels: int = 2) -> None:
        super().__init__(n_ffts=(128,), channels=channels)
"""


@pytest.mark.parametrize("name", sorted(registry("discriminator")))
def test_every_discriminator_keeps_the_contract(name: str) -> None:
    assert broken(name, lambda: build({"type": name, "params": SMALL.get(name, {})}, "discriminator"), CPU) == ""


def test_one_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside_discriminator.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = "outside_discriminator:Mine"
    assert broken(path, lambda: build({"type": path, "params": {}}, "discriminator"), CPU) == ""


def test_size_as_published() -> None:
    """Five resolutions of 64 channels: 1.87 M parameters (shared/reference/FINALLY.md, A.3)."""
    parameters = sum(p.numel() for p in StftDiscriminator(channels=64).parameters())
    assert parameters == pytest.approx(1.87e6, rel=0.01)


class Deaf(Discriminator):
    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(()))

    def forward(self, waveform: torch.Tensor) -> list[Judgement]:
        return [Judgement(self.bias.expand(len(waveform), 1), ())]


def test_one_that_does_not_listen_is_found() -> None:
    assert "no gradient reaches the waveform" in broken("deaf", Deaf, CPU)

"""Every registered feature extractor, and one from outside, held to its contract; known answers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from sebench.config.items import build, registry
from sebench.contracts.extractor import broken
from sebench.extractors.base import Extractor
from sebench.extractors.log_spectrum import LogSpectrum

CPU = torch.device("cpu")
OUTSIDE = """
from sebench.extractors.log_spectrum import LogSpectrum


class Mine(LogSpectrum):
    '''Shorter frames.'''

    def __init__(self, *, hop: int = 64) -> None:
        super().__init__(n_fft=128, hop=hop)
"""


@pytest.mark.parametrize("name", sorted(registry("extractor")))
def test_every_extractor_keeps_the_contract(name: str) -> None:
    assert broken(name, lambda: build({"type": name, "params": {}}, "extractor"), CPU) == ""


def test_one_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside_extractor.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = "outside_extractor:Mine"
    assert broken(path, lambda: build({"type": path, "params": {}}, "extractor"), CPU) == ""


def test_a_sine_is_at_its_bin() -> None:
    """Amplitude 1 at the centre of bin 32: |X| is half the sum of the window, 512 / 4."""
    sine = torch.sin(2 * math.pi * 32 / 512 * torch.arange(2048))
    features = LogSpectrum()(sine[None])
    assert features.shape == (1, 257, 7)
    assert bool((features.argmax(1) == 32).all())
    assert features[0, 32].tolist() == pytest.approx([2 * math.log(128)] * 7, rel=1e-4)


class Random(Extractor):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.randn(())

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return (self.scale * waveform)[:, None]


def test_one_whose_weights_are_drawn_is_found() -> None:
    assert "two builds: features differ" in broken("random", Random, CPU)

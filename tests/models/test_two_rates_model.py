"""Models that hear at one rate and make another: what they hear, their contract, a file that one of them enhances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from scipy.signal import butter, sosfiltfilt
from torch import nn

from sebench.contracts import model as contract
from sebench.enhancement.files import enhance_file
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.metrics.si_sdr import SiSdr
from sebench.models.base import Model
from sebench.signal.resample import resampled


class Interpolation(Model):
    """What is heard at 8 kHz, at 16 kHz."""

    views = ("waveform",)
    sample_rate = 16000
    input_rate = 8000
    causal = False

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, batch: Batch) -> Estimate:
        heard = batch.heard(8000)
        made = resampled(self.gain * heard, 8000, batch.sample_rate)
        return Estimate(batch, waveform=made[:, : batch.samples])


class Streamed(Interpolation):
    """Says that it is causal."""

    causal = True

    @property
    def delay(self) -> int:
        return 0


def noise(rate: int, below_hz: float, seconds: float = 1.5, seed: int = 0) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal((2, round(rate * seconds)))
    return 0.1 * sosfiltfilt(butter(12, below_hz, fs=rate, output="sos"), white).astype(np.float32)


@pytest.mark.parametrize(
    ("source", "target"), [(16000, 8000), (48000, 16000), (8000, 16000), (16000, 48000), (44100, 16000)]
)
def test_another_rate_is_that_of_soxr(source: int, target: int) -> None:
    signal = noise(source, 0.35 * min(source, target))
    found = resampled(torch.from_numpy(signal), source, target).numpy()
    assert found.shape == (2, -(-signal.shape[1] * target // source))
    expected = soxr.resample(signal.T, source, target, quality="VHQ").T
    both = slice(1000, min(found.shape[1], expected.shape[1]) - 1000)
    error = (found[:, both] - expected[:, both]).std() / expected[:, both].std()
    assert 20 * np.log10(error) < -75


def test_what_a_rate_cannot_hold_is_gone() -> None:
    time = np.arange(48000) / 48000
    tone = torch.from_numpy(np.sin(2 * np.pi * 8200 * time).astype(np.float32))[None]
    assert resampled(tone, 48000, 16000)[:, 1000:-1000].abs().max() < 1e-4


def test_padding_is_not_heard() -> None:
    signal = torch.from_numpy(noise(16000, 3000.0))
    lengths = torch.tensor([signal.shape[1], 8001])
    padded = Batch(signal + (torch.arange(signal.shape[1]) >= lengths[:, None]) * 5.0, lengths=lengths)
    alone = Batch(signal[1:, :8001])
    assert alone.heard(8000).shape == (1, 4001)
    torch.testing.assert_close(padded.heard(8000)[1:, :4001], alone.heard(8000), atol=1e-6, rtol=0)
    assert not padded.heard(8000)[1, 4001:].any()


def test_the_contract_holds() -> None:
    subject = contract.Subject("interpolation", Interpolation)
    assert [(check, found) for check, holds, found in contract.verdicts(subject) if not holds] == []


def test_what_is_streamed_has_one_rate() -> None:
    with pytest.raises(contract.ContractBroken, match="hears another rate than it makes, and causal = True"):
        contract.check_stream(contract.Subject("streamed", Streamed))


def test_speech_below_half_the_rate_that_is_heard_comes_through() -> None:
    signal = noise(16000, 3000.0)
    made = Interpolation()(Batch(torch.from_numpy(signal))).waveform.detach().numpy()
    inside = slice(500, -500)  # ideal filters ring at the ends
    for clean, estimate in zip(signal[:, inside], made[:, inside], strict=True):
        value = SiSdr().compute(clean=clean, estimate=estimate, noisy=None, sample_rate=16000)
        assert value.value is not None
        assert value.value > 60


def test_a_file_is_written_at_the_rate_that_the_model_makes(tmp_path: Path) -> None:
    signal = noise(8000, 3000.0)[0]
    soundfile.write(tmp_path / "in.wav", signal, 8000, subtype="FLOAT")
    enhance_file(Interpolation().eval(), tmp_path / "in.wav", tmp_path / "out.wav")
    made, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == 16000
    assert len(made) == 2 * len(signal)
    expected = soxr.resample(signal, 8000, 16000, quality="VHQ")
    assert np.abs(made - expected)[500:-500].max() < 1e-4

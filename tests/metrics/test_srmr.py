"""SRMR: against torchmetrics, and what rooms, noise and level do to it. Published values: known answers."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from sebench.config.items import build
from sebench.errors import SebenchError
from sebench.synthesis.rooms import simulate

RATE = 16000
FORMS = [{}, {"fast": True}, {"norm": True}, {"fast": True, "norm": True}]


def compute(estimate, **params):
    metric = build({"type": "srmr", "params": params}, "metric")
    return metric.compute(clean=None, estimate=estimate, noisy=None, sample_rate=RATE)


@pytest.fixture
def torchmetrics_srmr(monkeypatch):
    """Theirs with SciPy's filter in the place of torchaudio's, which cannot be had everywhere."""
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("torchmetrics.functional.audio.srmr")
    from scipy.signal import lfilter

    def filtered(signal, poles, zeros, clamp=True, batching=True):
        del clamp, batching
        rows = [lfilter(z, p, signal[..., i, :]) for i, (z, p) in enumerate(zip(zeros, poles, strict=True))]
        return torch.from_numpy(np.stack(rows, axis=-2))

    for name in ("torchaudio", "torchaudio.functional", "torchaudio.functional.filtering"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["torchaudio.functional.filtering"].lfilter = filtered
    monkeypatch.setattr(module, "_TORCHAUDIO_AVAILABLE", True)
    monkeypatch.setattr(module, "_GAMMATONE_AVAILABLE", True)
    score = module.speech_reverberation_modulation_energy_ratio
    return lambda signal, **params: float(score(torch.from_numpy(np.asarray(signal, np.float64)), RATE, **params))


@pytest.mark.filterwarnings("ignore:`fast=True` may slow down")
@pytest.mark.parametrize("params", FORMS, ids=str)
@pytest.mark.parametrize("role", ["clean", "noisy"])
def test_agrees_with_torchmetrics(torchmetrics_srmr, spoken, role, params):
    # Their window is one of 4097 (fast: 104) samples less its last, ours periodic.
    value = compute(spoken[role], whole_windows=True, **params).value
    assert value == pytest.approx(torchmetrics_srmr(spoken[role], **params), rel=5e-3 if "fast" in params else 1e-3)


@pytest.mark.parametrize("params", FORMS, ids=str)
def test_a_more_reverberant_room_is_worse(spoken, params):
    rooms = [simulate((6.0, 5.0, 3.0), absorption, (1.5, 1.0, 0.3)) for absorption in (0.1, 0.3, 0.6)]
    ladder = [compute(room.reverberant(spoken["clean"]), **params).value for room in rooms]
    assert (np.diff(ladder) > 0).all()


@pytest.mark.parametrize("params", FORMS, ids=str)
def test_more_noise_is_worse(spoken, params):
    noise = spoken["noisy"] - spoken["clean"]
    ladder = [compute(spoken["clean"] + gain * noise, **params).value for gain in (3.0, 1.0, 0.2)]
    assert (np.diff(ladder) > 0).all()


@pytest.mark.parametrize("params", [*FORMS, {"whole_windows": True}], ids=str)
def test_level_does_not_matter(spoken, params):
    value = compute(spoken["noisy"], **params).value
    for gain in (1e-3, 100.0):
        scaled = np.float64(gain) * spoken["noisy"]
        assert compute(scaled, **params).value == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(("hertz", "slow"), [(6.0, True), (64.0, False)])
def test_slow_modulation_is_speech_and_fast_is_not(hertz, slow):
    time = np.arange(3 * RATE) / RATE
    carrier = np.random.default_rng(0).standard_normal(3 * RATE)
    modulated = (1 + 0.9 * np.sin(2 * np.pi * hertz * time)) * np.sin(2 * np.pi * 1000 * time) + 1e-3 * carrier
    assert (compute(modulated).value > 10.0) == slow


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("whole_windows", [False, True])
def test_the_shortest_signal_has_a_value(spoken, fast, whole_windows):
    params = {"fast": fast, "whole_windows": whole_windows}
    assert compute(spoken["noisy"][8000:12800], **params).status == "ok"
    found = compute(spoken["noisy"][8000:12799], **params)
    assert (found.status, found.reason[:16]) == ("failed", "SRMR needs 0.3 s")


def test_bands_in_the_wrong_order_are_refused():
    with pytest.raises(SebenchError, match="min_cf 50 Hz is not below max_cf 30 Hz"):
        build({"type": "srmr", "params": {"min_cf": 50.0, "norm": True}}, "metric")

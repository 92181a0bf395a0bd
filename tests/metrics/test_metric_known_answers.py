"""Known answers: published ones where the shared recordings are, stored ones for a generated signal, other code."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebench.config.items import build

RATE = 16000
REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference"
NAMES = {"pesq_wb": "pesq_wb", "pesq_nb": "pesq_nb", "stoi": "stoi", "si_sdr_db": "si_sdr"}

#: Values for the generated pair of conftest.py with pesq 0.0.4 and pystoi 0.4.1.
STORED = {
    "pesq_nb": 2.586242,
    "pesq_wb": 1.633994,
    "si_sdr": 23.507543,
    "delta_snr": 6.0206,
    "stoi": 0.922717,
    "estoi": 0.737223,
}


def published() -> list[dict[str, str]]:
    if not (REFERENCE / "expected.csv").exists():
        return []
    with (REFERENCE / "expected.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["metric"] in NAMES and row["ref"]]


def compute(name: str, clean, estimate, noisy=None, **params) -> float:
    metric = build({"type": name, "params": params}, "metric")
    found = metric.compute(clean=clean, estimate=estimate, noisy=noisy, sample_rate=RATE)
    assert found.status == "ok", found.reason
    return found.value


@pytest.mark.skipif(not published(), reason=f"{REFERENCE}/expected.csv is not on this machine")
@pytest.mark.parametrize("row", published(), ids=lambda row: f"{row['id']}-{row['metric']}")
def test_published_values(row):
    import soundfile

    clean, rate = soundfile.read(REFERENCE / row["ref"], dtype="float32")
    estimate, _ = soundfile.read(REFERENCE / row["deg"], dtype="float32")
    if rate != RATE:
        pytest.skip(f"recorded at {rate} Hz")
    value = compute(NAMES[row["metric"]], clean, estimate)
    assert value == pytest.approx(float(row["value"]), rel=max(float(row["rtol"]), 1e-6))


@pytest.mark.parametrize("name", STORED)
def test_stored_values(name, signals):
    value = compute(name, signals["clean"], 0.5 * (signals["clean"] + signals["noisy"]), signals["noisy"])
    assert value == pytest.approx(STORED[name], rel=1e-4)


def test_pesq_maximum_is_that_of_the_mapping(signals):
    raw = 4.5
    nb = 0.999 + 4 / (1 + np.exp(-1.4945 * raw + 4.6607))
    wb = 0.999 + 4 / (1 + np.exp(-1.3669 * raw + 3.8224))
    assert compute("pesq_nb", signals["clean"], signals["clean"]) == pytest.approx(nb, abs=1e-4)
    assert compute("pesq_wb", signals["clean"], signals["clean"]) == pytest.approx(wb, abs=1e-4)


def plain_si_sdr(estimate, clean) -> float:
    """The definition with means removed, as asteroid's loss has it by default (which needs torchaudio to import)."""
    estimate, clean = (np.asarray(x, np.float64) - np.mean(x, dtype=np.float64) for x in (estimate, clean))
    scaled = np.sum(estimate * clean) * clean / (np.sum(clean**2) + 1e-8)
    return float(10 * np.log10(np.sum(scaled**2) / (np.sum((estimate - scaled) ** 2) + 1e-8) + 1e-8))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 3.0), st.floats(-0.5, 0.5))
def test_si_sdr_is_its_definition(seed, level, mean):
    rng = np.random.default_rng(seed)
    clean = rng.standard_normal(2000)
    estimate = clean + level * rng.standard_normal(2000) + mean
    assert compute("si_sdr", clean, estimate) == pytest.approx(plain_si_sdr(estimate, clean), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(-1, 1))
def test_si_sdr_knows_neither_scale_nor_mean(seed, first, second, mean):
    rng = np.random.default_rng(seed)
    clean, estimate = rng.standard_normal((2, 1000))
    base = compute("si_sdr", clean, estimate)
    assert compute("si_sdr", first * clean + mean, -second * estimate - mean) == pytest.approx(base, abs=1e-4)


def test_si_sdr_agrees_with_torchmetrics(signals):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.audio")
    clean, noisy = signals["clean"] + np.float32(0.01), signals["noisy"] + np.float32(0.02)
    for zero_mean in (True, False):
        theirs = functional.scale_invariant_signal_distortion_ratio(
            torch.from_numpy(noisy).double(), torch.from_numpy(clean).double(), zero_mean=zero_mean
        )
        assert compute("si_sdr", clean, noisy, zero_mean=zero_mean) == pytest.approx(float(theirs), abs=1e-6)


def test_delta_snr_counts_decibels(signals):
    clean, noise = signals["clean"].astype(np.float64), (signals["noisy"] - signals["clean"]).astype(np.float64)
    for gain_db in (-6.0, 0.0, 10.0):
        estimate = clean + 10 ** (-gain_db / 20) * noise
        assert compute("delta_snr", clean, estimate, clean + noise) == pytest.approx(gain_db, abs=1e-9)

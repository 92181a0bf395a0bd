"""NSNet2's way from samples to samples, with tiny networks of its signature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import write_gain

from sebench.errors import DataError
from sebench.external.onnx_gain import OnnxGain

RATE = 16000


def opened(path: Path, **params: float) -> OnnxGain:
    model = OnnxGain(**params)  # type: ignore[arg-type]
    model.open(path)
    return model


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 159, 160, 161, 320, 4801])
def test_a_gain_of_one_passes_everything_in_place(tmp_path: Path, samples: int) -> None:
    """Behind the half window that fades in, up to what a symmetric window lacks of perfect reconstruction."""
    noisy = noise(samples)
    found = opened(write_gain(tmp_path / "one.onnx", offset=100.0)).enhance(noisy)
    assert found.shape == noisy.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[160:], noisy[160:], rtol=0.006)
    fade = np.hanning(320)[:160][:samples]
    np.testing.assert_allclose(found[:160], fade * noisy[:160], atol=1e-6)


def test_the_smallest_gain(tmp_path: Path) -> None:
    noisy, closed = noise(4000), write_gain(tmp_path / "none.onnx", offset=-1000.0)
    for min_gain_db in (-80.0, -20.0):
        found = opened(closed, min_gain_db=min_gain_db).enhance(noisy)
        ratio_db = 20 * np.log10(np.std(found[160:]) / np.std(noisy[160:]))
        assert ratio_db == pytest.approx(min_gain_db, abs=0.1)


def test_a_tone_in_a_closed_bin_vanishes_and_one_in_an_open_bin_survives(tmp_path: Path) -> None:
    offset = np.full(161, -1000.0)
    offset[35:46] = 1000.0  # 1.75 to 2.25 kHz
    model = opened(write_gain(tmp_path / "band.onnx", offset=offset))
    time = np.arange(RATE) / RATE
    for hertz, expected_db, within in ((2000, 0.0, 0.1), (5000, -80.0, 12.0)):
        tone = (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
        inner = slice(1000, -1000)
        level_db = 20 * np.log10(np.std(model.enhance(tone)[inner]) / np.std(tone[inner]))
        assert level_db == pytest.approx(expected_db, abs=within)


def test_as_the_publication_describes_it(tmp_path: Path) -> None:
    """Frame by frame, with gains that depend on the feature; a silent stretch meets the floor."""
    slope, offset = 0.7, 1.5
    noisy = noise(3000)
    noisy[1000:2000] = 0.0
    window = np.sqrt(np.hanning(320))
    padded = np.concatenate([noisy, np.zeros(640)])
    expected = np.zeros(len(padded))
    for start in range(0, len(noisy), 160):
        spectrum = np.fft.rfft(window * padded[start : start + 320])
        feature = np.log10(np.maximum(abs(spectrum) ** 2, 1e-12))
        gain = np.clip(1 / (1 + np.exp(-(slope * feature + offset))), 1e-4, 1.0)
        expected[start : start + 320] += window * np.fft.irfft(gain * spectrum)
    found = opened(write_gain(tmp_path / "net.onnx", slope=slope, offset=offset)).enhance(noisy)
    np.testing.assert_allclose(found, expected[:3000], atol=1e-6)
    assert not found[1400:1600].any()


def test_names_and_free_sizes_do_not_matter(tmp_path: Path) -> None:
    file = write_gain(tmp_path / "free.onnx", offset=100.0, shape=("a", "b", "c"), inputs=("x",))
    assert opened(file).enhance(noise(500)).shape == (500,)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"shape": ("batch", "frames", 257)}, r"input 'input' is tensor\(float\) of shape \['batch', 'frames', 257\]"),
        ({"shape": ("frames", 161)}, r"of shape \['frames', 161\]"),
        ({"inputs": ("input", "state")}, "has 2 inputs and 1 outputs"),
    ],
)
def test_another_signature_is_refused(tmp_path: Path, changes: dict, found: str) -> None:
    file = write_gain(tmp_path / "other.onnx", **changes)
    with pytest.raises(DataError, match=rf"other\.onnx.*{found}.*accepted: one input .*161"):
        opened(file)


def test_gains_of_another_shape_are_refused(tmp_path: Path) -> None:
    file = write_gain(tmp_path / "turned.onnx", shape=("batch", "frames", "bins"), transposed=True)
    with pytest.raises(DataError, match=r"turned\.onnx: gives gains of shape \(161, 3, 1\); accepted: \(1, 3, 161\)"):
        opened(file).enhance(noise(400))


def test_what_is_no_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no protobuf at all" * 100)
    with pytest.raises(DataError, match=r"x\.onnx: no ONNX network that can be read"):
        opened(tmp_path / "x.onnx")


def test_a_hop_that_does_not_divide_the_window() -> None:
    with pytest.raises(ValueError, match="hop 100"):
        OnnxGain(hop=100)

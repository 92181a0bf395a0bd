"""Band layouts: partition of unity, spacing, and what interpolation and averages do to known signals."""

from __future__ import annotations

import itertools

import pytest
import torch

from sebench.signal.bands import (
    Bands,
    erb_centres,
    erb_frequency,
    erb_layout,
    erb_number,
    singles_and_erb_layout,
    triangles,
)
from sebench.signal.stft import Stft

LAYOUTS = {"erb": erb_layout(32, 256, 16000), "singles": singles_and_erb_layout(32, 32, 256, 16000)}


@pytest.mark.parametrize("matrix", LAYOUTS.values(), ids=LAYOUTS)
def test_bands_add_up_to_one_at_each_bin(matrix: torch.Tensor) -> None:
    assert matrix.shape[1] == 129
    torch.testing.assert_close(matrix.sum(0), torch.ones(129))
    assert bool((matrix >= 0).all())


@pytest.mark.parametrize("matrix", LAYOUTS.values(), ids=LAYOUTS)
def test_each_band_has_a_bin_of_its_own(matrix: torch.Tensor) -> None:
    peaks = matrix.argmax(1)
    assert len(set(peaks.tolist())) == matrix.shape[0]
    torch.testing.assert_close(matrix.amax(1), torch.ones(matrix.shape[0]))


def test_erb_scale() -> None:
    """Glasberg & Moore's scale: about 15.6 at 1 kHz, 33.3 at 8 kHz; its inverse is its inverse."""
    assert erb_number(1000.0) == pytest.approx(15.62, abs=0.01)
    assert erb_number(8000.0) == pytest.approx(33.29, abs=0.01)
    assert erb_frequency(erb_number(1234.0)) == pytest.approx(1234.0)


def test_wide_bands_are_equally_spaced_in_erb() -> None:
    centres = erb_centres(32, 0, 128, 62.5)
    assert (centres[0], centres[-1]) == (0, 128)
    steps = [erb_number(b * 62.5) - erb_number(a * 62.5) for a, b in itertools.pairwise(centres[22:])]
    assert min(steps) > 0.9
    assert max(steps) < 1.25


def test_lowest_bins_are_single() -> None:
    matrix = LAYOUTS["singles"]
    torch.testing.assert_close(matrix[:32, :32], torch.eye(32))
    assert not matrix[:32, 32:].any()
    assert not matrix[32:, :32].any()


def test_more_bands_than_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="accepted are 2 to 9"):
        erb_layout(10, 16, 16000)


def test_interpolation_is_linear_between_centres() -> None:
    bands = Bands(triangles([0, 4, 8], 9))
    torch.testing.assert_close(
        bands.to_bins(torch.tensor([0.0, 1.0, 0.0])), torch.tensor([0, 1, 2, 3, 4, 3, 2, 1, 0]) / 4
    )


@pytest.mark.parametrize("matrix", LAYOUTS.values(), ids=LAYOUTS)
def test_equal_gains_stay_equal(matrix: torch.Tensor) -> None:
    torch.testing.assert_close(Bands(matrix).to_bins(torch.full((2, matrix.shape[0]), 0.3)), torch.full((2, 129), 0.3))


@pytest.mark.parametrize("matrix", LAYOUTS.values(), ids=LAYOUTS)
def test_band_energies_add_up_to_the_energy(matrix: torch.Tensor) -> None:
    power = torch.rand(3, 129, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Bands(matrix).energy(power).sum(-1), power.sum(-1))


def test_band_average_of_a_click_in_mid_frame_does_not_cancel() -> None:
    bands = Bands(LAYOUTS["singles"])
    click = torch.zeros(1, 512)
    click[0, 256] = 1.0
    frame = Stft(256, 128)(click)[0, :, 2]
    torch.testing.assert_close(bands.average(frame.real), torch.ones(64), rtol=0, atol=1e-5)
    torch.testing.assert_close(bands.average(frame.imag), torch.zeros(64), rtol=0, atol=1e-5)

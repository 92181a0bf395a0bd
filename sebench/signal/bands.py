"""Bands on the ERB-number scale, as matrices between bins and bands.

A layout is a row of band centres that lie on bins. The bands are the triangles (hat functions) between
neighbouring centres; at each bin they add up to one, so that the same triangles take band gains back to bins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def erb_number(frequency_hz: float) -> float:
    """ERB-number of a frequency, 21.4 log10(1 + 0.00437 f) (Glasberg & Moore, Hearing Research 47, 1990)."""
    return 21.4 * math.log10(1.0 + 0.00437 * frequency_hz)


def erb_frequency(number: float) -> float:
    """Frequency in Hz of an ERB-number: the inverse of `erb_number`."""
    return float(10.0 ** (number / 21.4) - 1.0) / 0.00437


def erb_centres(bands: int, first_bin: int, last_bin: int, bin_hz: float) -> tuple[int, ...]:
    """Bins that are the centres of `bands` bands, equally spaced in ERB-number, at least one bin apart.

    Where the scale is finer than the bins (below about 1.5 kHz for 62.5 Hz), neighbouring centres are neighbouring
    bins. Reconstruction: this is how "at least one bin each" is kept.

    Args:
        bands: number of bands, at least 2.
        first_bin, last_bin: first and last centre.
        bin_hz: distance of two bins in Hz.

    Raises:
        ValueError: more bands than bins.
    """
    if not 2 <= bands <= last_bin - first_bin + 1:
        raise ValueError(f"{bands} bands: accepted are 2 to {last_bin - first_bin + 1} on bins {first_bin}-{last_bin}")
    low, high = erb_number(first_bin * bin_hz), erb_number(last_bin * bin_hz)
    centres: list[int] = []
    for band in range(bands):
        wanted = round(erb_frequency(low + (high - low) * band / (bands - 1)) / bin_hz)
        lowest = centres[-1] + 1 if centres else first_bin
        highest = last_bin - (bands - 1 - band)
        centres.append(min(max(wanted, lowest), highest))
    return tuple(centres)


def triangles(centres: Sequence[int], bins: int) -> Tensor:
    """Hat functions between neighbouring centres; constant beyond the first and the last.

    Shape:
        returns `(bands, bins)`, float32; each column adds up to one.
    """
    position = torch.arange(bins, dtype=torch.float64)
    points = torch.tensor(list(centres), dtype=torch.float64)
    right = torch.searchsorted(points, position, right=True).clamp(1, len(centres) - 1)
    share = ((position - points[right - 1]) / (points[right] - points[right - 1])).clamp(0.0, 1.0)
    matrix = torch.zeros(len(centres), bins, dtype=torch.float64)
    columns = torch.arange(bins)
    matrix[right - 1, columns] += 1.0 - share
    matrix[right, columns] += share
    return matrix.float()


def erb_layout(bands: int, n_fft: int, sample_rate: int) -> Tensor:
    """`bands` triangles from 0 Hz to half the sampling rate.

    Shape:
        returns `(bands, n_fft / 2 + 1)`.
    """
    bins = n_fft // 2 + 1
    return triangles(erb_centres(bands, 0, bins - 1, sample_rate / n_fft), bins)


def singles_and_erb_layout(singles: int, bands: int, n_fft: int, sample_rate: int) -> Tensor:
    """The lowest `singles` bins one by one, then `bands` ERB-spaced triangles for the rest.

    Shape:
        returns `(singles + bands, n_fft / 2 + 1)`.
    """
    bins = n_fft // 2 + 1
    matrix = torch.zeros(singles + bands, bins)
    matrix[:singles, :singles] = torch.eye(singles)
    centres = erb_centres(bands, singles, bins - 1, sample_rate / n_fft)
    matrix[singles:, singles:] = triangles([centre - singles for centre in centres], bins - singles)
    return matrix


class Bands(nn.Module):
    """Between bins and bands, in float32 also where autocast is on.

    Args:
        matrix: triangles `(bands, bins)` whose columns add up to one.
    """

    matrix: Tensor
    centred: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.bands, self.bins = matrix.shape
        self.register_buffer("matrix", matrix, persistent=False)
        # The phase of a frame is counted from its first sample, which turns every second bin around within the main
        # lobe; counted from its middle, neighbouring bins add up instead of cancelling.
        sign = 1.0 - 2.0 * (torch.arange(self.bins) % 2)
        self.register_buffer("centred", sign * matrix / matrix.sum(1, keepdim=True), persistent=False)

    def energy(self, power: Tensor) -> Tensor:
        """Band energies: power under each triangle.

        Shape:
            power `(..., bins)`; returns `(..., bands)`.
        """
        with torch.autocast(power.device.type, enabled=False):
            return power.float() @ self.matrix.T

    def average(self, part: Tensor) -> Tensor:
        """Weighted mean of the real or of the imaginary part of a spectrum over each band, phase from mid-frame.

        Right for frames as long as the transform (n_fft = window length).

        Shape:
            part `(..., bins)`, real; returns `(..., bands)`.
        """
        with torch.autocast(part.device.type, enabled=False):
            return part.float() @ self.centred.T

    def to_bins(self, values: Tensor) -> Tensor:
        """Interpolate band values: between two centres, linearly.

        Shape:
            values `(..., bands)`; returns `(..., bins)`.
        """
        with torch.autocast(values.device.type, enabled=False):
            return values.float() @ self.matrix

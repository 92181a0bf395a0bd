"""Log-spectral distances, plain, phase-aware, and weighted by the power of the speech."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from sebench.losses.base import Batch, Estimate
from sebench.losses.spectral import SpectralLoss, floor_magnitude


class _LogSpectral(SpectralLoss):
    """Common part: floored logarithms.

    Args:
        error: what is done with the difference of the logarithms: "squared", or its value, "absolute".
        floor: least magnitude, as a factor on that of white noise at the noisy signal's level; 1e-4 is -80 dB.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        error: Literal["squared", "absolute"] = "squared",
        floor: Annotated[float, Gt(0)] = 1e-4,
        bins: Literal["inner", "all"] = "inner",
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__(bins=bins, window_length=window_length, hop=hop, n_fft=n_fft)
        self.error = torch.square if error == "squared" else torch.abs
        self.floor = floor

    def floored(self, estimate: Estimate, batch: Batch) -> tuple[Tensor, Tensor]:
        """Floored magnitudes of estimate and target.

        Shape:
            returns two real `(batch, bins, frames)`.
        """
        least = floor_magnitude(batch, self.transform(estimate), self.floor)
        output, target = self.magnitudes(estimate, batch)
        return torch.maximum(output, least), torch.maximum(target, least)

    def distance(self, estimate: Estimate, batch: Batch) -> Tensor:
        """The square, or the value, of log10 |S^| - log10 |S|.

        Shape:
            returns `(batch, bins, frames)`.
        """
        output, target = self.floored(estimate, batch)
        return self.error(output.log10() - target.log10())

    def phase_aware_distance(self, estimate: Estimate, batch: Batch) -> Tensor:
        """`distance` times 2 - cos of the phase error: between 1 and 3; 2 where either side lies far below the floor.

        Shape:
            returns `(batch, bins, frames)`.
        """
        output, target = self.spectra(estimate, batch)
        floored_output, floored_target = self.floored(estimate, batch)
        phase_factor = 2.0 - (output * target.conj()).real / (floored_output * floored_target)
        return self.error(floored_output.log10() - floored_target.log10()) * phase_factor


class _WeightedLogSpectral(_LogSpectral):
    """Common part of those that count a bin by the power of the speech in it.

    Args:
        gamma: part of the noisy spectrum in the weight, without which bins of pure noise would count nothing.
        power: exponent of the weight.
        weight_from: "target" weighs by the clean spectrum, "estimate" by the enhanced one, as a constant.
        error: what is done with the difference of the logarithms: "squared", or its value, "absolute".
        floor: least magnitude, as a factor on that of white noise at the noisy signal's level; 1e-4 is -80 dB.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    def __init__(
        self,
        *,
        gamma: Annotated[float, Ge(0)] = 0.1,
        power: Annotated[float, Gt(0)] = 0.3,
        weight_from: Literal["target", "estimate"] = "target",
        error: Literal["squared", "absolute"] = "squared",
        floor: Annotated[float, Gt(0)] = 1e-4,
        bins: Literal["inner", "all"] = "inner",
        window_length: int | None = None,
        hop: int | None = None,
        n_fft: int | None = None,
    ) -> None:
        super().__init__(error=error, floor=floor, bins=bins, window_length=window_length, hop=hop, n_fft=n_fft)
        self.gamma, self.power, self.weight_from = gamma, power, weight_from

    def weight(self, estimate: Estimate, batch: Batch) -> Tensor:
        """|S + gamma X|^power.

        Shape:
            returns `(batch, bins, frames)`, without a gradient.
        """
        output, target = self.spectra(estimate, batch)
        noisy = batch.spectrum("noisy", self.transform(estimate))[:, self._bins]
        speech = target if self.weight_from == "target" else output.detach()
        return (speech + self.gamma * noisy).abs().pow(self.power)


class Lsd(_LogSpectral):
    """Log-spectral distance: <(log10 |S^| - log10 |S|)^2>, equation (7) of Braun & Tashev.

    The equation has no floor; magnitudes below it count as equal to it.

    Args:
        error: what is done with the difference of the logarithms: "squared", or its value, "absolute".
        floor: least magnitude, as a factor on that of white noise at the noisy signal's level; 1e-4 is -80 dB.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "lsd"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    phase_blind = True
    optimum = "target"
    invariances = ("level", "polarity")
    equation = "mean_{k,t} (log10 |S^| - log10 |S|)^2"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (7)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        return self.mean(self.distance(estimate, batch), estimate, batch)


class Plsd(_LogSpectral):
    """Phase-aware log-spectral distance: <(log10 |S^| - log10 |S|)^2 (2 - cos(phase error))>, equation (8).

    Ambiguous in print: the first factor stands without its square, and the cosine as Re{S^/S}, which is one only for a
    quotient of magnitude one. The text says that the first factor is that of (7), and gives [1, 3] as the range of the
    second: so it is read here. `error: absolute` is the other reading of the first factor; there is none for the
    second, which would have no bounds.

    Args:
        error: what is done with the difference of the logarithms: "squared", or its value, "absolute".
        floor: least magnitude, as a factor on that of white noise at the noisy signal's level; 1e-4 is -80 dB.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "plsd"
    version = 2
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    optimum = "target"
    invariances = ("level",)
    equation = "mean_{k,t} (log10 |S^| - log10 |S|)^2 (2 - cos(arg S^ - arg S))"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (8)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        return self.mean(self.phase_aware_distance(estimate, batch), estimate, batch)


class WeightedLsd(_WeightedLogSpectral):
    """Log-spectral distance weighted by |S + gamma X|^0.3: equations (9) and (20) of Braun & Tashev.

    Ambiguous in print: (20) seems to show the estimate, and the sentence before it says the target. The target is
    taken; `weight_from: estimate` is the other reading, through which no gradient flows.

    Args:
        gamma: part of the noisy spectrum in the weight, without which bins of pure noise would count nothing.
        power: exponent of the weight.
        weight_from: "target" weighs by the clean spectrum, "estimate" by the enhanced one, as a constant.
        error: what is done with the difference of the logarithms: "squared", or its value, "absolute".
        floor: least magnitude, as a factor on that of white noise at the noisy signal's level; 1e-4 is -80 dB.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "wlsd"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    phase_blind = True
    optimum = "target"
    equation = "mean_{k,t} W (log10 |S^| - log10 |S|)^2, W = |S + gamma X|^power"
    source = "Braun & Tashev, arXiv 2009.12286, eqs. (9), (20)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        value = self.weight(estimate, batch) * self.distance(estimate, batch)
        return self.mean(value, estimate, batch)


class WeightedPlsd(_WeightedLogSpectral):
    """Phase-aware log-spectral distance weighted by |S + gamma X|^0.3: equations (10) and (20) of Braun & Tashev.

    What is ambiguous in print is read as in `plsd` and `wlsd`.

    Args:
        gamma: part of the noisy spectrum in the weight, without which bins of pure noise would count nothing.
        power: exponent of the weight.
        weight_from: "target" weighs by the clean spectrum, "estimate" by the enhanced one, as a constant.
        error: what is done with the difference of the logarithms: "squared", or its value, "absolute".
        floor: least magnitude, as a factor on that of white noise at the noisy signal's level; 1e-4 is -80 dB.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
        window_length, hop, n_fft: own sqrt-Hann transform in samples; without a window length the model's own.
    """

    name = "wplsd"
    version = 2
    needs_views = ("spectrum",)
    needs_signals = ("clean", "noisy")
    optimum = "target"
    equation = "mean_{k,t} W (log10 |S^| - log10 |S|)^2 (2 - cos(arg S^ - arg S)), W = |S + gamma X|^power"
    source = "Braun & Tashev, arXiv 2009.12286, eqs. (10), (20)"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        value = self.weight(estimate, batch) * self.phase_aware_distance(estimate, batch)
        return self.mean(value, estimate, batch)

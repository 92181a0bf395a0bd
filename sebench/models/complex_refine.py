"""Stage2 of the two-stage low-complexity system: a recurrent network that gives a complex mask per band."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from sebench.models.base import FrameModel, Views
from sebench.models.gru import Gru
from sebench.models.level import RunningMean
from sebench.signal.bands import Bands, singles_and_erb_layout

#: Power below which a band counts as empty.
FLOOR = 1e-9
#: Time constant of the running level, in seconds.
SECONDS = 2.0
#: Bias of the mask's real part: tanh(1.2) = 0.83.
REAL_BIAS = 1.2
#: Scale of the mask layer's weights at the start, so small that the mask starts near its bias, real and positive.
OUT_SCALE = 0.1


class Stage2(FrameModel):
    """Stage2: complex masks in 64 bands, 62,080 parameters.

    64 complex bands (bins 0-31 one by one, 32 ERB-spaced bands for the rest), compressed in magnitude -> real and
    imaginary parts, 128 inputs -> FC 128-128, ReLU -> GRU 128-64 -> FC 64-128 -> complex band mask m, bounded to
    tanh(|m|) m / |m|, interpolated to the bins. Reconstruction: the page gives 62K parameters and 7.8M operations per
    second, not the layers; these hit both counts.

    Args:
        singles: lowest bins that are bands of their own.
        bands: ERB-spaced bands for the bins above.
        embed: width of the first layer.
        hidden: width of the GRU.
        exponent: of the magnitude compression |z|^exponent, phase kept.
        normalise: "running_level" divides the spectrum by its running level (time constant 2 s) first, "none" does not.
        window_length, hop: of the sqrt-Hann STFT, in samples.
    """

    name = "stage2"
    version = 1
    views = ("waveform", "spectrum", "mask")
    free_phase = True
    requires = ("singles + bands <= window_length // 2 + 1",)
    source = "two-stage low-complexity page, 'Stage2'; reconstruction of the layers"

    def __init__(
        self,
        *,
        singles: Annotated[int, Ge(1)] = 32,
        bands: Annotated[int, Ge(2)] = 32,
        embed: Annotated[int, Ge(1)] = 128,
        hidden: Annotated[int, Ge(1)] = 64,
        exponent: Annotated[float, Gt(0), Le(1)] = 0.5,
        normalise: Literal["none", "running_level"] = "running_level",
        window_length: Annotated[int, Ge(32)] = 256,
        hop: Annotated[int, Ge(16)] = 128,
    ) -> None:
        super().__init__(window_length=window_length, hop=hop)
        self.exponent, self.normalise = exponent, normalise
        self.bands = Bands(singles_and_erb_layout(singles, bands, window_length, self.sample_rate))
        self.mean = RunningMean(SECONDS, self.sample_rate / hop)
        channels = singles + bands
        self.embed = nn.Linear(2 * channels, embed)
        self.gru = Gru(embed, hidden)
        self.out = nn.Linear(hidden, 2 * channels)
        with torch.no_grad():
            self.out.weight.mul_(OUT_SCALE)
            self.out.bias.zero_()
            self.out.bias[:channels] = REAL_BIAS

    def features(self, frames: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Compressed complex bands.

        Shape:
            frames complex `(batch, frames, bins)`; returns `(batch, frames, 2 * bands)`, real parts then imaginary
            parts, and the state of the running level.
        """
        real, imag = self.bands.average(frames.real), self.bands.average(frames.imag)
        power = real.square() + imag.square() + FLOOR
        if self.normalise == "running_level":
            level, state = self.mean(power.log10().mean(-1, keepdim=True), state)
            scale = 10.0 ** (-0.5 * self.exponent * level)
        else:
            scale = power.new_ones(())
        factor = power ** (0.5 * (self.exponent - 1.0)) * scale
        return torch.cat([real * factor, imag * factor], dim=-1), state

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[Views, Any]:
        """Complex masks for frames.

        Shape:
            spectrum complex `(batch, bins, frames)`; returns "mask" complex `(batch, bins, frames)`.
        """
        mean_state, hidden = state if state is not None else (None, None)
        features, mean_state = self.features(spectrum.transpose(1, 2), mean_state)
        memory, hidden = self.gru(torch.relu(self.embed(features)).transpose(0, 1), hidden)
        real, imag = bounded(self.out(memory.transpose(0, 1).contiguous()).float())
        mask = torch.complex(self.bands.to_bins(real), self.bands.to_bins(imag))
        return {"mask": mask.transpose(1, 2)}, (mean_state, hidden)


def bounded(parts: Tensor) -> tuple[Tensor, Tensor]:
    """tanh(|m|) m / |m| of complex values whose real parts lie before their imaginary parts.

    Shape:
        parts `(..., 2 * bands)`; returns two `(..., bands)`.
    """
    real, imag = parts.chunk(2, dim=-1)
    magnitude = (real.square() + imag.square() + 1e-12).sqrt()
    factor = magnitude.tanh() / magnitude
    return real * factor, imag * factor

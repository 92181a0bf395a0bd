"""Stage1 of the two-stage low-complexity system: a recurrent network that gives a gain per ERB band."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from sebench.models.base import FrameModel, Views
from sebench.models.gru import Gru
from sebench.models.level import RunningMean
from sebench.signal.bands import Bands, erb_layout

#: Added to band energies before the logarithm (energies of 16-bit rounding noise are about 1e-9).
FLOOR = 1e-9
#: log10 of band energies of speech at -26 dBov lies at about -2 +- 2 (unnormalised STFT of 256 samples).
SHIFT, SCALE = 2.0, 2.0
#: Time constant of the running mean.
SECONDS = 2.0


class Stage1(FrameModel):
    """Stage1: gains in 32 ERB bands, 16,392 parameters.

    log10 band energies -> FC 32-24, ReLU -> GRU 24-56 -> FC 56-32, sigmoid -> band gains, interpolated to the bins by
    the bands' own triangles. Reconstruction: the page gives 16K parameters and 2.1M operations per second, not the
    layers; this is the RNNoise / PercepNet family with layers that hit both counts.

    Args:
        bands: triangular bands, equally spaced in ERB-number from 0 Hz to half the sampling rate.
        embed: width of the first layer.
        hidden: width of the GRU.
        normalise: "running_mean" subtracts from each band its mean over the past (time constant 2 s), which makes the
            gains independent of level and colouration; "none" does not.
        window_length, hop: of the sqrt-Hann STFT, in samples.
    """

    name = "stage1"
    version = 1
    views = ("waveform", "spectrum", "gain")
    requires = ("bands <= window_length // 2 + 1",)
    source = "two-stage low-complexity page, 'Stage1'; reconstruction of the layers"

    def __init__(
        self,
        *,
        bands: Annotated[int, Ge(2)] = 32,
        embed: Annotated[int, Ge(1)] = 24,
        hidden: Annotated[int, Ge(1)] = 56,
        normalise: Literal["none", "running_mean"] = "running_mean",
        window_length: Annotated[int, Ge(32)] = 256,
        hop: Annotated[int, Ge(16)] = 128,
    ) -> None:
        super().__init__(window_length=window_length, hop=hop)
        self.normalise = normalise
        self.bands = Bands(erb_layout(bands, window_length, self.sample_rate))
        self.mean = RunningMean(SECONDS, self.sample_rate / hop)
        self.embed = nn.Linear(bands, embed)
        self.gru = Gru(embed, hidden)
        self.out = nn.Linear(hidden, bands)

    def features(self, power: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Scaled log band energies.

        Shape:
            power `(batch, frames, bins)`; returns `(batch, frames, bands)`, and the state of the running mean.
        """
        energy = (self.bands.energy(power) + FLOOR).log10()
        if self.normalise == "none":
            return (energy + SHIFT) / SCALE, state
        mean, state = self.mean(energy, state)
        return (energy - mean) / SCALE, state

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[Views, Any]:
        """Gains for frames.

        Shape:
            spectrum complex `(batch, bins, frames)`; returns "gain" `(batch, bins, frames)`.
        """
        mean_state, hidden = state if state is not None else (None, None)
        frames = spectrum.transpose(1, 2)
        features, mean_state = self.features(frames.real.square() + frames.imag.square(), mean_state)
        memory, hidden = self.gru(torch.relu(self.embed(features)).transpose(0, 1), hidden)
        gains = torch.sigmoid(self.out(memory.transpose(0, 1).contiguous()).float())
        return {"gain": self.bands.to_bins(gains).transpose(1, 2)}, (mean_state, hidden)

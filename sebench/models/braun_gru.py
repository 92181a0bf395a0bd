"""The network of Braun & Tashev's comparison of losses: two GRUs and dense layers that give a gain per bin."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn

from sebench.models.base import FrameModel, Views
from sebench.models.gru import Gru
from sebench.models.level import RunningNorm

#: Added to the power before the logarithm.
FLOOR = 1e-12
#: Time constants of the normalisation, in general and in the first moments, and how long these last.
SECONDS, FIRST_SECONDS = 3.0, 0.1


class BraunGru(FrameModel):
    """Recurrent network with a gain per bin, 2,781,655 parameters.

    log10 power of the bins between the lowest and the highest, with online mean and variance normalisation -> FC, ReLU
    -> GRU -> GRU -> FC, ReLU -> FC, ReLU -> FC, sigmoid. The source prints 2.8M parameters and shows the sizes in a
    figure that is missing; those here are the NSNet2 family's (arXiv 2008.06412) and the only ones of it that hit the
    count. Reconstruction: the lowest and the highest bin get a gain of 0.

    Args:
        embed: width of the first layer.
        hidden: width of the GRUs.
        dense: width of the layers behind them.
        window_length, hop: of the sqrt-Hann STFT, in samples.
    """

    name = "braun_gru"
    version = 1
    views = ("gain", "spectrum", "waveform")
    source = "Braun & Tashev, arXiv 2009.12286, sec. 4; layer sizes after arXiv 2008.06412"

    def __init__(
        self,
        *,
        embed: Annotated[int, Ge(1)] = 400,
        hidden: Annotated[int, Ge(1)] = 400,
        dense: Annotated[int, Ge(1)] = 600,
        window_length: Annotated[int, Ge(4)] = 512,
        hop: Annotated[int, Ge(1)] = 256,
    ) -> None:
        super().__init__(window_length=window_length, hop=hop)
        bins = self.stft.bins - 2
        self.normalise = RunningNorm(SECONDS, FIRST_SECONDS, self.sample_rate / hop)
        self.embed = nn.Linear(bins, embed)
        self.memory1 = Gru(embed, hidden)
        self.memory2 = Gru(hidden, hidden)
        self.dense1 = nn.Linear(hidden, dense)
        self.dense2 = nn.Linear(dense, dense)
        self.gains = nn.Linear(dense, bins)

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[Views, Any]:
        """See `FrameModel.network`."""
        level, first, second = state if state is not None else (None, None, None)
        power = torch.view_as_real(spectrum[:, 1:-1]).square().sum(-1)
        features, level = self.normalise((power + FLOOR).log10().transpose(1, 2), level)
        values = torch.relu(self.embed(features)).transpose(0, 1).contiguous()
        values, first = self.memory1(values, first)
        values, second = self.memory2(values, second)
        values = torch.relu(self.dense2(torch.relu(self.dense1(values))))
        gain = torch.sigmoid(self.gains(values)).permute(1, 2, 0)
        return {"gain": nn.functional.pad(gain, (0, 0, 1, 1))}, (level, first, second)

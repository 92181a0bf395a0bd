"""What a feature extractor is: a frozen map from waveforms to features over time, for losses."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class Extractor(nn.Module):
    """A map that is never trained; gradients pass through it to the waveform.

    Class attributes (literals: the planner reads them from the source text):
        name, version: identity.
        sample_rate: in Hz.
        source: where it is from.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    sample_rate: int = 16000
    source: str = ""

    def forward(self, waveform: Tensor) -> Tensor:
        """The features.

        Shape:
            waveform `(batch, samples)`; returns `(batch, channels, frames)`.
        """
        raise NotImplementedError

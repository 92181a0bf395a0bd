"""What a discriminator is: from waveforms to scores of how much they are like recorded speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn


@dataclass(frozen=True)
class Judgement:
    """What one scale of a discriminator says.

    Args:
        scores: a map, `(batch, ...)`: higher is more like recorded speech.
        features: of its layers, first layer first, `(batch, ...)` each; for feature matching.
    """

    scores: Tensor
    features: tuple[Tensor, ...]


class Discriminator(nn.Module):
    """A network that tells recorded from generated speech.

    Class attributes (literals: the planner reads them from the source text):
        name, version: identity.
        sample_rate: in Hz.
        source: where it is from.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    sample_rate: int = 16000
    source: str = ""

    def forward(self, waveform: Tensor) -> list[Judgement]:
        """What each scale says.

        Shape:
            waveform `(batch, samples)`.
        """
        raise NotImplementedError

"""What a predictor is: from the magnitude spectrogram of whole utterances to a score for each."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.signal.stft import Stft


class Predictor(nn.Module):
    """A differentiable stand-in for a metric, which needs no reference.

    Class attributes (literals: the planner reads them from the source text):
        name, version: identity.
        sample_rate: in Hz.
        bounds: lowest and highest value that it can give; never reached.
        source: where it is from.

    Attributes:
        stft: the transform whose magnitudes are its input; a subclass sets it.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    sample_rate: int = 16000
    bounds: tuple[float, float] = (0.0, 0.0)
    source: str = ""

    stft: Stft

    def forward(self, magnitude: Tensor, frames: Tensor) -> Tensor:
        """Predict.

        Args:
            magnitude: of whole utterances; what lies behind an utterance's frames does not matter.
            frames: of each utterance, at least one.

        Shape:
            magnitude `(batch, bins, frames)`, frames `(batch,)` int64; returns float32 `(batch,)`.
        """
        raise NotImplementedError

    def of_estimate(self, estimate: Estimate, batch: Batch) -> Tensor:
        """The score of an enhanced batch; of its spectrum itself where that has this transform.

        Shape:
            returns float32 `(batch,)`.
        """
        score: Tensor = self(estimate.magnitude_in(self.stft), self.stft.frame_lengths(batch.true_lengths()))
        return score

    def of_waveform(self, waveform: Tensor) -> Tensor:
        """The score of signals of one length.

        Shape:
            waveform `(batch, samples)`; returns float32 `(batch,)`.
        """
        frames = torch.full((len(waveform),), self.stft.frames(waveform.shape[-1]), device=waveform.device)
        score: Tensor = self(self.stft(waveform).abs(), frames)
        return score

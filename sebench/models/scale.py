"""What the samples of a waveform are divided by before a network, and multiplied by after it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sebench.estimate.batch import Batch

#: Mean squares below this count as this, so that the root of silence has a finite derivative.
TINY = 1e-20
#: Samples that are summed up by one matrix product.
BLOCK = 256


class Scale:
    """A factor per sample, offline and from chunk to chunk. This one is 1."""

    #: Whether a factor depends on no later sample.
    causal = True

    def whole(self, batch: Batch) -> Tensor:
        """Factors for `batch.noisy`.

        Shape:
            returns `(batch, samples)` or, one factor for all samples, `(batch, 1)`.
        """
        return self.follow(batch.signal("noisy"), None)[0]

    def follow(self, chunk: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Factors for the next samples.

        Shape:
            chunk `(batch, samples)`; returns `(batch, samples)` or `(batch, 1)`, and the state for the next call (None
            for the first).
        """
        return chunk.new_ones(len(chunk), 1), state


class GivenScale(Scale):
    """One factor per signal, known beforehand.

    Shape:
        scale `(batch,)`.
    """

    def __init__(self, scale: Tensor) -> None:
        self.scale = scale

    def follow(self, chunk: Tensor, state: Any) -> tuple[Tensor, Any]:
        """See `Scale.follow`."""
        return self.scale.to(chunk)[:, None], state


class UtteranceScale(Scale):
    """Floor + standard deviation of the whole utterance; the square root of the unbiased variance.

    Args:
        floor: added to the standard deviation.
    """

    causal = False

    def __init__(self, floor: float) -> None:
        self.floor = floor

    def whole(self, batch: Batch) -> Tensor:
        """See `Scale.whole`."""
        noisy, count = batch.signal("noisy"), batch.true_lengths()[:, None]
        mean = noisy.sum(1, keepdim=True) / count.clamp_min(1)
        squares = batch.mask(noisy - mean).square().sum(1, keepdim=True)
        return self.floor + (squares / (count - 1).clamp_min(1)).clamp_min(TINY).sqrt()

    def follow(self, chunk: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Not possible.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "normalise: utterance divides by the standard deviation of the whole utterance, which a stream does not "
            "know: give it beforehand, reset(batch, scale), e.g. scale = model.utterance_scale(...) of an earlier "
            "recording, or use a model with normalise: running or none"
        )


class RunningScale(Scale):
    """Floor + root mean square of all samples so far, the present one among them.

    Args:
        floor: added to the root mean square.
    """

    def __init__(self, floor: float) -> None:
        self.floor = floor

    def follow(self, chunk: Tensor, state: Any) -> tuple[Tensor, Any]:
        """See `Scale.follow`; the state is the sum of squares so far and the number of samples."""
        total, count = state if state is not None else (chunk.new_zeros(len(chunk), 1, dtype=torch.float64), 0)
        with torch.autocast(chunk.device.type, enabled=False):
            sums = total + prefix_sums(chunk.double().square())
        samples = torch.arange(count + 1, count + 1 + chunk.shape[1], device=chunk.device)
        scale = self.floor + (sums / samples).clamp_min(TINY).sqrt()
        return scale.float(), (sums[:, -1:], count + chunk.shape[1])


def prefix_sums(values: Tensor) -> Tensor:
    """`values.cumsum(1)` by matrix products over blocks: on a GPU `cumsum` has no deterministic kernel.

    Shape:
        values `(batch, samples)`; returns the same.
    """
    samples = values.shape[1]
    blocks = -(-samples // BLOCK)
    padded = torch.nn.functional.pad(values, (0, blocks * BLOCK - samples)).unflatten(1, (blocks, BLOCK))
    sums = padded @ values.new_ones(BLOCK, BLOCK).triu()
    if blocks > 1:
        totals = prefix_sums(sums[:, :-1, -1])
        sums = sums + torch.nn.functional.pad(totals, (1, 0))[:, :, None]
    whole: Tensor = sums.flatten(1)[:, :samples]
    return whole

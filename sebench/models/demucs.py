"""Causal DEMUCS: convolutions down, an LSTM, transposed convolutions up, on the waveform.

Offline and streaming are the same code: each layer takes a chunk and what it kept of the chunks before, and a whole
utterance is one chunk.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn
from torch.nn.functional import conv_transpose1d, glu, pad

from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.models.base import Model
from sebench.models.scale import GivenScale, RunningScale, Scale, UtteranceScale
from sebench.signal.resample import Downsample2, Upsample2

#: Standard deviation towards which weights are moved, half-way in decibels, at the start.
REFERENCE = 0.1


class Encoder(nn.Module):
    """Conv1d over time -> ReLU -> 1x1 convolution to twice the channels -> GLU.

    Args:
        inputs, outputs: channels.
        kernel, stride: of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride, self.outputs = kernel, stride, outputs
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride)
        self.mix = nn.Conv1d(outputs, 2 * outputs, 1)

    def forward(self, chunk: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The frames that are complete.

        Shape:
            chunk `(batch, inputs, samples)`; returns `(batch, outputs, frames)`, and the samples that later frames
            still cover.
        """
        joined = chunk if kept is None else torch.cat([kept, chunk], dim=2)
        count = (joined.shape[2] - self.kernel) // self.stride + 1
        if count < 1:
            return chunk.new_zeros(len(chunk), self.outputs, 0), joined
        frames = self.conv(joined[..., : (count - 1) * self.stride + self.kernel]).relu()
        return glu(self.mix(frames), dim=1), joined[..., count * self.stride :]


class Spread(nn.ConvTranspose1d):
    """Transposed convolution without padding, of which only those samples come out that no later frame changes."""

    def forward(self, frames: Tensor, tail: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Overlap-add.

        Shape:
            frames `(batch, inputs, frames)`, at least one; returns `(batch, outputs, frames * stride)`, and the sums so
            far for the next `kernel - stride` samples.
        """
        done = frames.shape[2] * self.stride[0]
        added = conv_transpose1d(frames, self.weight, None, self.stride)
        if tail is not None:
            added = added + pad(tail, (0, added.shape[2] - tail.shape[2]))
        assert self.bias is not None
        return added[..., :done] + self.bias[:, None], added[..., done:]


class Decoder(nn.Module):
    """1x1 convolution to twice the channels -> GLU -> transposed convolution; the activation is the caller's.

    Args:
        inputs, outputs: channels.
        kernel, stride: of the transposed convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(inputs, 2 * inputs, 1)
        self.spread = Spread(inputs, outputs, kernel, stride)

    def forward(self, frames: Tensor, tail: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See `Spread.forward`."""
        spread: tuple[Tensor, Tensor] = self.spread(glu(self.mix(frames), dim=1), tail)
        return spread


@dataclasses.dataclass
class StreamState:
    """Where a stream stands: what each layer kept, the scales of samples still inside, and the output that waits."""

    scale: Scale
    up: list[Tensor | None]
    encoders: list[Tensor | None]
    skips: list[Tensor | None]
    memory: Any
    tails: list[Tensor | None]
    down: list[Tensor | None]
    level: Any = None
    scales: Tensor | None = None
    waiting: Tensor | None = None


class Demucs(Model):
    """Causal DEMUCS (U=4, S=4, K=8, L=5, H=48), 18,867,937 parameters.

    Waveform / level -> `upsample` x rate -> `depth` encoders, channels doubled by each -> two LSTM layers -> `depth`
    decoders, each on the sum of what it gets and its encoder's output -> original rate -> x level.

    Ours: the input is followed by zeros as far as any sample of the output depends on them, where the public code ends
    it at the next length that the strides fit, so that an utterance alone, in a padded batch and in a stream give the
    same. "utterance" is the paper's level; as it is known only at the end, a model with it streams only with a level
    that is given, see `reset`.

    Args:
        hidden: channels of the first encoder.
        depth: encoders, and decoders.
        kernel, stride: of the convolutions over time; the stride is at most the kernel.
        upsample: factor of the sampling rate inside.
        normalise: the level: "utterance" is floor + standard deviation of the utterance, "running" floor + RMS of all
            samples up to the present one, "none" 1.
        floor: as above, full scale being 1.

    Raises:
        ValueError: the stride is larger than the kernel.
    """

    name = "demucs"
    version = 1
    views = ("waveform",)
    causal = False  # of an instance: whether it is, by its `normalise`
    free_phase = True
    requires = ("stride <= kernel",)
    source = "Defossez, Synnaeve, Adi, 'Real time speech enhancement in the waveform domain', 2020, arXiv 2006.12847"

    def __init__(
        self,
        *,
        hidden: Annotated[int, Ge(1)] = 48,
        depth: Annotated[int, Ge(1)] = 5,
        kernel: Annotated[int, Ge(2)] = 8,
        stride: Annotated[int, Ge(1)] = 4,
        upsample: Literal[1, 2, 4] = 4,
        normalise: Literal["utterance", "running", "none"] = "utterance",
        floor: Annotated[float, Gt(0)] = 1e-3,
    ) -> None:
        super().__init__()
        if stride > kernel:
            raise ValueError(f"stride {stride}: must be at most kernel {kernel}, or samples lie in no frame")
        self.scale = {"utterance": UtteranceScale(floor), "running": RunningScale(floor), "none": Scale()}[normalise]
        self.causal = self.scale.causal
        self.floor, self.depth, self.upsample = floor, depth, upsample
        #: Samples at the inner rate from one step of the LSTM to the next, and samples that a step sees.
        self.step = stride**depth
        self.reach = 1 + (kernel - 1) * sum(stride**i for i in range(depth))
        widths = [1, *(hidden * 2**i for i in range(depth))]
        pairs = list(itertools.pairwise(widths))
        self.up = nn.ModuleList(Upsample2() for _ in range(upsample // 2))
        self.encoders = nn.ModuleList(Encoder(narrow, wide, kernel, stride) for narrow, wide in pairs)
        self.lstm = nn.LSTM(widths[-1], widths[-1], num_layers=2)
        self.decoders = nn.ModuleList(Decoder(wide, narrow, kernel, stride) for narrow, wide in reversed(pairs))
        self.down = nn.ModuleList(Downsample2() for _ in range(upsample // 2))
        self._delay = max(self.needed(sample) - sample for sample in range(self.step))
        rescale(self)

    @property
    def delay(self) -> int:
        """The most that `needed` exceeds its argument: 763 samples, 47.7 ms, by default."""
        return self._delay

    @property
    def block(self) -> int:
        """Samples after which the look-ahead repeats: those from one step of the LSTM to the next."""
        return int(self.step // math.gcd(self.step, self.upsample))

    def needed(self, sample: int) -> int:
        """Index of the last input sample on which the outputs up to `sample` depend."""
        for down in reversed(self.down):
            sample = down.needed(sample)  # type: ignore[operator]
        sample = sample // self.step * self.step + self.reach - 1
        for up in reversed(self.up):
            sample = up.needed(sample)  # type: ignore[operator]
        return sample

    def utterance_scale(self, batch: Batch) -> Tensor:
        """What "utterance" divides each utterance by: floor + standard deviation of its samples.

        Shape:
            returns `(batch,)`.
        """
        return UtteranceScale(self.floor).whole(batch)[:, 0]

    def forward(self, batch: Batch) -> Estimate:
        """See `Model.forward`."""
        scales = self.scale.whole(batch)
        following = self.needed(batch.samples - 1) + 1 - batch.samples
        output = self.advance(pad(batch.signal("noisy") / scales, (0, following)), self._start(self.scale))
        return Estimate(batch, waveform=output[:, : batch.samples] * scales)

    def advance(self, chunk: Tensor, state: StreamState) -> Tensor:
        """All samples of the output, not yet multiplied by the level, that this chunk completes; changes the state.

        Shape:
            chunk `(batch, samples)`; returns `(batch, complete)`.
        """
        for i, up in enumerate(self.up):
            chunk, state.up[i] = up(chunk, state.up[i])
        output = self._network(chunk[:, None], state)[:, 0]
        for i, down in enumerate(self.down):
            output, state.down[i] = down(output, state.down[i])
        return output

    def _network(self, values: Tensor, state: StreamState) -> Tensor:
        """Encoders, LSTM, decoders.

        Shape:
            values `(batch, 1, samples)`; returns `(batch, 1, complete)`, a multiple of `step` samples.
        """
        empty = values[..., :0]
        for i, encoder in enumerate(self.encoders):
            values, state.encoders[i] = encoder(values, state.encoders[i])
            waiting = state.skips[i]
            state.skips[i] = values if waiting is None else torch.cat([waiting, values], dim=2)
        if not values.shape[2]:
            return empty
        memory, state.memory = self.lstm(values.permute(2, 0, 1), state.memory)
        values = memory.permute(1, 2, 0)
        for i, decoder in enumerate(self.decoders):
            skip, count = state.skips[~i], values.shape[2]
            assert skip is not None
            state.skips[~i] = skip[..., count:]
            values = values.relu() if i else values
            values, state.tails[i] = decoder(values + skip[..., :count], state.tails[i])
        return values

    def _start(self, scale: Scale) -> StreamState:
        def nothing(layers: nn.ModuleList) -> list[Tensor | None]:
            return [None] * len(layers)

        encoders, skips, tails = (nothing(layers) for layers in (self.encoders, self.encoders, self.decoders))
        return StreamState(scale, nothing(self.up), encoders, skips, None, tails, nothing(self.down))

    def reset(self, batch: int = 1, scale: Tensor | None = None) -> StreamState:
        """State before the first sample, for `batch` signals side by side.

        Args:
            batch: number of signals.
            scale: level of each signal, known beforehand, which takes the place of the model's own, e.g.
                `utterance_scale` of an earlier recording. A model with normalise="utterance" needs it.

        Shape:
            scale `(batch,)`.
        """
        state = self._start(self.scale if scale is None else GivenScale(scale))
        empty = next(self.parameters()).new_zeros(batch, 0)
        state.scales, state.waiting = empty, pad(empty, (self.delay, 0))
        return state

    @torch.no_grad()
    def stream(self, chunk: Tensor, state: StreamState) -> tuple[Tensor, StreamState]:
        """See `Model.stream`.

        Raises:
            ValueError: normalise="utterance", and `reset` was given no scale.
        """
        assert state.scales is not None
        assert state.waiting is not None
        count = chunk.shape[1]
        if count == 0:
            return chunk, state
        scales, state.level = state.scale.follow(chunk.float(), state.level)
        output = self.advance(chunk.float() / scales, state)
        queue = torch.cat([state.scales, scales.expand(-1, count)], dim=1)
        state.scales = queue[:, output.shape[1] :]
        waiting = torch.cat([state.waiting, output * queue[:, : output.shape[1]]], dim=1)
        state.waiting = waiting[:, count:]
        return waiting[:, :count], state

    def flush(self, state: StreamState) -> Tensor:
        """See `Model.flush`: zeros are pushed."""
        assert state.waiting is not None
        return self.stream(state.waiting.new_zeros(len(state.waiting), self.delay), state)[0]


@torch.no_grad()
def rescale(model: nn.Module, reference: float = REFERENCE) -> None:
    """Divide weights and biases of each convolution by sqrt(standard deviation of its weights / reference)."""
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            factor = (reference / module.weight.std()).sqrt()
            for parameter in module.parameters():
                parameter.mul_(factor)

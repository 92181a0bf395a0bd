"""Interfaces of models, and the one implementation of streaming for models that work on frames."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.signal.stft import FrameSink, FrameSource, Stft

#: What a network makes of a spectrum: views of the estimate by name ("spectrum", "gain", "mask").
Views = dict[str, Tensor]


class Model(nn.Module):
    """From a batch to an estimate; a causal model also from chunk to chunk.

    Class attributes (literals: the planner reads them from the source text):
        name, version: identity.
        views: what its estimates can give to a loss.
        sample_rate: of what it makes, in Hz; its sets have this rate.
        input_rate: of what it hears, in Hz; None: the same. A model of two rates reads `batch.heard(self.input_rate)`
            in the place of `batch.noisy`; it cannot be streamed, and says `causal = False`.
        causal: whether `stream` exists and the look-ahead is `delay`.
        submodules: attributes that are models of their own, whose weights can come from another run.
        free_phase: whether the phase of the output is the model's to choose, so that a phase-blind loss alone
            leaves it undetermined.
        source: where the model is from.
        requires: relations of its parameters that must hold, such as "2 * hop <= window_length"; checked when planning.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    views: tuple[str, ...] = ()
    sample_rate: int = 16000
    input_rate: int | None = None
    causal: bool = True
    submodules: tuple[str, ...] = ()
    free_phase: bool = False
    source: str = ""
    requires: tuple[str, ...] = ()

    @property
    def two_rates(self) -> bool:
        """Whether it hears at another rate than it makes."""
        return self.input_rate not in (None, self.sample_rate)

    @property
    def delay(self) -> int:
        """Samples by which the streamed output lags behind the offline output: the largest look-ahead."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Estimate:
        """Enhance `batch.noisy`, or `batch.heard(input_rate)`, to as many samples as `batch.noisy` has."""
        raise NotImplementedError

    def reset(self, batch: int = 1) -> Any:
        """State before the first sample, for `batch` signals side by side."""
        raise NotImplementedError

    def stream(self, chunk: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Enhance the next samples.

        The outputs of all calls and of `flush`, one after the other and without their first `delay` samples, are the
        offline output.

        Args:
            chunk: any number of samples.
            state: of the call before, or of `reset`; it is used up.

        Shape:
            chunk `(batch, samples)`; returns `(batch, samples)`.
        """
        raise NotImplementedError

    def flush(self, state: Any) -> Tensor:
        """The last `delay` samples, after the end of the signal.

        Shape:
            returns `(batch, delay)`.
        """
        raise NotImplementedError


@dataclasses.dataclass
class FrameState:
    """State of a stream: what a frame still lacks, the network's memory, what is not yet complete, what waits."""

    source: FrameSource
    network: Any
    sink: FrameSink
    waiting: Tensor


class FrameModel(Model):
    """STFT -> causal network over frames -> inverse STFT.

    A subclass gives `network` and, where the network has memory that is not None at the start, `initial`.

    Args:
        window_length, hop, n_fft, window: of the transform, see `Stft`.
    """

    requires: tuple[str, ...] = ("window_length % hop == 0", "2 * hop <= window_length", "n_fft >= window_length")

    def __init__(
        self,
        *,
        window_length: int = 256,
        hop: int = 128,
        n_fft: int | None = None,
        window: Literal["sqrt_hann", "hann"] = "sqrt_hann",
    ) -> None:
        super().__init__()
        self.stft = Stft(window_length, hop, n_fft, window)

    @property
    def delay(self) -> int:
        """Window length less one: a sample is complete when the last frame over it is, up to that many samples later.

        The first sample of a sqrt-Hann synthesis window is zero, so that one sample less would do for it; the stream
        keeps to whole frames.
        """
        return self.stft.window_length - 1

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[Views, Any]:
        """Enhance frames. Frame t must depend on frames up to t only.

        Args:
            spectrum: complex `(batch, bins, frames)`.
            state: memory after the frames before; None at the start.

        Returns:
            views with the shape of `spectrum`, "gain" or "mask" or "spectrum" among them; memory after the last frame.
        """
        raise NotImplementedError

    def forward(self, batch: Batch) -> Estimate:
        """See `Model.forward`."""
        views, _ = self.network(batch.spectrum("noisy", self.stft))
        return Estimate(batch, self.stft, **views)

    def reset(self, batch: int = 1) -> FrameState:
        """See `Model.reset`."""
        waiting = self.stft.analysis.new_zeros(batch, self.stft.hop - 1)
        return FrameState(FrameSource(self.stft, batch), None, FrameSink(self.stft, batch), waiting)

    @torch.no_grad()
    def stream(self, chunk: Tensor, state: FrameState) -> tuple[Tensor, FrameState]:
        """See `Model.stream`."""
        spectrum = state.source.push(chunk)
        if spectrum.shape[-1]:
            views, state.network = self.network(spectrum, state.network)
            state.waiting = torch.cat([state.waiting, state.sink.push(_enhanced(spectrum, views))], dim=-1)
        count = chunk.shape[-1]
        output, state.waiting = state.waiting[:, :count], state.waiting[:, count:]
        return output, state

    def flush(self, state: FrameState) -> Tensor:
        """See `Model.flush`: zeros are pushed."""
        return self.stream(state.waiting.new_zeros(state.waiting.shape[0], self.delay), state)[0]


def _enhanced(spectrum: Tensor, views: Views) -> Tensor:
    """Output spectrum from the views, by the rule of `Estimate.spectrum`."""
    if "spectrum" in views:
        return views["spectrum"]
    return next(views[name] for name in ("mask", "gain") if name in views) * spectrum

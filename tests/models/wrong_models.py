"""Models that do otherwise than they say, each in one way."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.models.base import FrameModel, Model


class Frames(FrameModel):
    """A causal gain per frame: nothing is wrong with it."""

    views = ("gain",)

    def __init__(self) -> None:
        super().__init__(window_length=64, hop=32)
        self.layer = nn.Linear(33, 33)

    def gain(self, magnitude: Tensor) -> Tensor:
        return torch.sigmoid(self.layer(magnitude.transpose(1, 2))).transpose(1, 2)

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[dict[str, Tensor], Any]:
        return {"gain": self.gain(spectrum.abs())}, state


class LooksAhead(Frames):
    def gain(self, magnitude: Tensor) -> Tensor:
        return super().gain(torch.roll(magnitude, -1, dims=-1))


class Forgets(Frames):
    """Causal, and its stream does not hand its memory on."""

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[dict[str, Tensor], Any]:
        return {"gain": self.gain(spectrum.abs().cumsum(-1))}, None


class NoView(Frames):
    views = ("gain", "mask")


class ByChance(Frames):
    def gain(self, magnitude: Tensor) -> Tensor:
        return nn.functional.dropout(super().gain(magnitude), 0.5, training=True)


class Remembers(Frames):
    """Its output depends on what it was given before."""

    calls = 0

    def gain(self, magnitude: Tensor) -> Tensor:
        self.calls += 1
        return super().gain(magnitude) / self.calls


class Unused(Frames):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(3, 3)


class NotFinite(Frames):
    def gain(self, magnitude: Tensor) -> Tensor:
        return super().gain(magnitude) * float("nan")


class Wave(Model):
    """Not causal, and says so: nothing is wrong with it."""

    views = ("waveform",)
    causal = False

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(1, 1, 5, padding=2)

    def forward(self, batch: Batch) -> Estimate:
        return Estimate(batch, waveform=self.layer(batch.noisy[:, None])[:, 0])


class NoStream(Wave):
    causal = True


class Short(Wave):
    def forward(self, batch: Batch) -> Estimate:
        return Estimate(batch, waveform=super().forward(batch).waveform[:, :-1])


class Mismatched(Frames):
    """Its spectrum is not what its gain makes."""

    views = ("gain", "spectrum")

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[dict[str, Tensor], Any]:
        gain = self.gain(spectrum.abs())
        return {"gain": gain, "spectrum": gain.square() * spectrum}, state


class StartsAtZero(Frames):
    """Its last layer is zero at the start, which is right, and hides the look-ahead of what comes before."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(33, 33)
        nn.init.zeros_(self.last.weight)

    def gain(self, magnitude: Tensor) -> Tensor:
        hidden = torch.tanh(self.layer(torch.roll(magnitude, -2, dims=-1).transpose(1, 2)))
        return torch.sigmoid(self.last(hidden)).transpose(1, 2)


class Weighted(Model):
    """A sample-wise gain, offline what `weighted` makes of the signal, in the stream the gain alone."""

    views = ("waveform",)
    causal = True
    delay = 0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def weighted(self, signal: Tensor) -> Tensor:
        return self.weight * signal

    def forward(self, batch: Batch) -> Estimate:
        return Estimate(batch, waveform=self.weighted(batch.noisy))

    def reset(self, batch: int = 1) -> Any:
        return torch.zeros(batch, 0)

    def stream(self, chunk: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.weight * chunk, state

    def flush(self, state: Tensor) -> Tensor:
        return state


class LooksFarAhead(Weighted):
    """A quarter of a second of look-ahead."""

    def weighted(self, signal: Tensor) -> Tensor:
        later = nn.functional.pad(signal, (0, 4000))[:, 4000:]
        return self.weight * (signal + 0.5 * later)


class ForgetsLate(Weighted):
    """Its stream does not know that it is softer after a second."""

    def weighted(self, signal: Tensor) -> Tensor:
        late = torch.arange(signal.shape[1], device=signal.device) >= 16000
        return self.weight * torch.where(late, 0.5 * signal, signal)

"""What a loss sees: a batch and the views of an estimate, and the interface of a loss.

Views are computed once and kept, however many losses ask for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sebench.losses.batch import Batch
from sebench.signal.stft import Stft

__all__ = ["Batch", "Estimate", "Loss", "own_stft"]

#: Transform for an estimate whose model has none, where the loss brings none either: (window_length, hop).
FALLBACK_STFT = (256, 128)


class Estimate:
    """What a model made of a batch, under the views that a loss may ask for.

    At least one of the views is given; `spectrum` follows from `gain` or `mask` and the noisy spectrum, or from
    `waveform`; `waveform` follows from `spectrum`. `gain` and `mask` follow from nothing: a model gives them or not.

    Args:
        batch: the input.
        stft: the model's transform; None for a model without one.
        waveform: `(batch, samples)`.
        spectrum: complex `(batch, bins, frames)`.
        gain: real `(batch, bins, frames)`, to be multiplied with the noisy spectrum.
        mask: complex `(batch, bins, frames)`, to be multiplied with the noisy spectrum.

    Real views are cast to float32.
    """

    def __init__(
        self,
        batch: Batch,
        stft: Stft | None = None,
        *,
        waveform: Tensor | None = None,
        spectrum: Tensor | None = None,
        gain: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        if all(view is None for view in (waveform, spectrum, gain, mask)):
            raise ValueError("an estimate needs at least one of waveform, spectrum, gain, mask")
        if stft is None and waveform is None:
            raise ValueError("an estimate without a waveform needs the transform that its spectrum belongs to")
        self.batch = batch
        self._own_stft = stft
        self._given = {"waveform": waveform, "spectrum": spectrum, "gain": gain, "mask": mask}
        self._kept: dict[Any, Tensor] = {}

    def _keep(self, key: Any, compute: Callable[[], Tensor]) -> Tensor:
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

    @property
    def stft(self) -> Stft:
        """The model's transform, or sqrt-Hann `FALLBACK_STFT` for a model without one."""
        if self._own_stft is None:
            self._own_stft = Stft(*FALLBACK_STFT).to(self.batch.noisy.device)
        return self._own_stft

    def _view(self, name: str) -> Tensor:
        value = self._given[name]
        if value is None:
            given = ", ".join(k for k, v in self._given.items() if v is not None)
            raise ValueError(f"the model gives no view {name!r}; it gives {given}, and waveform and spectrum from that")
        return value

    @property
    def waveform(self) -> Tensor:
        """Enhanced signal.

        Shape:
            returns float32 `(batch, samples)`.
        """
        if self._given["waveform"] is not None:
            return self._given["waveform"].float()
        return self._keep("waveform", lambda: self.stft.inverse(self.spectrum, self.batch.samples))

    @property
    def spectrum(self) -> Tensor:
        """Enhanced spectrum in the model's own transform, not passed through a synthesis.

        Shape:
            returns complex64 `(batch, bins, frames)`.
        """

        def compute() -> Tensor:
            if self._given["spectrum"] is not None:
                return self._given["spectrum"].to(torch.complex64)
            for name in ("mask", "gain"):
                if self._given[name] is not None:
                    return getattr(self, name) * self.batch.spectrum("noisy", self.stft)
            return self.stft(self.batch.mask(self.waveform))

        return self._keep("spectrum", compute)

    @property
    def gain(self) -> Tensor:
        """Real gain on the noisy spectrum.

        Shape:
            returns float32 `(batch, bins, frames)`.

        Raises:
            ValueError: the model gives none.
        """
        return self._view("gain").float()

    @property
    def mask(self) -> Tensor:
        """Complex mask on the noisy spectrum.

        Shape:
            returns complex64 `(batch, bins, frames)`.

        Raises:
            ValueError: the model gives none.
        """
        return self._view("mask").to(torch.complex64)

    def spectrum_in(self, stft: Stft | None) -> Tensor:
        """Spectrum in a loss's own transform; `spectrum` where that is None or the model's.

        Shape:
            returns complex64 `(batch, bins, frames)`.
        """
        if stft is None or stft.key == self.stft.key:
            return self.spectrum
        return self._keep(("spectrum", stft.key), lambda: stft(self.batch.mask(self.waveform)))

    def magnitude_in(self, stft: Stft | None) -> Tensor:
        """Magnitude of `spectrum_in`; for a gain that is not negative, without the detour over complex numbers.

        Shape:
            returns float32 `(batch, bins, frames)`.
        """

        def compute() -> Tensor:
            own = stft is None or stft.key == self.stft.key
            others = (self._given[name] for name in ("waveform", "spectrum", "mask"))
            if own and self._given["gain"] is not None and all(view is None for view in others):
                return self.gain.abs() * self.batch.magnitude("noisy", self.stft)
            return self.spectrum_in(stft).abs()

        return self._keep(("magnitude", None if stft is None else stft.key), compute)


@dataclasses.dataclass(frozen=True)
class _Aside:
    """Modules that are referred to without being submodules."""

    modules: dict[str, nn.Module]


class Loss(nn.Module):
    """One value per utterance.

    Class attributes (literals: the planner reads them from the source text, for the default parameters):
        name, version: identity.
        needs_views: views of the estimate that the loss asks for.
        needs_signals: signals of the batch that it asks for.
        uses: networks of the training stage that it passes the estimate through ("predictor"), given by `attach`.
        phase_blind: whether the phase of the estimate can be anything.
        optimum: where it is smallest: "target" (estimate = target), "any_scale" (any positive multiple of it), "gain"
            (a gain between 0 and 1: 1 where there is no noise, 0 where there is no speech), "none".
        invariances: "level" (estimate and signals times the same factor), "estimate_scale", "polarity" (estimate
            times -1).
        equation, source: what is computed, and where it is from.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    needs_views: tuple[str, ...] = ()
    needs_signals: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    phase_blind: bool = False
    optimum: str = "none"
    invariances: tuple[str, ...] = ()
    equation: str = ""
    source: str = ""
    #: Of losses with a transform of their own; a relation of parameters that a loss does not have says nothing.
    requires: tuple[str, ...] = (
        "window_length is not None or hop is None",
        "window_length is not None or n_fft is None",
        "window_length is None or hop is not None or window_length % 2 == 0",
        "window_length % hop == 0",
        "2 * hop <= window_length",
        "n_fft >= window_length",
    )

    def attach(self, modules: Mapping[str, nn.Module]) -> None:
        """Take the networks that it `uses`; they stay the stage's: they are no part of the loss's own state.

        Raises:
            ValueError: one is not there.
        """
        missing = [name for name in self.uses if name not in modules]
        if missing:
            raise ValueError(f"loss {self.name or type(self).__name__!r} uses {', '.join(missing)}, which is not there")
        self._attached = _Aside({name: modules[name] for name in self.uses})

    def network(self, name: str) -> nn.Module:
        """A network that was attached.

        Raises:
            ValueError: none was.
        """
        attached: _Aside | None = getattr(self, "_attached", None)
        if attached is None:
            raise ValueError(f"loss {self.name!r} uses {name}: attach it first")
        return attached.modules[name]

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """The loss.

        Shape:
            returns float32 `(batch,)`.
        """
        raise NotImplementedError

    def terms(self, estimate: Estimate, batch: Batch) -> dict[str, Tensor]:
        """The parts of the loss by name, unweighted; each `(batch,)`."""
        return self.forward_with_terms(estimate, batch)[1]

    def forward_with_terms(self, estimate: Estimate, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """`forward` and `terms` for the price of one."""
        value = self(estimate, batch)
        return value, {self.name or type(self).__name__: value}


def own_stft(window_length: int | None, hop: int | None, n_fft: int | None) -> Stft | None:
    """A loss's own transform from its parameters; None (the model's) where there is no window length."""
    if window_length is None:
        if hop is not None or n_fft is not None:
            raise ValueError("hop and n_fft are for a loss with its own transform: give window_length too")
        return None
    return Stft(window_length, hop or window_length // 2, n_fft)

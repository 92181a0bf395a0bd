"""The interface of a loss, which compares an estimate with the signals of its batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.signal.stft import Stft

__all__ = ["Batch", "Estimate", "Loss", "own_stft"]


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

"""From the resolved tree of a loss to one object: single items, and weighted sums of trees."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from sebench.config.items import build
from sebench.losses.base import Batch, Estimate, Loss


class WeightedSum(Loss):
    """Sum of losses, each times its weight.

    It needs what any part needs, is phase-blind where all parts are, and is invariant where all parts are.

    Args:
        parts: (weight, loss) pairs, at least one.
    """

    def __init__(self, parts: Sequence[tuple[float, Loss]]) -> None:
        super().__init__()
        self.coefficients = tuple(float(weight) for weight, _ in parts)
        self.parts = nn.ModuleList(loss for _, loss in parts)
        losses = self.losses
        self.needs_views = _union(loss.needs_views for loss in losses)
        self.needs_signals = _union(loss.needs_signals for loss in losses)
        self.uses = _union(loss.uses for loss in losses)
        self.phase_blind = all(loss.phase_blind for loss in losses)
        self.optimum = _common_optimum({loss.optimum for loss in losses})
        self.invariances = tuple(
            name for name in losses[0].invariances if all(name in loss.invariances for loss in losses)
        )
        terms = zip(self.coefficients, losses, strict=True)
        self.equation = " + ".join(f"{weight:g} ({loss.equation})" for weight, loss in terms)
        self.source = "; ".join(dict.fromkeys(loss.source for loss in losses if loss.source))

    @property
    def losses(self) -> list[Loss]:
        """The parts."""
        return [part for part in self.parts if isinstance(part, Loss)]

    def attach(self, modules: Mapping[str, nn.Module]) -> None:
        """See `Loss.attach`."""
        for loss in self.losses:
            loss.attach(modules)

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        return self.forward_with_terms(estimate, batch)[0]

    def forward_with_terms(self, estimate: Estimate, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and the unweighted values of all single losses in the tree by name."""
        total: Tensor | None = None
        found: dict[str, Tensor] = {}
        for weight, loss in zip(self.coefficients, self.losses, strict=True):
            value, terms = loss.forward_with_terms(estimate, batch)
            total = weight * value if total is None else total + weight * value
            for name, term in terms.items():
                found[_free(name, found)] = term
        assert total is not None
        return total, found


def build_loss(tree: Mapping[str, Any]) -> Loss:
    """Build a loss from its resolved tree.

    Args:
        tree: `{"item": {"type": ..., "params": {...}}}` or `{"sum": [{"weight": w, "loss": tree}, ...]}`.

    Raises:
        ValueError: a tree that is neither.
    """
    if "item" in tree:
        loss: Loss = build(tree["item"], kind="loss")
        return loss
    if not tree.get("sum"):
        raise ValueError(f"a loss is {{item: ...}} or {{sum: [...]}} with at least one part, not {dict(tree)}")
    return WeightedSum([(part["weight"], build_loss(part["loss"])) for part in tree["sum"]])


def _union(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted(set(itertools.chain.from_iterable(names))))


def _common_optimum(optima: set[str]) -> str:
    if len(optima) == 1:
        return next(iter(optima))
    return "target" if optima == {"target", "any_scale"} else "none"


def _free(name: str, taken: Mapping[str, Any]) -> str:
    names = itertools.chain([name], (f"{name}_{count}" for count in itertools.count(2)))
    return next(candidate for candidate in names if candidate not in taken)

"""Optimisers with explicit state, around torch's functional fused Adam.

`torch.optim.Adam` as a class imports torch's compiler on first use, which costs each training process two seconds;
the functional form of the same module does not. The update is the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from sebench.errors import DataError, absent

STATE = ("exp_avg", "exp_avg_sq", "step")


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1), with weight decay added to the gradient.

    Args:
        parameters: that are trained; those without a gradient in a step are left alone.
        lr: the base rate; `lr` is what a schedule makes of it.
        weight_decay: factor on the weights.
        betas: decay of the first and of the second moment.
        eps: added to the root of the second moment.
    """

    decoupled: ClassVar[bool] = False

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        *,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.parameters = list(parameters)
        self.base_lr = self.lr = lr
        self.weight_decay = weight_decay
        self.betas = betas
        self.eps = eps
        self.state: dict[str, list[Tensor]] = {
            "exp_avg": [torch.zeros_like(p, requires_grad=False) for p in self.parameters],
            "exp_avg_sq": [torch.zeros_like(p, requires_grad=False) for p in self.parameters],
            "step": [torch.zeros((), device=p.device) for p in self.parameters],
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters from their gradients."""
        used = [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None]
        first, second, steps = ([self.state[name][i] for i in used] for name in STATE)
        adam(
            [self.parameters[i] for i in used],
            [gradient for i in used if (gradient := self.parameters[i].grad) is not None],
            first,
            second,
            [],
            steps,
            foreach=False,
            fused=True,
            amsgrad=False,
            maximize=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.lr,
            weight_decay=self.weight_decay,
            eps=self.eps,
            decoupled_weight_decay=self.decoupled,
        )

    def reset(self) -> None:
        """Forget the moments and the number of steps."""
        for tensor in self.tensors().values():
            tensor.zero_()

    def tensors(self) -> dict[str, Tensor]:
        """The state, as `<name>/<number of the parameter>`."""
        return {f"{name}/{i}": tensor for name in STATE for i, tensor in enumerate(self.state[name])}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave."""
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2)."""

    decoupled = True


OPTIMISERS: Mapping[str, type[Adam]] = {"adam": Adam, "adamw": AdamW}


def build_optimiser(parameters: Sequence[nn.Parameter], spec: Mapping[str, Any]) -> Adam:
    """An optimiser from `{"type", "lr", "weight_decay", "betas"}`.

    Raises:
        DataError: there is no such type.
    """
    kind = spec["type"]
    if kind not in OPTIMISERS:
        raise DataError(absent("optimiser", kind, OPTIMISERS))
    params: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in spec.items() if name != "type"
    }
    return OPTIMISERS[kind](parameters, **params)

"""A GRU that trains about twice as fast on the CPU, with the parameters and the results of `torch.nn.GRU`.

On the CPU autograd records some fifteen small operations a frame. Here the recurrence is one node of the graph: all
that does not depend on the frame before is computed for all frames at once, which leaves six operations a frame forward
and three backward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Gru(nn.GRU):
    """One layer, time first, as `torch.nn.GRU(inputs, hidden)`.

    Args:
        inputs: width of the input.
        hidden: width of the memory.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)

    def forward(self, values: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """The memory at each frame.

        Shape:
            values `(frames, batch, inputs)`, hidden `(1, batch, hidden)` or None for zeros; returns
            `(frames, batch, hidden)`, and the memory after the last frame `(1, batch, hidden)`.
        """
        plain = values.device.type != "cpu" or not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
        if plain:
            output, last = super().forward(values, hidden)
            return output, last
        first = values.new_zeros(values.shape[1], self.hidden_size) if hidden is None else hidden[0]
        output = _Recurrence.apply(  # type: ignore[no-untyped-call]
            values, first, self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        )
        return output, output[-1:]


class _Recurrence(torch.autograd.Function):
    """r, z = sigmoid(gates); n = tanh(W_in x + b_in + r (W_hn h + b_hn)); h' = (1 - z) n + z h."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, first: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:
        frames, batch, _ = values.shape
        width = w_hh.shape[1]
        bias = b_ih.clone()
        bias[: 2 * width] += b_hh[: 2 * width]
        inputs = torch.addmm(bias, values.reshape(frames * batch, -1), w_ih.T).view(frames, batch, 3 * width)
        gate_inputs = inputs[..., : 2 * width].contiguous().unbind(0)
        new_inputs = inputs[..., 2 * width :].contiguous().unbind(0)
        gate_weight, new_weight = w_hh[: 2 * width].T.contiguous(), w_hh[2 * width :].T.contiguous()
        new_bias = b_hh[2 * width :]

        memory = values.new_empty(frames + 1, batch, width)
        memory[0] = first
        gates = values.new_empty(frames, batch, 2 * width)
        recurrent = values.new_empty(frames, batch, width)
        candidate = values.new_empty(frames, batch, width)
        steps = zip(
            memory[:-1].unbind(0),
            memory[1:].unbind(0),
            gate_inputs,
            new_inputs,
            gates.unbind(0),
            gates[..., :width].unbind(0),
            gates[..., width:].unbind(0),
            recurrent.unbind(0),
            candidate.unbind(0),
            strict=True,
        )
        for before, after, gate_input, new_input, gate, reset, update, from_memory, new in steps:
            torch.addmm(gate_input, before, gate_weight, out=gate)
            gate.sigmoid_()
            torch.addmm(new_bias, before, new_weight, out=from_memory)
            torch.addcmul(new_input, reset, from_memory, out=new)
            new.tanh_()
            torch.lerp(new, before, update, out=after)
        ctx.save_for_backward(values, w_ih, w_hh, memory, gates, recurrent, candidate)
        return memory[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        values, w_ih, w_hh, memory, gates, recurrent, candidate = ctx.saved_tensors
        (grad,) = grads
        frames, batch, width = grad.shape
        reset, update = gates[..., :width], gates[..., width:]
        # The derivatives of the three pre-activations are the memory's derivative times factors known beforehand.
        to_new = (1.0 - update) * (1.0 - candidate.square())
        to_update = (memory[:-1] - candidate) * update * (1.0 - update)
        to_reset = to_new * recurrent * reset * (1.0 - reset)
        factors = torch.stack([to_reset, to_update, to_new * reset], dim=2)

        grad_memory = torch.empty_like(memory)
        grad_memory[-1] = grad[-1]
        products = torch.empty_like(factors)
        direct = grad.new_empty(batch, width)
        previous = [grad.new_zeros(batch, width), *grad.unbind(0)[:-1]]
        steps = zip(
            grad_memory[1:].unbind(0),
            grad_memory[1:].unsqueeze(2).unbind(0),
            grad_memory[:-1].unbind(0),
            previous,
            update.unbind(0),
            factors.unbind(0),
            products.unbind(0),
            products.flatten(2).unbind(0),
            strict=True,
        )
        for here, here_thrice, before, above, gate, factor, product, flat in reversed(list(steps)):
            torch.mul(here_thrice, factor, out=product)
            torch.addcmul(above, here, gate, out=direct)
            torch.addmm(direct, flat, w_hh, out=before)

        of_memory = products.flatten(2).flatten(0, 1)
        of_inputs = torch.cat([products[:, :, :2].flatten(2), grad_memory[1:] * to_new], dim=-1).flatten(0, 1)
        return (
            (of_inputs @ w_ih).view_as(values),
            grad_memory[0],
            of_inputs.T @ values.reshape(frames * batch, -1),
            of_memory.T @ memory[:-1].reshape(frames * batch, width),
            of_inputs.sum(0),
            of_memory.sum(0),
        )

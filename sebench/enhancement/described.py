"""A network from the description in a checkpoint, which anybody may have written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sebench.config import items
from sebench.errors import DataError, SebenchError

T = TypeVar("T", bound=nn.Module)


class _TooLarge(DataError):
    """A network would be far larger than its weights."""


class _Budget(TorchDispatchMode):
    """Stops a network that allocates much more, or much more often, than what its weights can need.

    A description may ask for a billion units, or layers: the memory of this machine would be gone before anything
    could be compared. Windows, filters and such are no weights: there is room for them.

    Args:
        weights: of the checkpoint.
        where: whose they are, for the message.
    """

    def __init__(self, weights: Mapping[str, Tensor], where: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elements = 10 * sum(tensor.numel() for tensor in weights.values()) + 50_000_000
        self.calls = 1000 * len(weights) + 100_000
        self.where = where

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls -= 1
        if not any(isinstance(value, Tensor) for value in args):
            self.elements -= max(_sizes(args), default=0)
        if self.calls < 0 or self.elements < 0:
            raise _TooLarge(f"{self.where}: describes a network that is far larger than its weights")
        return func(*args, **(kwargs or {}))


def _sizes(args: Any) -> Iterator[int]:
    for value in args:
        if isinstance(value, (list, tuple)) and all(isinstance(part, int) for part in value):
            yield math.prod(value)
        elif isinstance(value, (int, float)) and math.isfinite(value):
            yield int(abs(value))


def described(description: Any, kind: str, base: type[T], weights: Mapping[str, Tensor], where: str) -> T:
    """Build a network as a checkpoint describes it, with fresh weights.

    Args:
        description: from the file's metadata: a mapping with `type` and `params` if the file is right.
        kind: of item.
        base: what it must be.
        weights: of the file, which say how large it can be.
        where: the file.

    Raises:
        DataError: the description is none, a parameter is not what the network accepts, or it cannot be built.
    """
    if not isinstance(description, dict) or not isinstance(description.get("type"), str):
        raise DataError(f"{where}: describes its {kind} by {_short(description)}; must be a mapping with a type")
    params = description.get("params") or {}
    if not isinstance(params, dict):
        raise DataError(f"{where}: gives its {kind} the parameters {_short(params)}; must be a mapping")
    try:
        item = items.find(kind, description["type"])
    except SebenchError as error:
        raise DataError(f"{where}: {error}") from None
    for name, value in params.items():
        param = item.params.get(name) if item is not None else None
        if param is None:
            continue  # `build` says what is accepted
        try:
            param.validate(value)
        except ValueError as error:
            raise DataError(f"{where}: {kind} parameter {name} is {_short(value)}; accepted: {error}") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise DataError(f"{where}: {kind} parameter {name} is {value}; accepted: a finite number")
    try:
        with _Budget(weights, where):
            network = items.build(description, kind)
    except _TooLarge:
        raise
    except SebenchError as error:
        raise DataError(f"{where}: {error}") from None
    except Exception as error:  # whatever parameters that do not fit each other lead to
        raise DataError(f"{where}: its {kind} cannot be built: {type(error).__name__}: {_short(error)}") from error
    if not isinstance(network, base):
        raise DataError(f"{where}: its {kind} {description['type']!r} is a {type(network).__name__}")
    return network


def _short(value: object) -> str:
    text = str(value) if isinstance(value, Exception) else repr(value)
    return text if len(text) <= 200 else text[:200] + "..."

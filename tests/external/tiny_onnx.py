"""ONNX files for tests, written without a package: gain = sigmoid(slope * feature + offset), bin by bin.

ONNX is protobuf; the numbers of fields are those of `onnx.proto3`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FLOAT = 1
Shape = tuple[int | str, ...]


def write_gain(
    path: Path,
    *,
    slope: float = 0.0,
    offset: float | np.ndarray = 0.0,
    shape: Shape = ("batch", "frames", 161),
    inputs: tuple[str, ...] = ("input",),
    transposed: bool = False,
) -> Path:
    """A network of the signature of NSNet2; `transposed` gives gains of another shape."""
    graph = [
        _message(1, _node("Mul", [inputs[0], "slope"], "scaled")),
        _message(1, _node("Add", ["scaled", "offset"], "moved")),
        _message(1, _node("Sigmoid", ["moved"], "untransposed" if transposed else "output")),
        *([_message(1, _node("Transpose", ["untransposed"], "output"))] if transposed else []),
        _text(2, "gain"),
        _message(5, _tensor("slope", np.float32(slope))),
        _message(5, _tensor("offset", np.asarray(offset, np.float32))),
        *(_message(11, _value(name, shape)) for name in inputs),
        _message(12, _value("output", tuple(f"out{i}" for i in range(len(shape))) if transposed else shape)),
    ]
    opset = _text(1, "") + _number(2, 13)
    path.write_bytes(_number(1, 8) + _message(7, b"".join(graph)) + _message(8, opset))
    return path


def _node(op: str, inputs: list[str], output: str) -> bytes:
    return b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, op)


def _tensor(name: str, values: np.ndarray | np.float32) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, FLOAT) + _text(8, name) + _message(9, values.astype("<f4").tobytes())


def _value(name: str, shape: Shape) -> bytes:
    dims = (_number(1, size) if isinstance(size, int) else _text(2, size) for size in shape)
    tensor = _number(1, FLOAT) + _message(2, b"".join(_message(1, dim) for dim in dims))
    return _text(1, name) + _message(2, _message(1, tensor))


def _varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value % 128 + 128])
        value //= 128
    return found + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())

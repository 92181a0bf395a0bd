"""Checkpoints: safetensors only, so that reading one never runs code (guarantee 5 of the design).

A file holds tensors and one metadata entry of canonical JSON, which includes a checksum of the tensors. Equal contents
give equal bytes. While a stage runs, its state (weights, optimisers, best weights, step, history) is saved
by rename into the attempt's folder. Of weights that a parent run or a file from outside gave, and that have not moved,
the state has the hashes alone (`Given`). What is published holds the weights, all of them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from sebench.artefacts import canonical
from sebench.errors import DataError
from sebench.files import replacing
from sebench.process.lease import Held, attempt_path, newest_generation

log = logging.getLogger(__name__)

METADATA_KEY = "sebench"  # one entry only: the format keeps its metadata in no fixed order
KEEP_FILES = 2
_NAME = "checkpoint-{step:09d}.safetensors"


@dataclass
class Checkpoint:
    """Named tensors and a JSON-able description."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any] = field(default_factory=dict)

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The tensors named `<prefix>/...`, without the prefix."""
        start = f"{prefix}/"
        return {name.removeprefix(start): tensor for name, tensor in self.tensors.items() if name.startswith(start)}

    @property
    def product(self) -> dict[str, Tensor]:
        """Of a published run: the weights of what it trained, without those of other networks (`<network>/...`)."""
        return {name: tensor for name, tensor in self.tensors.items() if "/" not in name}


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a file, by rename, and make sure that it is on the disk before it has its name."""
    tensors = {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in sorted(checkpoint.tensors.items())
    }
    meta = {**checkpoint.meta, "crc32": _checksum(tensors)}
    data = to_safetensors(tensors, metadata={METADATA_KEY: canonical(meta)})
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> Checkpoint:
    """Read a file.

    Raises:
        DataError: it is missing, torn, altered, or not written by sebench.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{path}: no readable safetensors file: {error}") from error
    if METADATA_KEY not in metadata:
        raise DataError(f"{path}: a safetensors file without sebench's description (metadata {METADATA_KEY!r})")
    try:
        meta = json.loads(metadata[METADATA_KEY])
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: its description is no JSON: {error}") from error
    if not isinstance(meta, dict):
        raise DataError(f"{path}: its description is a {type(meta).__name__}; must be a mapping")
    if meta.pop("crc32", None) != _checksum(tensors):
        raise DataError(f"{path}: checksum differs: the file is damaged")
    return Checkpoint(tensors, meta)


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(name.encode(), value)
        value = zlib.crc32(_bytes(tensors[name]), value)
    return value


def _bytes(tensor: Tensor) -> memoryview:
    """Those of a tensor on the CPU, whatever its type: NumPy has no bfloat16."""
    found: memoryview = tensor.reshape(-1).view(torch.uint8).numpy().data
    return found


# What a checkpoint need not hold

LEFT_OUT = "left_out"
#: Name in a checkpoint of a tensor of one of the stage's modules.
MODULE = "module/{module}/{tensor}"


def content_hash(tensor: Tensor) -> str:
    """SHA-256 of a tensor's type, shape and bytes, in hexadecimal."""
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(_bytes(tensor.detach().cpu()))
    return digest.hexdigest()


class Given:
    """The tensors of a stage that are there before it begins: parent runs, or files from outside, gave them.

    A checkpoint leaves out those that are still the same, such as a frozen network, and holds their content hashes
    instead. What trains is given too until it moves. A stage that starts again is given the same; that it is the same
    is compared.

    Args:
        tensors: of a stage that has just started, by their names in a checkpoint.
        sources: who gave -> what.
    """

    def __init__(self, tensors: Mapping[str, Tensor], sources: Mapping[str, Iterable[Tensor]]) -> None:
        known = {content_hash(tensor): source for source, given in sources.items() for tensor in given}
        self._hashes = {name: content_hash(tensor) for name, tensor in tensors.items()} if known else {}
        self._sources = {name: known[found] for name, found in self._hashes.items() if found in known}

    def split(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, dict[str, str]]]:
        """What a checkpoint must hold of these tensors, and of the others who gave them -> name -> content hash."""
        held: dict[str, Tensor] = {}
        left_out: dict[str, dict[str, str]] = {}
        for name, tensor in tensors.items():
            if name in self._sources and content_hash(tensor) == self._hashes[name]:
                left_out.setdefault(self._sources[name], {})[name] = self._hashes[name]
            else:
                self._sources.pop(name, None)  # what has moved is not looked at again
                held[name] = tensor
        return held, left_out

    def complete(self, checkpoint: Checkpoint, tensors: Mapping[str, Tensor], folder: Path) -> Checkpoint:
        """A checkpoint with what it left out.

        Args:
            checkpoint: of this stage, from before. One of the days when nothing was left out by its hash may lack
                networks that were never saved; they are taken as they are.
            tensors: of the stage, which has just started again.
            folder: where the checkpoint is from, for the message.

        Raises:
            DataError: the stage was given something else than before.
        """
        left_out = checkpoint.meta.get(LEFT_OUT)
        if left_out is None:
            start = MODULE.partition("{")[0]
            names = [name for name in self._sources if name.startswith(start) and name not in checkpoint.tensors]
        else:
            names = [name for hashes in left_out.values() for name in hashes]
            for source, hashes in left_out.items():
                for name, before in hashes.items():
                    if self._hashes.get(name) != before:
                        raise DataError(
                            f"{folder}: this run was interrupted with weights of {source}, which are others now: "
                            f"{name} has the content hash {self._hashes.get(name)}, and had {before}. Put them back as "
                            "they were, or delete this folder: the run then starts from its first step"
                        )
        return Checkpoint({**checkpoint.tensors, **{name: tensors[name] for name in names}}, checkpoint.meta)


# A run's checkpoints


class Checkpoints:
    """The checkpoints of a run that is being written.

    Args:
        held: the lease on the run's state folder.
    """

    def __init__(self, held: Held) -> None:
        self.held = held
        self._cleared = False

    def save(self, step: int, checkpoint: Checkpoint) -> None:
        """Save the state after `step` steps; older files are removed once this one is on the disk.

        Raises:
            LeaseLost: another process has taken over.
        """
        self.held.check()
        folder = self.held.attempt_folder
        write(folder / _NAME.format(step=step), checkpoint)
        for old in sorted(folder.glob("checkpoint-*.safetensors"))[:-KEEP_FILES]:
            old.unlink(missing_ok=True)
        if not self._cleared:
            self._cleared = True
            for attempt in self.held.previous_attempts():
                shutil.rmtree(attempt, ignore_errors=True)

    def latest(self) -> Checkpoint | None:
        """The newest valid checkpoint of all attempts."""
        return latest(self.held.folder)


def _candidates(state: Path) -> Iterator[tuple[str, int, Path]]:
    for generation in range(1, newest_generation(state) + 1):
        for path in attempt_path(state, generation).glob("checkpoint-*.safetensors"):
            yield path.name, generation, path


def started(state: Path) -> bool:
    """Whether any checkpoint was written in a state folder."""
    return any(_candidates(state))


def latest(state: Path) -> Checkpoint | None:
    """The newest checkpoint in a state folder that can be read; torn and damaged ones are passed over."""
    for _, _, path in sorted(_candidates(state), reverse=True):
        try:
            return read(path)
        except DataError as error:
            log.warning("passing over a checkpoint: %s", error)
    return None


# Weights of a model


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], where: str, submodule: str = "") -> None:
    """Load weights into a module.

    Args:
        module: that is filled.
        tensors: a whole model's weights.
        where: whose they are, for the message.
        submodule: name of `module` in its model. Where the weights are of a model that has a submodule of that name,
            that part of them is taken, else all of them.

    Raises:
        DataError: names, shapes or types differ, or a weight is not finite.
    """
    start = f"{submodule}."
    if submodule and any(name.startswith(start) for name in tensors):
        tensors = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
    what = submodule or "the model"
    for name, wanted in module.state_dict().items():
        found = tensors.get(name)
        if found is not None and found.dtype != wanted.dtype:
            raise DataError(f"{where}: {name} is of type {found.dtype}; {what} has {wanted.dtype}")
        if found is not None and not bool(found.isfinite().all()):
            raise DataError(f"{where}: {name} holds values that are not finite")
    try:
        module.load_state_dict(dict(tensors), strict=True)
    except RuntimeError as error:
        raise DataError(f"{where}: its weights do not fit {what}: {error}") from error


def submodule_of(model: nn.Module, path: str, purpose: str) -> nn.Module:
    """The submodule at a dotted path, the model itself for "".

    Raises:
        DataError: there is none.
    """
    try:
        return model.get_submodule(path)
    except AttributeError:
        names = ", ".join(name for name, _ in model.named_children())
        raise DataError(f"{purpose}: the model has no submodule {path!r}; it has {names}") from None

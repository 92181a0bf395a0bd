"""A set through a model that others trained and published as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node, Store
from sebench.config import items
from sebench.config.specs import EnhancedSpec, SetSpec
from sebench.errors import DataError
from sebench.external.place import file_of
from sebench.files import sha256_of

if TYPE_CHECKING:
    import numpy as np

    from sebench.external.base import External
    from sebench.synthesis.store import AudioStore


def open_external(node: Node, store: Store) -> External:
    """The model that an enhanced set is made with.

    Raises:
        DataError: its file is not where it was when this was planned, is another one, or is no such model.
    """
    described = dict(EnhancedSpec.of(node.spec).external or {})
    wanted = described.pop("sha256")
    file = file_of(store, wanted)
    if file is None or not file.is_file():
        where = "it is not known where its external model's file lies" if file is None else f"{file} is no file"
        raise DataError(f"{node.stem}: {where}; name the file in config/external and plan again")
    found = sha256_of(file)
    if found != wanted:
        raise DataError(f"{file}: its SHA-256 is {found[:12]}..., not {wanted[:12]}... as planned: plan again with it")
    model: External = items.build(described, "external")
    model.open(file)
    return model


def outputs(model: External, rendered: Node, rows: AudioStore) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
    """Each utterance of a rendered set, enhanced.

    Raises:
        DataError: the set has another sample rate.
    """
    sample_rate = SetSpec.of(rendered.spec).sample_rate
    if model.sample_rate != sample_rate:
        raise DataError(f"{model.name} works at {model.sample_rate} Hz, set {rendered.stem} has {sample_rate} Hz")
    for i in range(len(rows)):
        yield model.enhance(rows.row(i)["noisy"])

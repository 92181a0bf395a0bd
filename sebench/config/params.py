"""`params.yaml`: what `dvc repro` regenerates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import MinLen

from sebench.config.base import Strict
from sebench.config.load import load_file


class Params(Strict):
    """The keys of `params.yaml`."""

    studies: Annotated[list[str], MinLen(1)]
    scale: str
    corpus: str = ""
    profile: str = ""


def read_params(path: Path) -> Params:
    """The file's content.

    Raises:
        ConfigError: it cannot be read, or a key is wrong.
    """
    return load_file(Params, path)

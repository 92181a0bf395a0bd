"""`params.yaml`: what `dvc repro` regenerates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, ValidationError

from sebench.errors import ConfigError, Problem, nearest


class Params(BaseModel):
    """The keys of `params.yaml`."""

    model_config = ConfigDict(extra="forbid")

    studies: Annotated[list[str], MinLen(1)]
    scale: str
    corpus: str = ""
    profile: str = ""


def read_params(path: Path) -> Params:
    """The file's content.

    Raises:
        ConfigError: it cannot be read, or a key is wrong.
    """
    try:
        return Params.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError([Problem(str(path), "params", str(error))]) from error
    except ValidationError as error:
        problems = []
        for mistake in error.errors():
            key = ".".join(str(part) for part in mistake["loc"])
            near = nearest(key, Params.model_fields) if mistake["type"] == "extra_forbidden" else ""
            problems.append(Problem(str(path), key, mistake["msg"], ", ".join(Params.model_fields), near))
        raise ConfigError(problems) from error

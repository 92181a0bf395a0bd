"""`params.yaml`: mistakes are named like those of `config/`."""

from __future__ import annotations

from pathlib import Path

import pytest

from sebench.config.params import read_params
from sebench.errors import ConfigError


def test_the_shipped_file() -> None:
    assert read_params(Path(__file__).parents[2] / "params.yaml").studies == ["two_stage"]


def test_mistakes_have_file_line_and_the_nearest_key(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("studies: []\nscale: demo\ncorpsu: builtin\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_params(path)
    text = str(refused.value)
    assert f"{path}:3: corpsu: unknown key" in text
    assert "did you mean 'corpus'?" in text
    assert f"{path}:1: studies" in text


def test_a_file_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        read_params(tmp_path / "params.yaml")

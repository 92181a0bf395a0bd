"""What all tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sebench.cli import main

Command = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; the test is skipped where there is none."""
    found = Path(os.environ.get("SEBENCH_RECORDINGS") or ROOT / ".." / "shared" / "data").resolve()
    if not (found / "speech").is_dir():
        pytest.skip(f"no real recordings in {found}: set SEBENCH_RECORDINGS to a folder that has them")
    return found


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`sebench WORDS` without a new process: exit code, output, errors. Any other end fails the test."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sebench", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        return int(ended.value.code or 0), found.out, found.err

    return run

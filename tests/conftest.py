"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; the test is skipped where there is none."""
    found = Path(os.environ.get("SEBENCH_RECORDINGS") or ROOT / ".." / "shared" / "data").resolve()
    if not (found / "speech").is_dir():
        pytest.skip(f"no real recordings in {found}: set SEBENCH_RECORDINGS to a folder that has them")
    return found

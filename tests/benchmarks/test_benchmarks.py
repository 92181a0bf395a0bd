"""The benchmarks of rendering, training and scoring run, tiny; named cases write no file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def run(name: str, *words: str) -> str:
    """What a benchmark prints."""
    path = ROOT / "benchmarks" / f"{name}.csv"
    before = path.read_bytes() if path.exists() else None
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(path.with_suffix(".py")), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert (path.read_bytes() if path.exists() else None) == before
    return done.stdout


def test_synthesis() -> None:
    out = run(
        "synthesis", "dry", "reverberant", "--mixtures", "1", "--utterances", "2", "--processes", "2", "--rounds", "1"
    )
    assert re.findall(r"^(.*?)  +\d+ mixtures, .* (\d) process", out, re.MULTILINE) == [
        (case, count) for case in ("dry", "reverberant", "reverberant, kept") for count in "12"
    ]
    assert len(re.findall(r", efficiency \d+\.\d\d$", out, re.MULTILINE)) == 3


def test_metrics() -> None:
    out = run("metrics", "si_sdr", "--clips", "4", "--processes", "2")
    assert re.search(r"^si_sdr +\d+\.\d ms an utterance", out)
    assert re.search(r"^score step, 4 utterances: .* with 2, efficiency \d\.\d\d$", out, re.MULTILINE)


def test_training() -> None:
    out = run("training", "--model", "stage1", "--steps", "1", "--blocks", "1")
    assert re.search(r"^stage1 ", out, re.MULTILINE), out

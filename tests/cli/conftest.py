"""A folder that every command finds something to do in: configuration, a store with a run and a set, recordings."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

from tiny_runs import RATE, make_run, make_set

from sebench.artefacts import Node, Store
from sebench.cli import main
from sebench.training import step as training

Command = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Place:
    """The folder, and what is in it."""

    folder: Path
    store: Store
    run: Node
    rendered: Node


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Made once; not to be changed."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(Path(__file__).parents[2] / "config", folder / "config")
    store = Store(folder / "results")
    run = make_run(store)
    training.run(run, store)
    rendered = make_set(store, "listen", 2, 3)
    wave = 0.1 * np.sin(2 * np.pi * 300 / RATE * np.arange(RATE))
    for name in ("in.wav", "clean.wav"):
        soundfile.write(folder / name, wave, RATE, subtype="FLOAT")
    (folder / "a_file").write_text("neither a folder nor audio")
    return Place(folder, store, run, rendered)


@pytest.fixture
def place(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy, and the current folder."""
    folder = tmp_path / "place"
    shutil.copytree(made.folder, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("SEBENCH_DEVICE", raising=False)
    monkeypatch.delenv("SEBENCH_RECORDINGS", raising=False)
    return Place(folder, Store("results"), made.run, made.rendered)


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

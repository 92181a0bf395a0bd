"""A folder that every command finds something to do in: configuration, a store with a run and a set, recordings."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

from place import Place
from tiny_runs import RATE, make_run, make_set

from sebench.artefacts import Store
from sebench.training import step as training


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

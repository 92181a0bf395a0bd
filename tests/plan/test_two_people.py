"""Recordings of two people never share an id; order, time stamps and names of folders mean nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.plan.nodes import corpus_node

SHIPPED = Path(__file__).parents[2] / "config"


def tree(root: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    for split in ("train", "valid", "test"):
        for role, name in (("speech", f"speaker-{split}"), ("noise", f"kind-{split}")):
            path = root / role / split / name / "a.wav"
            path.parent.mkdir(parents=True)
            soundfile.write(path, 0.1 * rng.standard_normal(16000 * 2), 16000)
    return root


def identity(root: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SEBENCH_RECORDINGS", str(root))
    return corpus_node(load_config(SHIPPED), Store(store), "recordings").id


def test_other_files_of_the_same_names_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tree(tmp_path / "one", 1), tree(tmp_path / "other", 2)
    sizes = [[p.stat().st_size for p in sorted(root.rglob("*.wav"))] for root in (one, other)]
    assert sizes[0] == sizes[1]
    assert identity(one, tmp_path / "r1", monkeypatch) != identity(other, tmp_path / "r2", monkeypatch)


def test_a_copy_elsewhere_is_the_same_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = tree(tmp_path / "one", 1)
    copy = tmp_path / "copy"
    for path in sorted(one.rglob("*.wav"), reverse=True):  # another order of arrival
        (copy / path.relative_to(one)).parent.mkdir(parents=True)
        shutil.copyfile(path, copy / path.relative_to(one))
    assert identity(one, tmp_path / "r", monkeypatch) == identity(copy, tmp_path / "r", monkeypatch)


def test_a_touched_file_is_the_same_file_and_a_changed_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path / "one", 1)
    before = identity(root, tmp_path / "r", monkeypatch)
    path = next(root.rglob("*.wav"))
    os.utime(path, (1, 1))
    assert identity(root, tmp_path / "r", monkeypatch) == before
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1  # one bit, at no special place
    path.write_bytes(bytes(data))
    assert identity(root, tmp_path / "r", monkeypatch) != before

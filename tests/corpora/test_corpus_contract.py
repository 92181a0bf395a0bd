"""What holds for every corpus, whoever adds it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_corpora import (
    make_chime2,
    make_dns_challenge,
    make_folder_corpus,
    make_ms_snsd,
    make_voicebank,
    make_wsj0,
)

from sebench.config.items import build, registry
from sebench.corpora.audio import file_of, read
from sebench.corpora.fingerprint import fingerprint
from sebench.corpora.manifest import COLUMNS, OPTIONAL, SPLITS, check
from sebench.corpora.separation import separation_problems
from sebench.errors import DataError

SMALL = {
    "builtin": {
        "train_utterances": 3,
        "valid_utterances": 1,
        "test_utterances": 1,
        "noise_files": 1,
        "noise_seconds": 1.0,
    }
}
TREES = {
    "chime2_wsj0": make_chime2,
    "dns_challenge": make_dns_challenge,
    "folder": make_folder_corpus,
    "ms_snsd": make_ms_snsd,
    "voicebank_demand": make_voicebank,
    "wsj0": make_wsj0,
}
NAMES = sorted(registry("corpus"))


@pytest.fixture(scope="module", params=NAMES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp(request.param)
    if request.param in TREES:
        TREES[request.param](root)
    corpus = build({"type": request.param, "params": SMALL.get(request.param, {})}, kind="corpus")
    return corpus, root, corpus.build(root, root, 1)


def test_all_are_registered():
    assert {"builtin", *TREES} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_facts_read_from_the_source_are_those_of_the_class(name: str):
    item = registry("corpus")[name]
    corpus = build({"type": name, "params": {}}, kind="corpus")
    assert corpus.name == name
    for fact in ("version", "needs_root", "paired", "packages", "source"):
        assert getattr(item.facts, fact) == getattr(corpus, fact)
    assert item.title


def test_manifest_follows_the_schema(built):
    corpus, _, manifest = built
    check(manifest.frame)
    assert [name for name in COLUMNS if name in manifest.frame or name not in OPTIONAL] == list(manifest.frame.columns)
    assert manifest.rejected == []
    splits = manifest.frame.groupby("role")["split"].agg(set)
    assert splits["speech"] == set(SPLITS)
    if not corpus.paired:  # validation without noise of its own shares that of training
        assert {"train", "test"} <= splits["noise"]


def test_published_mixtures_are_announced_to_the_planner(built):
    corpus, root, manifest = built
    noisy = manifest.frame[manifest.frame.role == "noisy"]
    parts = sorted(set(noisy.part) - {""})
    assert sorted(corpus.published_parts(root)) == parts
    assert "test" in set(noisy.split) if corpus.paired else (noisy.part != "").all()
    for part in parts:
        assert set(noisy.loc[noisy.part == part, "split"]) == {"test"}
    if corpus.paired:
        told = noisy.loc[(noisy.part == "") & (noisy.split == "test"), "snr_db"].dropna()
        assert set(told) == set(corpus.published_snr_db(root, "test"))


def test_rows_tell_the_truth_about_their_files(built):
    _, root, manifest = built
    for row in manifest.frame.itertuples():
        path = root / row.path
        info = soundfile.info(file_of(path))
        assert (info.samplerate, info.channels, info.frames) == (row.sample_rate, row.channels, row.samples)
        assert row.seconds == pytest.approx(row.samples / row.sample_rate)
        assert hashlib.sha256(file_of(path).read_bytes()).hexdigest() == row.sha256
        samples = read(path)
        assert samples.dtype == np.float32
        assert samples.shape == (pytest.approx(row.seconds * 16000, abs=2),)


def test_splits_are_separate(built):
    assert separation_problems(built[2].frame) == []


def test_outcome_depends_neither_on_processes_nor_on_the_place(built, tmp_path: Path):
    corpus, root, manifest = built
    if corpus.needs_root:
        other = corpus.build(root, root, 2)
        link = tmp_path / "elsewhere"
        link.symlink_to(root)
        pd.testing.assert_frame_equal(corpus.build(link, link, 1).frame, manifest.frame)
    else:
        other = corpus.build(tmp_path, tmp_path, 2)
    pd.testing.assert_frame_equal(other.frame, manifest.frame)


def test_fingerprint_covers_every_file_of_the_manifest(built):
    corpus, root, manifest = built
    files = list(corpus.files(root))
    if not corpus.needs_root:
        assert files == []
        return
    assert {file_of(root / path) for path in manifest.frame.path} <= set(files)
    before = fingerprint(root, files)
    victim = file_of(root / manifest.frame.path.iloc[-1])
    data = victim.read_bytes()
    victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert fingerprint(root, corpus.files(root)) != before
    victim.write_bytes(data)
    assert fingerprint(root, corpus.files(root)) == before


@pytest.mark.parametrize("name", sorted(TREES))
def test_an_empty_root_is_refused_by_name(name: str, tmp_path: Path):
    with pytest.raises(DataError, match=str(tmp_path)):
        list(build({"type": name, "params": {}}, kind="corpus").files(tmp_path))


def test_planning_needs_no_numpy():
    modules = [f"sebench.corpora.{name}" for name in ("base", "fingerprint", "manifest", "audio", *NAMES)]
    code = f"import sys, {', '.join(modules)}; print({{'numpy', 'torch', 'pandas', 'scipy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""The folder corpus on real recordings, where there are any."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from sebench.corpora.folder import Folder
from sebench.corpora.separation import separation_problems

ROLES = {"speech": "speech", "noise": "noise", "rir": "rir", "noisy_real": "noisy"}
ROOT = Path(os.environ.get("SEBENCH_RECORDINGS", Path(__file__).parents[2] / ".." / "shared" / "data"))


@pytest.mark.skipif(not (ROOT / "manifest.csv").exists(), reason=f"no recordings in {ROOT}: set SEBENCH_RECORDINGS")
def test_every_recording_is_taken_as_its_own_manifest_says():
    manifest = Folder().build(ROOT, ROOT, 2)
    with (ROOT / "manifest.csv").open(encoding="utf-8", newline="") as file:
        listed = {r["path"]: r for r in csv.DictReader(file) if r["path"].split("/")[0] in ROLES}
    assert manifest.rejected == []
    assert set(manifest.frame.path) == set(listed)
    for row in manifest.frame.itertuples():
        assert row.role == ROLES[row.path.split("/")[0]]
        assert row.part == ("real" if row.role == "noisy" else "")
        assert (row.sha256, row.split, row.licence) == tuple(
            listed[row.path][k] for k in ("sha256", "split", "licence")
        )
    assert separation_problems(manifest.frame) == []

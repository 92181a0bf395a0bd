"""The manifest's rules, each broken once; and whether shared recordings are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sebench.corpora.manifest import check, make, read_manifest
from sebench.corpora.separation import separation_problems
from sebench.errors import DataError
from sebench.files import write_parquet
from sebench.seeding import seed_of


def row(path: str, role: str, split: str, **facts: Any) -> dict[str, Any]:
    base = {"seconds": 1.0, "sample_rate": 16000, "channels": 1, "samples": 16000, "sha256": f"{seed_of(path):064x}"}
    return {"id": path, "path": f"{path}.wav", "role": role, "split": split, **base, **facts}


@pytest.fixture
def frame() -> pd.DataFrame:
    rows = [row(f"speech/{s}", "speech", s, speaker=f"spk-{s}") for s in ("train", "valid", "test")]
    rows += [row(f"noise/{s}", "noise", s, kind=s) for s in ("train", "valid", "test")]
    rows += [row(f"rir/{s}", "rir", s, kind=f"room-{s}") for s in ("train", "test")]
    rows += [row("noisy/test", "noisy", "test", speaker="spk-test", kind="bus", snr_db=2.5, pair="speech/test")]
    rows += [row("noisy/other", "noisy", "test", speaker="spk-test", pair="speech/test", part="set1")]
    rows += [row("noisy/real", "noisy", "test", speaker="someone", part="real")]
    return make(rows).frame


def test_a_good_manifest_survives_writing_and_reading(frame: pd.DataFrame, tmp_path: Path):
    write_parquet(tmp_path / "manifest.parquet", frame)
    pd.testing.assert_frame_equal(read_manifest(tmp_path / "manifest.parquet"), frame)
    with pytest.raises(DataError, match="no such manifest"):
        read_manifest(tmp_path / "other.parquet")


def setting(column: str, value: Any, name: str = "noise/test") -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame.copy()
        changed.loc[changed["id"] == name, column] = value
        return changed

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="pair"), "columns are"),
        (lambda f: f[[*f.columns[1:], "id"]], "columns are"),
        (lambda f: f.astype({"samples": "float64"}), "column samples is float64"),
        (lambda f: f.iloc[::-1].reset_index(drop=True), "not sorted"),
        (lambda f: pd.concat([f, f]).sort_values("id"), "id occurs more than once"),
        (setting("role", "music"), "role is none of"),
        (setting("split", "dev"), "split is none of"),
        (setting("path", "/abs/x.wav"), "not a relative path"),
        (setting("path", "../x.wav"), "not a relative path"),
        (setting("seconds", 0.0), "not positive"),
        (setting("sha256", "abc"), "64 hexadecimal digits"),
        (setting("kind", ""), "without a kind"),
        (setting("pair", "speech/test"), "a pair, where the role is not noisy"),
        (setting("pair", "speech/none", "noisy/test"), "pair is no speech id of its split: noisy/test.wav"),
        (setting("pair", "speech/train", "noisy/test"), "pair is no speech id of its split: noisy/test.wav"),
        (setting("snr_db", 3.0), "an SNR, where there is no pair"),
        (setting("snr_db", 3.0, "noisy/real"), "an SNR, where there is no pair or another role .*: noisy/real.wav"),
        (setting("part", "real"), "a part, where the role is not noisy"),
        (setting("speaker", "", "noisy/real"), "without a speaker"),
        (setting("licence", None), "missing value"),
    ],
)
def test_every_rule_can_be_broken(frame: pd.DataFrame, change: Callable, message: str):
    check(frame)
    with pytest.raises(DataError, match=message):
        check(change(frame))


def test_what_a_row_does_not_say_is_empty(frame: pd.DataFrame):
    rows = frame.set_index("id")
    assert rows.loc["noisy/test", "part"] == ""
    assert rows.loc["noisy/real", ["pair", "kind"]].tolist() == ["", ""]
    assert rows.loc[["noisy/real", "noisy/other"], "snr_db"].isna().all()


def share(frame: pd.DataFrame, role: str, column: str, first: str, second: str) -> list[str]:
    value = frame.loc[(frame.role == role) & (frame.split == first), column].iloc[0]
    frame.loc[(frame.role == role) & (frame.split == second), column] = value
    return separation_problems(frame)


@pytest.mark.parametrize(
    ("role", "column", "first", "second", "message"),
    [
        ("speech", "speaker", "train", "test", "speaker spk-train occurs in train and test"),
        ("speech", "speaker", "train", "valid", "speaker spk-train occurs in train and valid"),
        ("speech", "sha256", "valid", "test", "speech file"),
        ("noise", "sha256", "train", "test", "noise file"),
        ("rir", "kind", "train", "test", "room room-train occurs in train and test"),
        ("rir", "sha256", "train", "test", "impulse response"),
    ],
)
def test_shared_recordings_are_found(
    frame: pd.DataFrame, role: str, column: str, first: str, second: str, message: str
):
    assert separation_problems(frame) == []
    problems = share(frame, role, column, first, second)
    assert len(problems) == 1
    assert message in problems[0]


def test_a_noisy_file_of_the_test_is_found_in_training(frame: pd.DataFrame):
    real = row("noisy/train", "noisy", "train", speaker="another", part="real")
    real["sha256"] = frame.set_index("id").loc["noisy/real", "sha256"]
    problems = separation_problems(make([*frame.to_dict("records"), real]).frame)
    assert len(problems) == 1
    assert problems[0].startswith("noisy file")
    assert "noisy/train.wav, noisy/real.wav" in problems[0]


def test_test_sets_may_share_clean_files(frame: pd.DataFrame):
    twice = row("noisy/wet", "noisy", "test", speaker="spk-test", pair="speech/test", part="with_reverb")
    assert separation_problems(make([*frame.to_dict("records"), twice]).frame) == []


def test_training_and_validation_may_share_noise(frame: pd.DataFrame):
    assert share(frame, "noise", "sha256", "train", "valid") == []
    assert share(frame, "noise", "kind", "train", "test") == []

"""The folder corpus: layouts, splits, and every reason for which a file is left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from sebench.config.mixing import Mixing
from sebench.corpora.folder import Folder
from sebench.errors import DataError
from sebench.synthesis.mixture import render_mixture
from sebench.synthesis.plan import plan_mixtures

SPEECH = "speech/train/a"


def reasons(root: Path) -> dict[str, str]:
    return {entry["path"]: entry["reason"] for entry in Folder().build(root, root, 1).rejected}


def test_rates_channels_and_depth_are_kept_and_facts_are_filled_in(folder_root: Path):
    frame = Folder().build(folder_root, folder_root, 1).frame.set_index("path")
    deep = frame.loc["speech/train/a/deeper/chapter/1.WAV"]
    assert (deep.speaker, deep.sample_rate, deep.channels, deep.id) == (
        "a",
        44100,
        2,
        "speech/train/a/deeper/chapter/1",
    )
    assert tuple(frame.loc["speech/train/a/0.flac", ["licence", "source"]]) == ("CC0", "somewhere")
    assert tuple(frame.loc["speech/train/a/1.flac", ["licence", "source"]]) == ("", "")


def test_real_recordings_are_a_part_of_the_test_split(folder_root: Path, write, write_samples):
    write(folder_root / "noisy_real/phone/deep/y.wav", seconds=0.3)
    write(folder_root / "noisy_real/loose.wav")
    write_samples(folder_root / "noisy_real/radio/loud.wav", np.clip(3 * np.sin(np.arange(16000) / 20), -1, 1))
    (folder_root / "manifest.csv").write_text("path,licence,source\nnoisy_real/phone/x.wav,MIT,a phone\n")
    manifest = Folder().build(folder_root, folder_root, 1)
    rows = manifest.frame[manifest.frame.role == "noisy"].set_index("path")
    assert sorted(rows.index) == [f"noisy_real/{name}.wav" for name in ("phone/deep/y", "phone/x", "radio/loud")]
    assert set(rows.split) == {"test"}
    assert set(rows.part) == {"real"}
    assert (rows[["pair", "kind"]] == "").all(axis=None)
    assert rows.snr_db.isna().all()
    assert rows.speaker.to_dict()["noisy_real/phone/deep/y.wav"] == "noisy_real/phone"
    assert rows.loc["noisy_real/phone/x.wav", ["licence", "source", "sample_rate", "channels"]].tolist() == [
        "MIT", "a phone", 44100, 2,
    ]  # fmt: skip
    assert manifest.rejected == [
        {"path": "noisy_real/loose.wav", "reason": "not in the layout: expected a file in noisy_real/SOURCE/"}
    ]
    mixtures = plan_mixtures(manifest.frame, split="test", count=None, seed=0, mixing=Mixing(), part="real")
    assert sorted(mixtures["paired_path"]) == sorted(rows.index)
    for row in mixtures.to_dict("records"):
        assert set(render_mixture(row, folder_root)) == {"noisy"}  # type: ignore[arg-type]
    drawn = plan_mixtures(manifest.frame, split="test", count=4, seed=0, mixing=Mixing())
    assert (drawn["paired_path"] == "").all()


def test_without_real_recordings_there_is_no_part(folder_root: Path):
    assert list(Folder().published_parts(folder_root)) == ["real"]
    shutil.rmtree(folder_root / "noisy_real")
    assert list(Folder().published_parts(folder_root)) == []


def test_files_that_differ_in_suffix_only_keep_ids_of_their_own(folder_root: Path, write):
    write(folder_root / SPEECH / "0.wav")
    frame = Folder().build(folder_root, folder_root, 1).frame
    assert {f"{SPEECH}/0.flac", f"{SPEECH}/0.wav"} <= set(frame.id)


def test_unreadable_files(folder_root: Path):
    (folder_root / SPEECH / "text.wav").write_text("this is no audio")
    (folder_root / SPEECH / "nothing.flac").write_bytes(b"")
    found = reasons(folder_root)
    assert found[f"{SPEECH}/text.wav"].startswith("unreadable: cannot be read as audio")
    assert "0 bytes" in found[f"{SPEECH}/nothing.flac"]


@pytest.mark.parametrize(
    ("name", "samples", "reason"),
    [
        ("silent", np.zeros(16000), "silent"),
        ("cancels", np.stack([np.ones(16000), -np.ones(16000)], 1) * np.linspace(0.1, 0.5, 16000)[:, None], "silent"),
        ("short", 0.1 * np.ones(4000), "too short: 0.250 s, less than min_seconds = 0.5"),
        ("nan", np.r_[0.1 * np.ones(16000), np.nan], "not finite: 1 samples"),
        ("clipped", np.clip(3 * np.sin(np.arange(16000) / 20), -1, 1), "clipped"),
        ("empty", np.zeros(0), "unreadable: holds no samples"),
    ],
)
def test_unusable_samples(folder_root: Path, write_samples, name: str, samples: np.ndarray, reason: str):
    write_samples(folder_root / SPEECH / f"{name}.wav", samples)
    assert reasons(folder_root).keys() == {f"{SPEECH}/{name}.wav"}
    assert reasons(folder_root)[f"{SPEECH}/{name}.wav"].startswith(reason)


def test_touching_full_scale_is_not_clipping(folder_root: Path, write_samples):
    peak = np.sin(np.arange(16000) / 3.0)
    write_samples(folder_root / SPEECH / "peak.wav", peak / np.abs(peak).max())
    assert reasons(folder_root) == {}


def test_impulse_responses_may_be_short(folder_root: Path, write):
    write(folder_root / "rir/train/booth/0.wav", seconds=0.05)
    assert reasons(folder_root) == {}


def test_files_outside_the_layout(folder_root: Path, write):
    write(folder_root / "speech/train/loose.wav")
    write(folder_root / "noise/spare/hum/0.wav")
    found = reasons(folder_root)
    assert set(found) == {"speech/train/loose.wav", "noise/spare/hum/0.wav"}
    assert all("not in the layout" in reason for reason in found.values())


def test_strict_stops_and_names_the_files(folder_root: Path, write_samples):
    write_samples(folder_root / SPEECH / "silent.wav", np.zeros(16000))
    with pytest.raises(DataError, match=r"silent\.wav: silent"):
        Folder(strict=True).build(folder_root, folder_root, 1)


@pytest.mark.parametrize("gone", ["speech/valid", "noise/test", "rir/test", "noise"])
def test_a_missing_split_is_named_with_what_was_found(folder_root: Path, gone: str):
    shutil.rmtree(folder_root / gone)
    role, _, split = gone.partition("/")
    with pytest.raises(DataError, match=rf"{folder_root / role}: nothing usable for {split or 'train, valid, test'}"):
        Folder().build(folder_root, folder_root, 1)


def test_impulse_responses_and_their_valid_split_may_be_missing(folder_root: Path):
    frame = Folder().build(folder_root, folder_root, 1).frame
    assert set(frame.loc[frame.role == "rir", "split"]) == {"train", "test"}
    shutil.rmtree(folder_root / "rir")
    assert "rir" not in set(Folder().build(folder_root, folder_root, 1).frame.role)


def test_without_split_folders_whole_speakers_and_kinds_are_dealt(tmp_path: Path, write):
    for number in range(10):
        write(tmp_path / f"speech/s{number}/0.wav")
        write(tmp_path / f"speech/s{number}/1.wav")
    for kind in ("hum", "rain", "street"):
        write(tmp_path / f"noise/{kind}/0.wav")
    frame = Folder(valid_fraction=0.1, test_fraction=0.3).build(tmp_path, tmp_path, 1).frame
    speech = frame[frame.role == "speech"]
    assert (speech.groupby("speaker").split.nunique() == 1).all()
    assert speech.groupby("split").speaker.nunique().to_dict() == {"test": 3, "train": 6, "valid": 1}
    assert set(frame.loc[frame.role == "noise", "split"]) == {"train", "valid", "test"}
    other = Folder(valid_fraction=0.1, test_fraction=0.3).build(tmp_path, tmp_path, 1).frame
    assert other.equals(frame)


def test_too_few_speakers_to_deal(tmp_path: Path, write):
    for name in ("ann", "ben"):
        write(tmp_path / f"speech/{name}/0.wav")
    with pytest.raises(DataError, match=r"2 SPEAKER folders \(ann, ben\) are too few"):
        Folder().build(tmp_path, tmp_path, 1)


def test_links_are_followed_but_not_in_circles(folder_root: Path, tmp_path: Path, write):
    write(tmp_path / "other/x.wav")
    (folder_root / "speech/train/linked").symlink_to(tmp_path / "other")
    (folder_root / "speech/train/linked/circle").symlink_to(folder_root)
    paths = set(Folder().build(folder_root, folder_root, 1).frame.path)
    assert "speech/train/linked/x.wav" in paths
    assert not any("circle/speech" in path for path in paths)


def test_a_table_without_paths_is_refused(folder_root: Path):
    (folder_root / "manifest.csv").write_text("file,licence\nx,y\n")
    with pytest.raises(DataError, match="no column `path`; found: file, licence"):
        Folder().build(folder_root, folder_root, 1)

"""MS-SNSD on a small tree with published names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.config.mixing import Mixing
from sebench.corpora.ms_snsd import FOLDERS, MsSnsd
from sebench.errors import DataError
from sebench.synthesis.mixture import render_mixture
from sebench.synthesis.plan import plan_mixtures


def test_folders_tell_the_split_and_names_the_speaker_and_the_kind(snsd_root: Path):
    frame = MsSnsd().build(snsd_root, snsd_root, 1).frame
    speech = frame[frame.role == "speech"]
    assert set(speech[speech.split != "test"].speaker) == {
        "p234", "p241", "clean_train/clnsp10", "clean_train/clnsp11",
    }  # fmt: skip
    assert sorted(speech[speech.split == "test"].speaker) == ["clean_test/clnsp0", "clean_test/clnsp10"]
    assert speech.groupby("speaker").split.nunique().max() == 1
    assert speech[speech.split == "valid"].speaker.nunique() == 1
    noise = frame[frame.role == "noise"]
    assert noise.groupby("split").kind.agg(sorted).to_dict() == {
        "train": ["AirConditioner", "Babble"], "test": ["AirConditioner", "Babble"],
    }  # fmt: skip
    assert not frame.path.str.startswith("NoisySpeech").any()


def test_the_share_that_validates_is_a_parameter(snsd_root: Path):
    frame = MsSnsd(valid_fraction=0.5).build(snsd_root, snsd_root, 1).frame
    assert frame[(frame.role == "speech") & (frame.split == "valid")].speaker.nunique() == 2


def test_validation_shares_the_noise_of_training(snsd_root: Path):
    frame = MsSnsd().build(snsd_root, snsd_root, 1).frame
    for split, folder in (("valid", "noise_train"), ("test", "noise_test")):
        row = plan_mixtures(frame, split=split, count=1, seed=0, mixing=Mixing()).to_dict("records")[0]
        assert row["noise_path"].startswith(folder)
        assert len(render_mixture(row, snsd_root)["noisy"]) == 12800  # type: ignore[arg-type]


@pytest.mark.parametrize("gone", sorted(FOLDERS))
def test_what_is_missing_is_named_with_where_to_get_it(snsd_root: Path, gone: str):
    shutil.rmtree(snsd_root / gone)
    for call in (MsSnsd().files, lambda root: MsSnsd().build(root, root, 1)):
        with pytest.raises(DataError, match=rf"{snsd_root / gone}: .*microsoft/MS-SNSD"):
            call(snsd_root)


def test_one_speaker_is_too_few_to_validate(snsd_root: Path):
    for path in (snsd_root / "clean_train").glob("*.wav"):
        if not path.name.startswith("p234"):
            path.unlink()
    with pytest.raises(DataError, match="no usable speech is left for valid"):
        MsSnsd().build(snsd_root, snsd_root, 1)

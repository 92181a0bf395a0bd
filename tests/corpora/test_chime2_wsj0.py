"""CHiME-2, WSJ0 track, on small trees with the published names, in the places that SNRs and speakers may have."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_corpora import CHIME2_LAYOUTS, make_chime2, write_audio, write_pair
from typer.testing import CliRunner

from sebench.artefacts import Store
from sebench.cli import app
from sebench.config.load import load_config
from sebench.config.mixing import Mixing
from sebench.corpora.chime2_wsj0 import Chime2Wsj0
from sebench.corpora.manifest import Manifest
from sebench.errors import ConfigError, DataError, SebenchError
from sebench.plan.build import build_plan
from sebench.plan.nodes import check_published_snrs
from sebench.synthesis.mixture import render_mixture
from sebench.synthesis.plan import plan_mixtures

SHIPPED = Path(__file__).parents[2] / "config"
SIX = [-6.0, -3.0, 0.0, 3.0, 6.0, 9.0]


def build(root: Path, **params: str) -> Manifest:
    return Chime2Wsj0(**params).build(root, root, 1)  # type: ignore[arg-type]


def mixtures(manifest: Manifest, split: str, snr_db: float | None = None) -> list[dict[str, object]]:
    frame = plan_mixtures(manifest.frame, split=split, count=None, seed=0, mixing=Mixing(), snr_db=snr_db)
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


@pytest.mark.parametrize("layout", sorted(CHIME2_LAYOUTS))
def test_rows_say_what_the_folders_say_wherever_they_are(tmp_path: Path, layout: str):
    root = make_chime2(tmp_path, layout)
    manifest = build(root)
    assert manifest.rejected == []
    noisy = manifest.frame[manifest.frame.role == "noisy"].set_index("id")
    counted = {"train": (3, {"011", "012"}), "valid": (6, {"051"}), "test": (12, {"440", "22g"})}
    for split, (count, speakers) in counted.items():
        rows = noisy[noisy.split == split]
        assert (len(rows), set(rows.speaker)) == (count, speakers)
    assert sorted(noisy.loc[noisy.split == "train", "snr_db"]) == SIX[:3]
    assert sorted(noisy.loc[noisy.split == "test", "snr_db"]) == sorted(SIX * 2)
    for name, row in noisy.iterrows():
        stem = str(name).rpartition("/")[2]
        assert row.pair.startswith("scaled/")
        assert row.pair.rpartition("/")[2] == stem
        assert row.split == "train" or row.pair == f"scaled{str(name).removeprefix('isolated')}"


def test_noise_is_isolated_less_scaled_to_the_bit_and_only_the_left_channel_is_tested(chime2_root: Path):
    rows = mixtures(build(chime2_root, train_channels="both"), "test", 3.0)
    assert len(rows) == 2
    for row in rows:
        signals = render_mixture(row, chime2_root)
        files = [str(row[name]).removesuffix("#left") for name in ("paired_path", "speech_path")]
        noisy, clean = (soundfile.read(chime2_root / file, dtype="float32")[0][:, 0] for file in files)
        np.testing.assert_array_equal(signals["noise"], noisy - clean)
        np.testing.assert_array_equal(signals["noisy"], noisy)
        np.testing.assert_array_equal(signals["clean"], clean)


def test_both_channels_of_a_training_file_are_two_utterances(chime2_root: Path):
    left, both = build(chime2_root).frame, build(chime2_root, train_channels="both").frame
    pd.testing.assert_frame_equal(both[both.id.str.endswith("#left")].reset_index(drop=True), left)
    assert left.id.str.endswith("#left").all()
    assert set(both.loc[both.id.str.endswith("#right"), "split"]) == {"train"}
    rows = mixtures(build(chime2_root, train_channels="both"), "train")
    assert len(rows) == 2 * 3
    for row in rows:
        file, _, channel = str(row["paired_path"]).rpartition("#")
        expected = soundfile.read(chime2_root / file, dtype="float32")[0][:, ["left", "right"].index(channel)]
        np.testing.assert_array_equal(render_mixture(row, chime2_root)["noisy"], expected)


def test_the_vocabulary_chooses_the_lists(chime2_root: Path):
    frame = build(chime2_root, vocabulary="5k").frame
    assert set(frame.path.str.split("/").str[1]) == {"si_tr_s", "si_dt_05", "si_et_05"}
    assert not any("_20" in str(path) for path in Chime2Wsj0(vocabulary="5k").files(chime2_root))


def test_speakers_do_not_cross_splits(chime2_root: Path):
    write_pair(chime2_root, "si_et_20", "011c0299", "0dB", "{snr}", "{snr}")
    with pytest.raises(DataError, match="speaker 011 occurs in train and test"):
        mixtures(build(chime2_root), "train")


@pytest.mark.parametrize(("gone", "left"), [("scaled", "isolated"), ("isolated", "scaled")])
def test_a_file_without_its_partner_is_left_out(chime2_root: Path, gone: str, left: str):
    (chime2_root / gone / "si_et_20/3dB/440/440c0401.wav").unlink()
    manifest = build(chime2_root)
    path = "si_et_20/3dB/440/440c0401.wav"
    assert manifest.rejected == [{"path": f"{left}/{path}", "reason": f"has no partner in {gone}/si_et_20"}]
    assert not manifest.frame.path.str.contains(path).any()
    assert len(manifest.frame) == 2 * (3 + 6 + 12 - 1)


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"sample_rate": 8000, "channels": 2}, "8000 Hz, 2 channels; accepted: 16000 Hz, 2 channels"),
        ({"channels": 1}, "16000 Hz, 1 channels; accepted"),
        ({"channels": 2, "seconds": 0.7}, "clean has 12800 samples, noisy 11200"),
    ],
)
def test_what_is_not_as_published_is_left_out_as_a_pair(chime2_root: Path, form: dict[str, int], reason: str):
    write_audio(chime2_root / "isolated/si_tr_s/m6dB/011/011c0201.wav", **form)  # type: ignore[arg-type]
    manifest = build(chime2_root)
    assert [entry["path"].partition("/")[0] for entry in manifest.rejected] == ["isolated", "scaled"]
    assert all(reason in entry["reason"] for entry in manifest.rejected)
    assert not manifest.frame.path.str.contains("011c0201").any()


def test_an_unreadable_file_is_left_out(chime2_root: Path):
    (chime2_root / "scaled/si_tr_s/m6dB/011/011c0201.wav").write_text("words")
    reasons = {entry["reason"] for entry in build(chime2_root).rejected}
    assert len(reasons) == 1
    assert "cannot be read as audio" in reasons.pop()


def test_training_without_snr_folders_has_the_ratio_of_energies(chime2_root: Path):
    for tree in ("isolated", "scaled"):
        shutil.rmtree(chime2_root / tree / "si_tr_s")
    write_pair(chime2_root, "si_tr_s", "011c0201", "0dB", "{speaker}", "")
    row = build(chime2_root).frame.query("role == 'noisy' and split == 'train'").squeeze()
    noisy, clean = (
        soundfile.read(chime2_root / tree / "si_tr_s" / place / "011c0201.wav")[0][:, 0]
        for tree, place in (("isolated", "011"), ("scaled", ""))
    )
    expected = 10 * np.log10(np.mean(clean**2) / np.mean((noisy - clean) ** 2))
    assert row.snr_db == pytest.approx(expected, abs=0.006)
    assert expected == pytest.approx(6.0, abs=0.2)


def test_a_test_file_needs_an_snr_folder(chime2_root: Path):
    write_pair(chime2_root, "si_et_20", "441c0401", "0dB", "{speaker}", "{speaker}")
    rejected = build(chime2_root).rejected
    assert [entry["path"] for entry in rejected] == [f"{t}/si_et_20/441/441c0401.wav" for t in ("isolated", "scaled")]
    assert "no folder tells its SNR; accepted names: m6db" in rejected[0]["reason"]
    for tree in ("isolated", "scaled"):
        for folder in (chime2_root / tree / "si_et_20").glob("*dB"):
            shutil.rmtree(folder)
    with pytest.raises(DataError, match=r"no usable pair is left for test \(si_et_20\)"):
        build(chime2_root)


def test_speech_at_another_level_than_in_the_mixture_stops_the_build(chime2_root: Path):
    for path in (chime2_root / "scaled/si_et_20").rglob("*.wav"):
        samples, rate = soundfile.read(path)
        soundfile.write(path, 0.5 * samples, rate, subtype="PCM_16")
    with pytest.raises(DataError, match=r"si_et_20: isolated - scaled holds 1\.0. times the speech"):
        build(chime2_root)


def test_two_files_in_one_place_and_strange_names_are_refused(chime2_root: Path):
    write_pair(chime2_root, "si_tr_s", "011c0201", "m6dB", "{snr}/again", "{snr}/again")
    with pytest.raises(DataError, match="the same utterance at the same SNR as"):
        build(chime2_root)
    shutil.rmtree(chime2_root / "isolated/si_tr_s/m6dB/again")
    shutil.rmtree(chime2_root / "scaled/si_tr_s/m6dB/again")
    write_pair(chime2_root, "si_tr_s", "speech_1", "0dB", "", "")
    with pytest.raises(DataError, match=r"speech_1.wav: not the name of a WSJ0 utterance"):
        build(chime2_root)


@pytest.mark.parametrize("gone", ["isolated/si_dt_20", "scaled/si_tr_s", "scaled"])
def test_what_is_missing_is_named_with_where_to_get_it(chime2_root: Path, gone: str):
    shutil.rmtree(chime2_root / gone)
    for call in (Chime2Wsj0().files, build):
        with pytest.raises(DataError, match=rf"{gone}.*LDC2017S10"):
            call(chime2_root)


def test_missing_utterances_are_counted(chime2_root: Path, caplog: pytest.LogCaptureFixture):
    build(chime2_root)
    for folder, found, published in (("si_tr_s", 3, 7138), ("si_dt_20", 6, 2418), ("si_et_20", 12, 1998)):
        assert f"isolated/{folder}: {found} files, where {published} were published" in caplog.text


def test_snrs_offered_for_test(chime2_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert Chime2Wsj0().published_snr_db(chime2_root, "test") == SIX
    monkeypatch.setenv("SEBENCH_CHIME2_WSJ0", str(chime2_root))
    with pytest.raises(ConfigError) as refused:
        build_plan(load_config(SHIPPED), "two_stage", "smoke", "chime2_wsj0", Store(tmp_path / "r"))
    assert "-5, 5, 10, 15 dB" in str(refused.value)
    assert "-6, -3, 0, 3, 6, 9" in str(refused.value)
    config = tmp_path / "config"
    shutil.copytree(SHIPPED, config)
    study = config / "studies" / "two_stage.yaml"
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace("[-5, 0, 5, 10, 15]", "[-6, 9]"), encoding="utf-8")
    loaded = load_config(config)
    named = loaded.get("studies", "two_stage")
    check_published_snrs(loaded, named, "chime2_wsj0", named.entry.conditions.snr_db, ("conditions",))


def test_fetching_says_where_it_is_from():
    command = ["corpus", "fetch", "chime2_wsj0", "--config-dir", str(SHIPPED)]
    with pytest.raises(SebenchError, match=r"no archives to fetch; .*licensed by the LDC: https://\S+LDC2017S10"):
        CliRunner().invoke(app, command, catch_exceptions=False)

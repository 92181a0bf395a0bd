"""WSJ0 with DEMAND and QUT-NOISE on a small tree with the published names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from small_corpora import make_wsj0, shorten, write_audio

from sebench.config.mixing import Mixing
from sebench.corpora import sphere
from sebench.corpora.audio import read
from sebench.corpora.manifest import Manifest
from sebench.corpora.wsj0 import Wsj0
from sebench.errors import DataError
from sebench.synthesis.mixture import render_mixture
from sebench.synthesis.plan import plan_mixtures

DISC = "wsj0/11-1.1/wsj0"


def build(root: Path, **params: Any) -> Manifest:
    return Wsj0(**params).build(root, root, 1)


def speakers(manifest: Manifest) -> dict[str, list[str]]:
    speech = manifest.frame[manifest.frame.role == "speech"]
    return speech.groupby("split").speaker.unique().map(sorted).to_dict()


def test_lists_are_found_on_the_discs_and_training_speakers_are_divided(wsj0_root: Path):
    manifest = build(wsj0_root)
    found = speakers(manifest)
    assert found["test"] == ["440"]
    assert len(found["valid"]) == 1
    assert sorted(found["train"] + found["valid"]) == ["011", "012", "01a", "20b"]
    speech = manifest.frame[manifest.frame.role == "speech"]
    assert len(speech) == 2 * 4 + 1
    assert speech.path.str.endswith(".wv1").all()
    assert set(speech.source) == {"LDC93S6A"}


def test_a_seed_and_a_fraction_choose_who_validates(wsj0_root: Path):
    seen = {tuple(speakers(build(wsj0_root, seed=seed))["valid"]) for seed in range(8)}
    assert len(seen) > 1
    assert len(speakers(build(wsj0_root, valid_fraction=0.5))["valid"]) == 2
    assert len(speakers(build(wsj0_root, valid_fraction=0.99))["train"]) == 1


def test_other_lists_may_validate_and_test(wsj0_root: Path):
    assert speakers(build(wsj0_root, validation="si_dt_20", test="si_et_20")) == {
        "train": ["011", "012", "01a", "20b"], "valid": ["051"], "test": ["445"],
    }  # fmt: skip


def test_the_share_of_validation_is_that_of_the_paper():
    paths = {"si_tr_s": [Path(f"{number:03d}c0201.wv1") for number in range(101)]}
    rows = list(Wsj0()._speech(Path(), {**paths, "si_et_05": []}))
    assert sum(row.split == "valid" for row in rows) == 15


def test_noise_of_the_test_is_of_kinds_that_training_lacks(wsj0_root: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    noise = build(wsj0_root).frame.query("role == 'noise'")
    assert noise.groupby("split").kind.unique().map(sorted).to_dict() == {
        "train": ["CAR-WINUPB", "DKITCHEN"],
        "test": ["CAFE-FOODCOURTB", "PCAFETER", "REVERB-POOL", "TMETRO"],
    }
    assert "3 noise files to train on; source 001 has 35" in caplog.text
    other = build(wsj0_root, test_noise=("car", "cafe-foodcourtb")).frame.query("role == 'noise' and split == 'test'")
    assert set(other.kind) == {"CAR-WINUPB", "CAFE-FOODCOURTB"}
    with pytest.raises(DataError, match=r"test_noise 'NPARK' matches no kind of noise; found: CAFE-FOODCOURTB, CAR-"):
        build(wsj0_root, test_noise=("CAFE", "NPARK"))
    with pytest.raises(DataError, match="test_noise holds every kind"):
        build(wsj0_root, test_noise=("CAFE", "CAR", "REVERB", "TMETRO", "PCAFETER", "DKITCHEN"))


def test_one_channel_of_each_place_is_used(wsj0_root: Path):
    noise = build(wsj0_root).frame.query("role == 'noise'").set_index("kind")
    kitchen, cafe = noise.loc["DKITCHEN"], noise.loc["CAFE-FOODCOURTB"]
    assert (kitchen.path, kitchen.sample_rate) == ("demand/DKITCHEN_16k/DKITCHEN/ch01.wav", 16000)
    assert (cafe.path, cafe.channels) == ("qut_noise/QUT-NOISE/CAFE-FOODCOURTB-1.wav#left", 2)
    left = soundfile.read(wsj0_root / "qut_noise/QUT-NOISE/CAFE-FOODCOURTB-1.wav")[0][:, 0]
    tone = read(wsj0_root / cafe.path)
    assert len(tone) == len(left) // 3
    both = read(wsj0_root / cafe.path.removesuffix("#left"))
    assert np.abs(tone - both).max() > 0.01


def test_demand_at_48_khz_is_used_where_there_is_nothing_else(wsj0_root: Path):
    shutil.rmtree(wsj0_root / "demand/DKITCHEN_16k")
    kitchen = build(wsj0_root).frame.set_index("kind").loc["DKITCHEN"]
    assert kitchen.path == "demand/DKITCHEN_48k/DKITCHEN/ch01.wav"


def test_folders_are_parameters_and_noise_may_be_left_out(tmp_path: Path):
    root = make_wsj0(tmp_path / "a")
    (root / "wsj0").rename(root / "LDC93S6A")
    shutil.rmtree(root / "qut_noise")
    params = {"speech": "LDC93S6A", "qut_noise": "", "test_noise": ("TMETRO",)}
    frame = build(root, **params).frame
    assert set(frame[frame.role == "noise"].source) == {"DEMAND"}
    assert all(path.exists() for path in Wsj0(**params).files(root))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="`demand` and `qut_noise` are both empty"):
        build(root, **{**params, "demand": ""})


@pytest.mark.parametrize("gone", ["wsj0", "demand", "qut_noise"])
def test_what_is_missing_is_named_with_where_to_get_it(wsj0_root: Path, gone: str):
    shutil.rmtree(wsj0_root / gone)
    for call in (Wsj0().files, build):
        with pytest.raises(DataError, match=rf"{wsj0_root / gone}: .*LDC93S6A"):
            call(wsj0_root)


def test_compressed_files_are_refused_with_the_way_to_convert_them(wsj0_root: Path):
    first = next(path for path in Wsj0().files(wsj0_root) if path.suffix == ".wv1")
    for path in (first, wsj0_root / DISC / "si_tr_s/20b/20bc0202.wv1"):
        shorten(path)
    message = r"\.wv1{}: the samples are compressed \(embedded-shorten-v2\.00\).*sph2pipe -f wav"
    with pytest.raises(DataError, match=message.format("")):
        Wsj0().files(wsj0_root)
    with pytest.raises(DataError, match=message.format(r" \(and 1 more files\)")):
        build(wsj0_root)


def test_converted_files_are_used_in_place_of_sphere(wsj0_root: Path):
    for path in sorted((wsj0_root / "wsj0").rglob("*.wv1")):
        samples, rate = soundfile.read(path, dtype="int16")
        soundfile.write(path.with_suffix(".flac" if "si_et" in str(path) else ".wav"), samples, rate)
        shorten(path)
    manifest = build(wsj0_root)
    assert manifest.rejected == []
    speech = manifest.frame[manifest.frame.role == "speech"]
    assert set(speech.path.str.rpartition(".")[2]) == {"wav", "flac"}
    for path in (wsj0_root / "wsj0").rglob("*.wv1"):
        path.unlink()
    assert build(wsj0_root).frame.equals(manifest.frame)


def test_upper_case_names_strange_ones_and_an_utterance_that_is_there_twice(wsj0_root: Path):
    folder = wsj0_root / DISC / "si_tr_s"
    (folder / "012/012c0201.wv1").rename(folder / "012/012C0201.WV1")
    write_audio(folder / "011/notes.wav")
    write_audio(folder / "012/copy/012c0202.wv1", sphere=True)
    manifest = build(wsj0_root)
    assert manifest.frame.set_index("path").loc[f"{DISC}/si_tr_s/012/012C0201.WV1"].speaker == "012"
    assert manifest.rejected == [
        {"path": f"{DISC}/si_tr_s/011/notes.wav", "reason": "not the name of a WSJ0 utterance, as 011c0201 is"},
        {
            "path": f"{DISC}/si_tr_s/012/copy/012c0202.wv1",
            "reason": f"the same utterance as {DISC}/si_tr_s/012/012c0202.wv1",
        },
    ]


def test_mixtures_are_drawn_and_validation_shares_the_noise_of_training(wsj0_root: Path):
    frame = build(wsj0_root).frame
    mixing = Mixing.model_validate({"snr_db": {"choice": [0, 5, 10, 15, 20]}, "speech_level_dbov": -26})
    kinds = {}
    for split in ("train", "valid", "test"):
        rows = plan_mixtures(frame, split=split, count=12, seed=0, mixing=mixing).to_dict("records")
        kinds[split] = {row["noise_kind"] for row in rows}
        signals = render_mixture(rows[0], wsj0_root)  # type: ignore[arg-type]
        assert len(signals["noisy"]) == 12800
    assert kinds["train"] == kinds["valid"] == {"CAR-WINUPB", "DKITCHEN"}
    assert not kinds["test"] & kinds["train"]


def test_sphere_headers(tmp_path: Path):
    path = write_audio(tmp_path / "x.wv1", sphere=True)
    assert sphere.sample_coding(path) == "pcm"
    assert sphere.compression(path) == ""
    assert sphere.compression(shorten(path)) == "embedded-shorten-v2.00"
    path.write_bytes(b"NIST_1A\n   1024\nsample_count -i 3\nend_head\n".ljust(1024))
    assert sphere.sample_coding(path) == "pcm"
    with pytest.raises(DataError, match="does not begin with NIST_1A"):
        sphere.sample_coding(write_audio(tmp_path / "x.wav"))
    with pytest.raises(DataError, match="No such file"):
        sphere.sample_coding(tmp_path / "lost.wv1")

"""The DNS Challenges on a small tree with published names and folders."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_corpora import DNS1, DNS2, write_audio

from sebench.config.mixing import Mixing
from sebench.corpora.audio import read
from sebench.corpora.dns_challenge import DnsChallenge
from sebench.corpora.manifest import Manifest
from sebench.corpora.separation import separation_problems
from sebench.errors import DataError
from sebench.synthesis.mixture import render_mixture
from sebench.synthesis.plan import plan_mixtures

TESTS = "datasets/test_set/synthetic"
SECOND = "datasets/ICASSP_dev_test_set/track_1/synthetic"


def build(root: Path, **params: Any) -> Manifest:
    return DnsChallenge(**params).build(root, root, 1)


def part(manifest: Manifest, name: str) -> pd.DataFrame:
    return manifest.frame[manifest.frame.part == name].set_index("id")


def rows(manifest: Manifest, name: str | None, split: str = "test", count: int | None = None) -> list[dict[str, Any]]:
    frame = plan_mixtures(manifest.frame, split=split, count=count, seed=0, mixing=Mixing(), part=name)
    return [{str(column): value for column, value in row.items()} for row in frame.to_dict("records")]


def test_speakers_are_told_by_names_and_else_by_folders(dns_root: Path):
    frame = build(dns_root).frame
    speech = frame[(frame.role == "speech") & frame.path.str.contains("/clean/") & ~frame.path.str.contains("ynthetic")]
    assert sorted(speech.speaker) == [
        "cremad_1001", "german_speech/a_speaker", "reader_01326", "reader_06709", "reader_11980",
    ]  # fmt: skip
    assert speech.split.value_counts().to_dict() == {"train": 4, "valid": 1}
    assert build(dns_root, valid_fraction=0.6).frame.query("role == 'speech' and split == 'valid'").shape[0] == 3


def test_folders_of_clean_speech_may_be_chosen(dns_root: Path):
    frame = build(dns_root, clean=("read_speech",)).frame
    assert set(frame[frame.split.isin(["train", "valid"]) & (frame.role == "speech")].speaker) == {
        "reader_01326", "reader_06709", "reader_11980",
    }  # fmt: skip


def test_noise_and_responses(dns_root: Path):
    manifest = build(dns_root)
    frame = manifest.frame
    noise, responses = frame[frame.role == "noise"], frame[frame.role == "rir"]
    assert sorted(noise.kind) == ["audioset", "door"]
    assert sorted(responses.kind) == ["air_binaural_office_0_1", "smallroom/Room001"]
    assert responses.path.str.endswith("#left").all()
    assert set(noise.split) | set(responses.split) == {"train"}
    assert "rir" not in set(build(dns_root, impulse_responses=False).frame.role)
    for split in ("train", "valid"):
        mixtures = rows(manifest, None, split, 6)
        assert {row["paired_path"] for row in mixtures} == {""}
        assert set(render_mixture(mixtures[0], dns_root)) == {"noisy", "clean", "speech", "noise"}


def test_reverberant_mixtures_are_compared_with_the_dry_file_of_their_number(dns_root: Path):
    manifest = build(dns_root)
    dry, wet = part(manifest, "no_reverb"), part(manifest, "with_reverb")
    assert len(dry) == len(wet) == 3
    for frame in (dry, wet):
        for name, row in frame.iterrows():
            number = str(name).rpartition("_")[2]
            assert row.pair == f"{TESTS}/no_reverb/clean/clean_fileid_{number}"
            assert row.speaker == f"dns1-speech-{number}"
        assert sorted(frame.snr_db) == [0.0, 4.0, 11.0]
        assert sorted(frame.kind) == ["", "air_conditioner", "traffic"]
        assert set(frame.split) == {"test"}
    assert manifest.frame.path.str.contains("no_reverb/clean").sum() == 3
    assert not manifest.frame.path.str.contains("with_reverb/clean").any()
    assert manifest.rejected == []
    assert separation_problems(manifest.frame) == []
    for row in rows(manifest, "with_reverb"):
        signals = render_mixture(row, dns_root)
        number = row["paired_path"].removesuffix(".wav").rpartition("_")[2]
        clean = read(dns_root / f"{TESTS}/no_reverb/clean/clean_fileid_{number}.wav")
        np.testing.assert_array_equal(signals["clean"], clean)
        np.testing.assert_allclose(signals["noisy"], read(dns_root / row["paired_path"]), atol=1e-7)


def test_the_reverberant_reference_is_a_choice(dns_root: Path):
    manifest = build(dns_root, reverb_reference="reverberant")
    assert part(manifest, "with_reverb").pair.str.startswith(f"{TESTS}/with_reverb/clean/").all()
    assert part(manifest, "no_reverb").pair.str.startswith(f"{TESTS}/no_reverb/clean/").all()


def test_numbers_of_the_second_set_count_within_speech_emotions_and_singing(dns_root: Path):
    speech, everything = (part(build(dns_root, dns2_clips=clips), "dns2") for clips in ("speech", "all"))
    assert len(speech) == 2
    pairs = {name.rpartition("/")[2]: row.pair.rpartition("/")[2] for name, row in everything.iterrows()}
    assert pairs == DNS2
    assert {name.rpartition("/")[2] for name in speech.index} == {name for name in DNS2 if DNS2[name].count("_") == 3}
    assert sorted(speech.snr_db) == [8.0, 17.0]


def test_real_recordings_have_no_reference(dns_root: Path):
    write_audio(dns_root / "datasets/dev_testset/synthetic_singing_1_snr3_tl-20_fileid_1.wav")
    manifest = build(dns_root)
    real = part(manifest, "dns3_real")
    assert (real.pair == "").all()
    assert real.snr_db.isna().all()
    assert sorted(real.speaker) == [
        "dns3-A23RGS48XSHCT5", "dns3-A3CDWPBKYDDASL", "dns3-ms_realrec_english_internalmic_hehengli_typing_1",
    ]  # fmt: skip
    assert [entry["reason"] for entry in manifest.rejected] == ["a synthetic mixture, whose reference is not with it"]
    for row in rows(manifest, "dns3_real"):
        assert set(render_mixture(row, dns_root)) == {"noisy"}


def test_parts_are_those_that_are_there(dns_root: Path):
    corpus = DnsChallenge()
    assert list(corpus.published_parts(dns_root)) == ["dns2", "dns3_real", "no_reverb", "with_reverb"]
    shutil.rmtree(dns_root / SECOND)
    shutil.rmtree(dns_root / TESTS / "with_reverb")
    assert list(corpus.published_parts(dns_root)) == ["dns3_real", "no_reverb"]
    assert list(DnsChallenge(dns3="").published_parts(dns_root)) == ["no_reverb"]
    manifest = build(dns_root)
    with pytest.raises(DataError, match=r"no published mixtures of part 'dns2' .* parts dns3_real, no_reverb"):
        rows(manifest, "dns2")
    with pytest.raises(DataError, match=r"role 'noise' in split 'test'; its .* parts dns3_real, no_reverb"):
        rows(manifest, None)


@pytest.mark.parametrize("moved", [True, False])
def test_the_root_may_be_the_folder_of_datasets(dns_root: Path, moved: bool):
    root = dns_root / "datasets" if moved else dns_root
    assert len(build(root).frame) == len(build(dns_root).frame)
    assert all(path.is_file() for path in DnsChallenge().files(root))


def test_test_sets_without_training_material_are_enough(dns_root: Path):
    for folder in ("clean", "noise", "impulse_responses"):
        shutil.rmtree(dns_root / "datasets" / folder)
    assert set(build(dns_root).frame.split) == {"test"}


@pytest.mark.parametrize(("gone", "message"), [("noise", "noise/ holds nothing"), ("clean", "clean/ holds nothing")])
def test_speech_needs_noise_and_noise_speech(dns_root: Path, gone: str, message: str):
    shutil.rmtree(dns_root / "datasets" / gone)
    for call in (DnsChallenge().files, build):
        with pytest.raises(DataError, match=message):
            call(dns_root)


def test_one_speaker_is_too_few(dns_root: Path):
    with pytest.raises(DataError, match="all of it is of one speaker, cremad_1001"):
        build(dns_root, clean=("emotional_speech",))


def test_mixtures_that_cannot_be_paired_are_left_out_with_the_reason(dns_root: Path):
    noisy = dns_root / TESTS / "no_reverb/noisy"
    shutil.copyfile(noisy / f"{DNS1[1]}.wav", noisy / "clnsp1_bus_1_2_snr3_tl-20_fileid_268.wav")
    write_audio(noisy / "nameless.wav")
    (noisy / f"{DNS1[1]}.wav").unlink()
    (dns_root / TESTS / "no_reverb/clean/clean_fileid_66.wav").write_text("words")
    manifest = build(dns_root)
    reasons = {entry["path"].removeprefix(f"{TESTS}/"): entry["reason"] for entry in manifest.rejected}
    assert reasons.pop("no_reverb/clean/clean_fileid_66.wav").startswith("unreadable: cannot be read as audio")
    lost = f"its reference {TESTS}/no_reverb/clean/clean_fileid_66.wav is left out"
    twice = "its number stands for 2 mixtures and 1 clean files"
    assert reasons == {
        f"no_reverb/noisy/{DNS1[0]}.wav": twice,
        "no_reverb/noisy/clnsp1_bus_1_2_snr3_tl-20_fileid_268.wav": twice,
        "no_reverb/noisy/nameless.wav": "its name does not end in _fileid_N",
        f"no_reverb/noisy/{DNS1[2]}.wav": lost,
        f"with_reverb/noisy/{DNS1[2]}.wav": lost,
    }
    assert part(manifest, "no_reverb").empty
    assert len(part(manifest, "with_reverb")) == 2


def test_what_was_published_clipped_is_used(dns_root: Path):
    path = dns_root / "datasets/noise/--9VR_F7CtY.wav"
    soundfile.write(path, np.clip(3 * np.sin(np.arange(16000) / 20), -1, 1), 16000, subtype="FLOAT")
    assert build(dns_root).frame.path.str.endswith(path.name).any()

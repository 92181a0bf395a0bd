"""Folders of splits in the field's habits, names that are one, and files that cannot be used by their name alone."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from small_corpora import make_dns_challenge, make_folder_corpus, make_voicebank, write_audio

from sebench.corpora.folder import Folder
from sebench.corpora.lists import inside, text_of
from sebench.corpora.names import siblings_of, splits_of
from sebench.corpora.separation import separation_problems
from sebench.corpora.voicebank_demand import VoiceBankDemand
from sebench.errors import DataError


@pytest.mark.parametrize(
    "folders",
    [
        ("Train", "Valid", "Test"),
        ("TRAIN", "DEV", "EVAL"),
        ("training", "validation", "testing"),
        ("tr", "cv", "tt"),
        ("tr05", "dt05", "et05"),
        ("train-clean-100", "dev-clean", "test-clean"),
        ("trainset_28spk_wav", "val", "testset_wav"),
        ("si_tr_s", "si_dt_05", "si_et_05"),
        ("_train", "development", "evaluation"),
        ("clean_train", "clean_valid", "clean_test"),
        ("en_train", "en_dev", "en_test"),
        ("vctk-train-wav", "vctk-val-wav", "vctk-test-wav"),
        ("trainA", "valA", "testA"),
        ("trainData", "devData", "evalData"),
        ("VCTKTrain", "VCTKDev", "VCTKTest"),
        ("speech_tr", "speech_cv", "speech_tt"),
        ("clean_trainset_28spk_wav", "clean_devset_2spk_wav", "clean_testset_wav"),
    ],
)
def test_habits_of_the_field_are_splits(tmp_path: Path, folders: tuple[str, str, str]):
    for number, folder in enumerate(folders):
        for speaker in range(2):
            write_audio(tmp_path / f"speech/{folder}/{10 * number + speaker}/0.wav")
            write_audio(tmp_path / f"noise/{folder}/hum{number}/{speaker}.wav")
    assert Folder().dealt(tmp_path) == {}
    frame = Folder().build(tmp_path, tmp_path, 1).frame
    found = dict(zip(frame["path"].str.split("/").str[1], frame["split"], strict=True))
    assert found == dict(zip(folders, ("train", "valid", "test"), strict=True))
    assert not set(folders) & {*frame["speaker"], *frame["kind"]}


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("ann", "bob", "tr"), set()),
        (("p232", "p257", "019"), set()),
        (("train_station", "bus", "cafe"), set()),
        (("train", "bus"), {"train"}),
        (("Val", "ann"), {"Val"}),
    ],
)
def test_names_of_speakers_and_kinds_are_none(folders: tuple[str, ...], splits: set[str]):
    assert set(splits_of(folders)) == splits


KINDS = (
    "metro bus cafe street car station street_car street_traffic airport_terminal "
    "car_engine babble_bar baby_cry clock_tick dog exercise_bike farm_animals film_projector playground_children"
)


@pytest.mark.parametrize("more", ["train_station train_ride", "test_bench", "street_train metro_train", "TrainStation"])
def test_a_train_among_kinds_of_noise_is_no_split(tmp_path: Path, more: str):
    kinds = sorted(f"{KINDS} {more}".split())
    for kind in kinds:
        write_audio(tmp_path / f"noise/{kind}/0.wav")
    assert splits_of(kinds) == {}
    assert siblings_of(kinds) == []
    assert sorted(name for names in Folder().dealt(tmp_path).values() for name in names) == kinds


@pytest.mark.parametrize("names", [("cv_tr", "cv_et", "cv_de"), ("voice_tr", "voice_et"), ("ann_te", "bob_tr")])
def test_two_letters_alone_are_no_split(names: tuple[str, ...]):
    assert splits_of(names) == {}
    assert siblings_of(names) == []


@pytest.mark.parametrize(
    "names",
    [
        ("clean_test", "clean_train", "noisy_test", "noisy_train"),
        ("clean_test", "clean_train_1", "clean_train_2"),
        ("x_dev_test", "x_dev_train", "x_test_train"),
        ("libri_test", "vctk_train"),
    ],
)
def test_splits_that_are_not_clear_are_refused_by_name(tmp_path: Path, names: tuple[str, ...]):
    for name in names:
        write_audio(tmp_path / f"speech/{name}/ann/0.wav")
    with pytest.raises(DataError, match=rf"speech: {', '.join(names)} look like .*, and which is which is not clear"):
        Folder().dealt(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("dev", "ann", "bob", "cas"),
        ("tr", "te", "ann", "bob"),
        ("train", "bus", "cafe"),
        ("clean_train", "clean_test", "ann"),
        ("test", "clean_train", "clean_valid"),
    ],
)
def test_some_splits_among_speakers_are_refused_by_name(tmp_path: Path, names: tuple[str, ...]):
    for name in names:
        write_audio(tmp_path / f"speech/{name}/0.wav")
    with pytest.raises(DataError, match=rf"speech: .*{names[0]}.* look like folders of splits, .* do not"):
        Folder().build(tmp_path, tmp_path, 1)


@pytest.mark.parametrize("splits", [("train-clean-100", "test-clean"), ("clean_train", "clean_test")])
def test_splits_below_another_folder_are_refused(tmp_path: Path, splits: tuple[str, ...]):
    for group in ("libri", "vctk", "other"):
        for split in splits:
            write_audio(tmp_path / f"speech/{group}/{split}/19/0.wav")
    with pytest.raises(DataError, match=r"speech: its folders libri.* hold folders that look like splits"):
        Folder().build(tmp_path, tmp_path, 1)


def test_what_was_dealt_can_be_said_before_anything_is_decoded(tmp_path: Path):
    for name in "abcdef":
        (tmp_path / f"speech/{name}").mkdir(parents=True)
        (tmp_path / f"speech/{name}/0.wav").write_bytes(b"not decoded")
    dealt = Folder().dealt(tmp_path)
    assert sorted(name for names in dealt.values() for name in names) == list("abcdef")
    assert {split for _, split in dealt} == {"train", "valid", "test"}
    shutil.rmtree(tmp_path / "speech")
    for name in "abcdef":
        write_audio(tmp_path / f"speech/{name}/0.wav")
        write_audio(tmp_path / f"noise/{name}/0.wav")
    frame = Folder().build(tmp_path, tmp_path, 1).frame
    for (role, split), groups in Folder().dealt(tmp_path).items():
        rows = frame[(frame["role"] == role) & (frame["split"] == split)]
        assert sorted(set(rows["speaker"] if role == "speech" else rows["kind"])) == list(groups)


@pytest.mark.parametrize(
    ("one", "other"),
    [("P232", "p232"), (unicodedata.normalize("NFC", "Jürgen"), unicodedata.normalize("NFD", "Jürgen"))],
)
def test_one_speaker_in_two_spellings_is_one(tmp_path: Path, one: str, other: str):
    root = make_folder_corpus(tmp_path)
    write_audio(root / "speech/train" / one / "0.wav")
    write_audio(root / "speech/test" / other / "1.wav")
    frame = Folder().build(root, root, 1).frame
    assert frame.loc[frame["path"].str.contains(one, regex=False), "speaker"].nunique() == 1
    assert len([line for line in separation_problems(frame) if line.startswith("speaker")]) == 1
    both = frame[frame["path"].str.contains("(?:P232|p232|rgen)/")]
    assert both["speaker"].nunique() == 1


def test_names_and_links_that_cannot_be_used_are_left_out_by_name(folder_root: Path):
    speaker = folder_root / "speech/train/a"
    (speaker / "lost.wav").symlink_to("../../../.git/annex/objects/SHA256E-s96044--0.wav")
    (speaker / "x.m4a").write_bytes(b"audio of a phone")
    (speaker / "notes.txt").write_text("no audio, and no news")
    shutil.copy(speaker / "0.flac", os.fsencode(speaker) + b"/caf\xe9.flac")
    found = {entry["path"]: entry["reason"] for entry in Folder().build(folder_root, folder_root, 1).rejected}
    assert set(found) == {f"speech/train/a/{name}" for name in ("lost.wav", "x.m4a", "caf\\xe9.flac")}
    assert "a link to what is not there" in found["speech/train/a/lost.wav"]
    assert ".m4a files are not read; accepted: flac, mp3, ogg, wav" in found["speech/train/a/x.m4a"]
    assert "not UTF-8" in found["speech/train/a/caf\\xe9.flac"]
    assert not [path for path in Folder().files(folder_root) if path.name == "lost.wav"]
    with pytest.raises(DataError, match=r"3 files cannot be used, and `strict` is set"):
        Folder(strict=True).build(folder_root, folder_root, 1)


def test_suffixes_in_a_row_keep_ids_apart(folder_root: Path):
    for name in ("x.wav", "x.flac", "x.wav.flac"):
        write_audio(folder_root / f"speech/train/a/{name}")
    frame = Folder().build(folder_root, folder_root, 1).frame
    assert {f"speech/train/a/{name}" for name in ("x.wav", "x.flac", "x.wav.flac")} <= set(frame["id"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_logs_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding: str):
    root = make_voicebank(tmp_path)
    expected = VoiceBankDemand(valid_speakers=("p226",)).build(root, root, 1).frame
    for log in root.glob("log_*.txt"):
        log.write_bytes(log.read_text().replace("\n", "\r\n").encode(encoding))
    assert VoiceBankDemand(valid_speakers=("p226",)).build(root, root, 1).frame.equals(expected)


def test_a_log_in_another_encoding_is_refused_with_its_line(tmp_path: Path):
    (tmp_path / "log.txt").write_bytes(b"p232_001 bus 17.5\np232_002 caf\xe9 2.5\n")
    with pytest.raises(DataError, match=r"log\.txt:2: not UTF-8 \(byte 0xe9\)"):
        text_of(tmp_path / "log.txt")


def test_backslashes_in_a_list_are_read(folder_root: Path):
    (folder_root / "manifest.csv").write_bytes(b"path,licence,source\r\nspeech\\train\\a\\0.flac,CC0,Windows\r\n")
    frame = Folder().build(folder_root, folder_root, 1).frame.set_index("path")
    assert frame.loc["speech/train/a/0.flac", "source"] == "Windows"


@pytest.mark.parametrize("path", ["../x.wav", "speech/../../x.wav", "/x.wav", "C:\\x.wav", "..\\x.wav"])
def test_a_list_does_not_lead_out_of_the_corpus(folder_root: Path, path: str):
    (folder_root / "manifest.csv").write_text(f"path,licence\n{path},CC0\n")
    with pytest.raises(DataError, match=r"manifest\.csv:2: .* leads out of the corpus"):
        Folder().build(folder_root, folder_root, 1)
    with pytest.raises(DataError, match=r"corpus: key: .* leads out"):
        inside(path, "corpus: key")


def test_a_parameter_does_not_lead_out_of_the_corpus(tmp_path: Path):
    from sebench.corpora.dns_challenge import DnsChallenge

    make_dns_challenge(tmp_path)
    with pytest.raises(DataError, match=r"corpus dns_challenge: dns1: '\.\./elsewhere' leads out"):
        DnsChallenge(dns1="../elsewhere")

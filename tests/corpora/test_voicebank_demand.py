"""VoiceBank-DEMAND on a small tree with the published names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.corpora.voicebank_demand import VoiceBankDemand
from sebench.errors import DataError


def test_rows_carry_what_the_logs_say(voicebank_root: Path, caplog: pytest.LogCaptureFixture):
    frame = VoiceBankDemand().build(voicebank_root, voicebank_root, 1).frame.set_index("id")
    assert frame.role.value_counts().to_dict() == {"speech": 6, "noisy": 6}
    noisy = frame.loc["noisy_testset_wav/p257_001"]
    assert (noisy.kind, noisy.snr_db, noisy.pair, noisy.speaker, noisy.sample_rate) == (
        "bus", 7.5, "clean_testset_wav/p257_001", "p257", 48000,
    )  # fmt: skip
    assert frame.groupby("split").speaker.unique().map(sorted).to_dict() == {
        "train": ["p228"], "valid": ["p226", "p227"], "test": ["p232", "p257"],
    }  # fmt: skip
    assert "4 files, where 11572 were published" in caplog.text


def test_validation_speakers_are_a_parameter(voicebank_root: Path):
    frame = VoiceBankDemand(valid_speakers=("p228",)).build(voicebank_root, voicebank_root, 1).frame
    assert set(frame.loc[frame.split == "valid", "speaker"]) == {"p228"}


@pytest.mark.parametrize(
    ("speakers", "message"), [(("p999",), "p999 do not occur"), (("p226", "p227", "p228"), "none is left")]
)
def test_impossible_validation_speakers(voicebank_root: Path, speakers: tuple[str, ...], message: str):
    with pytest.raises(DataError, match=message):
        VoiceBankDemand(valid_speakers=speakers).build(voicebank_root, voicebank_root, 1)


@pytest.mark.parametrize("gone", ["noisy_testset_wav", "log_trainset_28spk.txt", "clean_trainset_28spk_wav"])
def test_what_is_missing_is_named_with_where_to_get_it(voicebank_root: Path, gone: str):
    path = voicebank_root / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    for call in (VoiceBankDemand().files, lambda root: VoiceBankDemand().build(root, root, 1)):
        with pytest.raises(DataError, match=rf"{gone}.*10283/2791"):
            call(voicebank_root)


def test_logs_may_lie_in_the_folder_of_their_archive(voicebank_root: Path):
    (voicebank_root / "logfiles").mkdir()
    for path in voicebank_root.glob("log_*.txt"):
        path.rename(voicebank_root / "logfiles" / path.name)
    assert len(VoiceBankDemand().build(voicebank_root, voicebank_root, 1).frame) == 12


def test_clean_and_noisy_must_correspond(voicebank_root: Path):
    (voicebank_root / "noisy_testset_wav/p232_001.wav").unlink()
    with pytest.raises(DataError, match="p232_001 only in clean_testset_wav"):
        VoiceBankDemand().build(voicebank_root, voicebank_root, 1)


def test_an_utterance_in_two_containers_is_refused(voicebank_root: Path):
    (voicebank_root / "clean_testset_wav/p232_001.flac").write_bytes(b"another")
    with pytest.raises(DataError, match=r"p232_001\.wav: .*p232_001\.flac would be the same utterance"):
        VoiceBankDemand().build(voicebank_root, voicebank_root, 1)


def test_every_file_needs_a_log_line_and_lines_must_parse(voicebank_root: Path):
    log = voicebank_root / "log_testset.txt"
    whole = log.read_text()
    log.write_text(whole.replace("p257_001", "p257_002"))
    with pytest.raises(DataError, match="no line for p257_001"):
        VoiceBankDemand().build(voicebank_root, voicebank_root, 1)
    log.write_text(whole + "p257_003 bus loud\n")
    with pytest.raises(DataError, match=r"log_testset\.txt:3: .* is not `stem noise-type SNR`"):
        VoiceBankDemand().build(voicebank_root, voicebank_root, 1)


def test_a_pair_of_unequal_length_is_left_out_as_a_whole(voicebank_root: Path, write):
    write(voicebank_root / "noisy_trainset_28spk_wav/p228_002.wav", seconds=0.7, sample_rate=48000)
    manifest = VoiceBankDemand().build(voicebank_root, voicebank_root, 1)
    assert [entry["path"].split("_")[0] for entry in manifest.rejected] == ["clean", "noisy"]
    assert "`align: cut|pad` of the corpus" in manifest.rejected[0]["reason"]
    assert not manifest.frame.path.str.contains("p228_002").any()

"""Small trees of recordings, written by the tests themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from sebench.seeding import generator


def write_audio(
    path: Path, *, seconds: float = 0.8, sample_rate: int = 16000, channels: int = 1, sphere: bool = False
) -> Path:
    """Noise that depends on the end of the path alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (int(seconds * sample_rate), channels)
    samples = 0.1 * generator(*path.parts[-4:]).standard_normal(shape)
    soundfile.write(path, samples, sample_rate, format="NIST" if sphere else None)
    return path


def shorten(path: Path) -> Path:
    """Make a SPHERE file say that its samples are compressed."""
    plain, coded = b"sample_coding -s3 pcm\n", b"sample_coding -s26 pcm,embedded-shorten-v2.00\n"
    data = path.read_bytes()
    assert plain in data
    path.write_bytes(data.replace(plain, coded)[:1024] + data[1024:])
    return path


def make_folder_corpus(root: Path) -> Path:
    for split, speakers in {"train": "abc", "valid": "d", "test": "ef"}.items():
        for speaker in speakers:
            for number in range(2):
                write_audio(root / "speech" / split / speaker / f"{number}.flac")
    write_audio(root / "speech/train/a/deeper/chapter/1.WAV", sample_rate=44100, channels=2)
    for split, kind in (("train", "hum"), ("valid", "hum"), ("test", "factory")):
        write_audio(root / "noise" / split / kind / f"{split}.wav")
    write_audio(root / "rir/train/hall/0.wav", seconds=0.2)
    write_audio(root / "rir/test/church/0.wav", seconds=0.2)
    (root / "manifest.csv").write_text("path,licence,source\nspeech/train/a/0.flac,CC0,somewhere\n", encoding="utf-8")
    write_audio(root / "noisy_real/phone/x.wav", sample_rate=44100, channels=2)
    return root


def make_voicebank(root: Path) -> Path:
    parts = {"trainset_28spk": ("p226_001", "p227_001", "p228_001", "p228_002"), "testset": ("p232_001", "p257_001")}
    for part, stems in parts.items():
        for stem in stems:
            for side in ("clean", "noisy"):
                write_audio(root / f"{side}_{part}_wav" / f"{stem}.wav", sample_rate=48000)
        lines = [f"{stem} {'bus' if part == 'testset' else 'cafe'} {2.5 + 5 * n}" for n, stem in enumerate(stems)]
        (root / f"log_{part}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


#: Places of SNR folders and speaker folders below a split: (training noisy, training clean, the other splits).
CHIME2_LAYOUTS = {
    "snr_speaker": ("{snr}/{speaker}", "{snr}/{speaker}", "{snr}/{speaker}"),
    "speaker_snr": ("{speaker}/{snr}", "{speaker}", "{speaker}/{snr}"),
    "snr_only": ("{snr}", "", "{snr}"),
}


def make_chime2(root: Path, layout: str = "snr_speaker") -> Path:
    """Binaural 16-bit mixtures of `isolated` that are exactly `scaled` plus noise."""
    noisy_place, clean_place, other = CHIME2_LAYOUTS[layout]
    six = ("m6dB", "m3dB", "0dB", "3dB", "6dB", "9dB")
    for number, stem in enumerate(("011c0201", "011c0202", "012a0103")):
        write_pair(root, "si_tr_s", stem, six[number], noisy_place, clean_place)
    for split, stem in (("si_dt_05", "050c0101"), ("si_dt_20", "051c0101"), ("si_et_05", "440c0201")):
        for snr in six:
            write_pair(root, split, stem, snr, other, other)
    for stem in ("440c0401", "22ga0101"):
        for snr in six:
            write_pair(root, "si_et_20", stem, snr, other, other)
    return root


def write_pair(root: Path, split: str, stem: str, snr: str, noisy_place: str, clean_place: str) -> None:
    rng = generator(split, stem, snr)
    speech, noise = np.rint(rng.standard_normal((2, 12800, 2)) * [[[1000.0, 700.0]], [[500.0, 400.0]]]).astype(np.int16)
    for tree, place, samples in (("isolated", noisy_place, speech + noise), ("scaled", clean_place, speech)):
        folder = root / tree / split / place.format(snr=snr, speaker=stem[:3])
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{stem}.wav", samples, 16000, subtype="PCM_16")


def make_wsj0(root: Path) -> Path:
    """WSJ0 as on its discs, in SPHERE; DEMAND at both rates; two-channel QUT-NOISE at 48 kHz."""
    disc = root / "wsj0/11-1.1/wsj0"
    for speaker in ("011", "012", "01a", "20b"):
        for utterance in ("c0201", "c0202"):
            write_audio(disc / "si_tr_s" / speaker / f"{speaker}{utterance}.wv1", sphere=True)
        write_audio(disc / "si_tr_s" / speaker / f"{speaker}c0201.wv2", sphere=True)
    for folder, speaker in (("si_dt_05", "050"), ("si_dt_20", "051"), ("si_et_05", "440"), ("si_et_20", "445")):
        write_audio(root / f"wsj0/11-13.1/wsj0/{folder}/{speaker}/{speaker}c0401.wv1", sphere=True)
    for environment in ("DKITCHEN", "PCAFETER", "TMETRO"):
        for channel in ("ch01", "ch02"):
            write_audio(root / f"demand/{environment}_16k/{environment}/{channel}.wav", seconds=2.0)
            write_audio(root / f"demand/{environment}_48k/{environment}/{channel}.wav", sample_rate=48000)
    for place in ("CAFE-FOODCOURTB-1", "CAR-WINUPB-1", "CAR-WINUPB-2", "REVERB-POOL-1"):
        write_audio(root / f"qut_noise/QUT-NOISE/{place}.wav", seconds=2.0, sample_rate=48000, channels=2)
    return root


#: Noisy files of the first test set, with names as published.
DNS1 = (
    "clnsp102_traffic_248091_3_snr0_tl-21_fileid_268",
    "clnsp104_G3hs6PFniM0_snr4_tl-27_fileid_133",
    "clnsp192_air_conditioner_151977_3_snr11_tl-35_fileid_66",
)
#: Noisy file of the second test set, and the clean file of its number.
DNS2 = {
    "synthetic_french_poemes006_buffet_pa_-02_traffic_110381_3_snr8_tl-35_fileid_47": "synthetic_clean_fileid_47",
    "synthetic_german_ausgewaehltegedichte_-03_baby_416680_0_snr17_tl-33_fileid_5": "synthetic_clean_fileid_5",
    "synthetic_emotion_157018_snr14_tl-22_fileid_47": "synthetic_emotion_clean_fileid_47",
    "synthetic_singing_108328_snr14_tl-26_fileid_5": "synthetic_singing_clean_fileid_5",
}
DNS3 = (
    "ms_realrec_emotional_headset_A3CDWPBKYDDASL_fan_near_laughing_fileid_2",
    "ms_realrec_english_Laptop_A23RGS48XSHCT5_Car_Near_Fileid_3",
    "ms_realrec_english_internalmic_hehengli_typing_1",
)


def make_dns_challenge(root: Path) -> Path:
    base = root / "datasets"
    for name in ("book_00000_chp_0009_reader_06709_11", "book_00002_chp_0005_reader_11980_5"):
        write_audio(base / f"clean/read_speech/{name}.wav")
    write_audio(base / "clean/read_speech/datasets/clean/book_00007_chp_0008_reader_01326_1.wav")
    write_audio(base / "clean/emotional_speech/1001_DFA_ANG_XX.wav")
    write_audio(base / "clean/german_speech/a_speaker/chapter_1.wav")
    for name in ("--9VR_F7CtY", "door_Freesound_validated_458454_3"):
        write_audio(base / f"noise/{name}.wav")
    responses = base / "impulse_responses"
    write_audio(responses / "SLR26/simulated_rirs_16k/smallroom/Room001/Room001-00001.wav", seconds=0.2)
    write_audio(responses / "SLR28/RIRS_NOISES/real_rirs/air_binaural_office_0_1.wav", seconds=0.2, channels=2)
    write_audio(responses / "SLR28/RIRS_NOISES/real_rirs/RVB2014_type1_noise_largeroom1_1.wav")
    write_audio(responses / "SLR28/RIRS_NOISES/pointsource_noises/bus.wav")
    for stem in DNS1:
        for part in ("no_reverb", "with_reverb"):
            write_audio(base / f"test_set/synthetic/{part}/noisy/{stem}.wav")
            write_audio(base / f"test_set/synthetic/{part}/clean/clean_fileid_{stem.rpartition('_')[2]}.wav")
    for noisy, clean in DNS2.items():
        write_audio(base / f"ICASSP_dev_test_set/track_1/synthetic/noisy/{noisy}.wav")
        write_audio(base / f"ICASSP_dev_test_set/track_1/synthetic/clean/{clean}.wav")
    for stem in DNS3:
        write_audio(base / f"dev_testset/{stem}.wav", seconds=0.5)
    return root


def make_ms_snsd(root: Path) -> Path:
    for stem in ("p234_002", "p234_004", "p241_001", "clnsp10", "clnsp11"):
        write_audio(root / f"clean_train/{stem}.wav")
    for stem in ("clnsp0", "clnsp10"):
        write_audio(root / f"clean_test/{stem}.wav")
    for folder in ("noise_train", "noise_test"):
        for stem in ("AirConditioner_1", "Babble_2"):
            write_audio(root / f"{folder}/{stem}.wav")
    write_audio(root / "NoisySpeech_training/noisy1_SNRdb_20.0_clnsp1.wav")
    return root

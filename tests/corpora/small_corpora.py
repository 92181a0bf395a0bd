"""Small trees of recordings, written by the tests themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from sebench.seeding import generator


def write_audio(path: Path, *, seconds: float = 0.8, sample_rate: int = 16000, channels: int = 1) -> Path:
    """Noise that depends on the end of the path alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (int(seconds * sample_rate), channels)
    soundfile.write(path, 0.1 * generator(*path.parts[-4:]).standard_normal(shape), sample_rate)
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
    write_audio(root / "noisy_real/x.wav")
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

"""Small trees of recordings, written by the tests themselves."""

from __future__ import annotations

from pathlib import Path

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

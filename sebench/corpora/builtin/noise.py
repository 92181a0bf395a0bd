"""Noise of the `builtin` corpus: which kinds lie in which split, talkers in the background, and levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sebench.corpora.builtin.noise_events import EVENTS
from sebench.corpora.builtin.noise_textures import SAMPLE_RATE, TEXTURES, Signal, Texture, low_pass, shaped, slow, unit
from sebench.corpora.builtin.sentences import SENTENCES
from sebench.corpora.builtin.speech import VOICES, phrase
from sebench.seeding import generator

LEVEL_DBOV = (-30.0, -22.0)
PEAK = 0.95

#: split -> kinds. The test split has four kinds that nothing was trained on, and babble, which was. Every file lies in
#: one split; babble has the same voices and sentences in all splits (none of them a speaker's), mixed at other moments.
KINDS: Mapping[str, tuple[str, ...]] = {
    "train": (
        "babble", "brown", "crowd", "dishes", "fan", "machine_hum", "pink", "traffic", "white", "wind",
    ),
    "valid": ("babble", "fan", "sea", "traffic"),
    "test": ("babble", "factory", "rain", "train_ride", "typing"),
}  # fmt: skip


@dataclass(frozen=True)
class NoiseFile:
    """File `index` of a kind in a split."""

    split: str
    kind: str
    index: int
    seconds: float
    seed: int

    @property
    def path(self) -> str:
        """Relative path."""
        return f"noise/{self.split}/{self.kind}/{self.kind}_{self.split}_{self.index:02d}.flac"


def noise(what: NoiseFile) -> Signal:
    """Samples `(samples,)` at 16 kHz with an RMS between -30 and -22 dBov, or less where peaks would clip."""
    random = generator("builtin noise", what.split, what.kind, what.index, what.seed)
    signal = MAKERS[what.kind](random, round(what.seconds * SAMPLE_RATE))
    signal = unit(signal - signal.mean()) * 10 ** (random.uniform(*LEVEL_DBOV) / 20)
    return signal * min(1.0, PEAK / float(np.abs(signal).max()))


def babble(random: np.random.Generator, samples: int) -> Signal:
    """Six to eight talkers at a table, each talking on, none of whom is a speaker of the corpus."""
    total = 0.02 * shaped(random, samples, low_pass(600, 1.0))
    for number in random.permutation(len(VOICES["babble"]))[: int(random.integers(6, 9))]:
        gain = random.uniform(0.5, 1.0)
        place = -random.uniform(0, 2)
        while place < samples / SAMPLE_RATE:
            text = SENTENCES["babble"][int(random.integers(len(SENTENCES["babble"])))]
            said = phrase(VOICES["babble"][number], text, random)
            _place(total, gain * unit(said), place)
            place += len(said) / SAMPLE_RATE + random.uniform(0.05, 0.8)
    return unit(total)


def crowd(random: np.random.Generator, samples: int) -> Signal:
    """A full room from afar: dozens of voices without words, muffled and reverberant, over its own murmur."""
    from scipy.signal import fftconvolve

    total = np.zeros(samples)
    readings = []
    for _ in range(24):
        voice = VOICES["babble"][int(random.integers(len(VOICES["babble"])))]
        text = SENTENCES["babble"][int(random.integers(len(SENTENCES["babble"])))]
        readings.append(unit(phrase(voice, text, random)))
    for _ in range(int(9 * samples / SAMPLE_RATE)):
        reading = readings[int(random.integers(len(readings)))]
        _place(total, random.uniform(0.2, 1.0) * reading, random.uniform(-3, samples / SAMPLE_RATE))
    length = int(random.uniform(0.6, 1.2) * SAMPLE_RATE)
    tail = shaped(random, length, low_pass(1800, 1.5)) * 10 ** (-3 * np.arange(length) / length)
    murmur = shaped(random, samples, low_pass(500, 1.4)) * (0.7 + 0.6 * slow(random, samples, 0.5))
    return unit(unit(fftconvolve(total, tail)[:samples]) + 0.25 * murmur)


def _place(total: Signal, event: Signal, seconds: float) -> None:
    from sebench.corpora.builtin.noise_events import add

    add(total, event, seconds, 1.0)


#: kind -> texture
MAKERS: dict[str, Texture] = {**TEXTURES, **EVENTS, "babble": babble, "crowd": crowd}

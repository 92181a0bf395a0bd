"""Speech of the `builtin` corpus: who speaks, what, how fast, how loud, and over which microphone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sebench.corpora.audio import resample
from sebench.corpora.builtin.espeak import Request, speak
from sebench.corpora.builtin.sentences import SENTENCES
from sebench.seeding import generator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SAMPLE_RATE = 16000
MIN_SECONDS, MAX_SECONDS = 2.0, 6.0
LEVEL_DBOV = (-32.0, -18.0)
FLOOR_DB = 55.0
PEAK = 0.95


@dataclass(frozen=True)
class Voice:
    """One speaker.

    Args:
        id: also the folder's name.
        voice: language accent and variant of espeak-ng.
        rate: words per minute.
        pitch: 50 is the variant's own.
        tract: length of the vocal tract relative to the variant's: formants and pitch scale by 1 / tract.
    """

    id: str
    voice: str
    rate: int
    pitch: int
    tract: float


def _voices(prefix: str, rows: str) -> tuple[Voice, ...]:
    voices = []
    for number, row in enumerate(rows.split(), start=1):
        accent, variant, rate, pitch, tract = row.split(":")
        voices.append(Voice(f"{prefix}{number:02d}", f"gmw/{accent}+{variant}", int(rate), int(pitch), float(tract)))
    return tuple(voices)


#: split -> its speakers; no speaker and no voice variant occurs in two of them, nor in the babble.
VOICES = {
    "train": _voices(
        "tr",
        """en:m1:160:50:1.00 en-US:f1:168:50:1.00 en-GB-scotland:m3:150:46:0.97 en-029:f2:158:48:1.03
        en-GB-x-rp:Alex:172:44:1.04 en-US:Annie:178:42:0.98 en-GB-x-gbclan:Michael:155:54:1.02 en:belinda:165:38:1.05
        en-US-nyc:m5:182:52:0.98 en-GB-x-rp:f5:152:45:0.97 en-US:robert:148:40:1.03 en-GB-scotland:shelby:170:55:1.00
        en-GB-x-gbcwmd:Mike:175:58:0.96 en-GB-x-gbclan:aunty:162:52:1.02 en-029:pablo:166:47:1.05
        en-US-nyc:Alicia:174:30:1.04""",
    ),
    "valid": _voices(
        "va",
        "en-GB-x-rp:m2:163:48:1.01 en-US:f4:170:52:0.99 en-029:grandpa:150:50:0.98 en-GB-scotland:grandma:158:46:1.02",
    ),
    "test": _voices(
        "te",
        """en-US:m7:165:47:1.02 en-GB-x-rp:f3:160:50:1.01 en-GB-scotland:quincy:156:56:0.97
        en-GB-x-gbclan:linda:172:40:1.04 en-029:max:168:52:1.00 en:Andrea:152:34:1.03""",
    ),
    "babble": _voices(
        "ba",
        """en:m4:185:50:1.00 en-US:steph:190:50:1.02 en-GB-x-rp:adam:175:48:0.98 en-GB-scotland:steph2:180:55:0.97
        en-029:edward:178:52:1.03 en:anika:188:30:1.05 en-US-nyc:boris:192:46:1.01 en-GB-x-gbclan:steph3:184:50:0.99
        en:kaukovalta:176:55:0.96 en-US:m8:182:60:1.00 en-GB-x-gbcwmd:victor:190:44:1.02 en-US:Lee:186:57:0.99""",
    ),
}


@dataclass(frozen=True)
class Utterance:
    """One file of speech: number `index` of a split."""

    split: str
    index: int
    seed: int

    @property
    def voice(self) -> Voice:
        """Speakers take turns."""
        return VOICES[self.split][self.index % len(VOICES[self.split])]

    @property
    def path(self) -> str:
        """Relative path."""
        return f"speech/{self.split}/{self.voice.id}/{self.voice.id}_{self.index:05d}.flac"


def utterance(what: Utterance) -> npt.NDArray[np.float64]:
    """Samples `(samples,)` at 16 kHz, 2 to 6 s, with an active level between -32 and -18 dBov."""
    voice = what.voice
    random = generator("builtin speech", what.split, what.index, what.seed)
    spoken = _within_limits(voice, what, random)
    coloured = _microphone(voice, spoken)
    padded = _padded(coloured, random)
    return _levelled(padded, random.uniform(*LEVEL_DBOV), random)


def phrase(voice: Voice, text: str, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """One reading of a text, at 16 kHz: pauses at commas, rate, pitch and intonation vary from reading to reading."""
    import numpy as np

    request = Request(
        text=_ssml(text, random),
        voice=voice.voice,
        rate=round(voice.rate * random.uniform(0.9, 1.12)),
        pitch=int(np.clip(voice.pitch + random.normal(0, 4), 5, 95)),
        range=int(np.clip(random.normal(55, 12), 20, 95)),
        word_gap=int(random.integers(0, 3)),
    )
    samples, rate = speak(request)
    return resample(samples.astype(np.float32), rate / voice.tract, SAMPLE_RATE).astype(np.float64)


def _ssml(text: str, random: np.random.Generator) -> str:
    clauses = text.split(", ")
    parts = [clauses[0]]
    parts += [f',<break time="{int(random.uniform(80, 420))}ms"/> {clause}' for clause in clauses[1:]]
    return f"<speak>{''.join(parts)}</speak>"


def _within_limits(voice: Voice, what: Utterance, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """A reading that fits; a sentence that is short is followed by another, one that is too long gives way."""
    import numpy as np

    longest = MAX_SECONDS - 0.8
    said = np.zeros(0)
    for text in _choices(voice, what):
        pause = np.zeros(int(random.uniform(0.25, 0.6) * SAMPLE_RATE) if len(said) else 0)
        longer = np.concatenate([said, pause, _trimmed(phrase(voice, text, random))])
        if len(longer) <= longest * SAMPLE_RATE:
            said = longer
        if len(said) >= MIN_SECONDS * SAMPLE_RATE:
            break
    return said


def _choices(voice: Voice, what: Utterance) -> Iterator[str]:
    """Sentences in the speaker's own order, from another place for each utterance: repeats come as late as can be."""
    sentences = SENTENCES[what.split]
    order = generator("builtin order", voice.id, what.seed).permutation(len(sentences))
    turn = what.index // len(VOICES[what.split])
    for step in range(len(sentences)):
        yield sentences[order[(turn + step * 19) % len(sentences)]]


def _trimmed(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Without the silence that espeak-ng puts around a reading."""
    import numpy as np

    loud = np.flatnonzero(np.abs(samples) > 0.003)
    return samples[max(0, loud[0] - 160) : loud[-1] + 320] if len(loud) else samples


def _microphone(voice: Voice, samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The colour of a speaker's room and microphone: a high-pass, a tilt, two broad peaks, one early reflection."""
    import numpy as np
    from scipy.signal import butter, lfilter, sosfilt

    random = generator("builtin microphone", voice.id)
    sections = [butter(2, random.uniform(50, 110), "highpass", fs=SAMPLE_RATE, output="sos")]
    for low, high in ((180, 700), (1500, 5000)):
        sections.append(peak_section(random.uniform(low, high), random.uniform(-4, 4), random.uniform(0.6, 1.4)))
    coloured = sosfilt(np.concatenate(sections), samples)
    coloured = lfilter([1.0, random.uniform(-0.25, 0.25)], [1.0], coloured)
    delay = int(random.uniform(0.0015, 0.006) * SAMPLE_RATE)
    coloured[delay:] += random.uniform(0.05, 0.2) * coloured[:-delay].copy()
    return np.asarray(coloured)


def peak_section(hertz: float, gain_db: float, quality: float) -> npt.NDArray[np.float64]:
    """A second-order section `(1, 6)` that lifts or lowers a band (Audio EQ Cookbook, peakingEQ)."""
    import numpy as np

    amplitude = 10 ** (gain_db / 40)
    omega = 2 * np.pi * hertz / SAMPLE_RATE
    alpha = np.sin(omega) / (2 * quality)
    numerator = np.array([1 + alpha * amplitude, -2 * np.cos(omega), 1 - alpha * amplitude])
    denominator = np.array([1 + alpha / amplitude, -2 * np.cos(omega), 1 - alpha / amplitude])
    section: npt.NDArray[np.float64] = np.concatenate([numerator, denominator])[None, :] / denominator[0]
    return section


def _padded(samples: npt.NDArray[np.float64], random: np.random.Generator) -> npt.NDArray[np.float64]:
    import numpy as np

    before, after = (int(random.uniform(0.1, 0.35) * SAMPLE_RATE) for _ in range(2))
    return np.pad(samples, (before, after))


def active_level_db(samples: npt.NDArray[np.float64]) -> float:
    """RMS in dBov of the 20 ms frames within 35 dB of the loudest one."""
    import numpy as np

    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = np.mean(frames**2, axis=1)
    return float(10 * np.log10(np.mean(power[power > power.max() * 10**-3.5])))


def _levelled(
    samples: npt.NDArray[np.float64], level_dbov: float, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """At its level, with a slow drift of a decibel or two, and with the microphone's own noise far below."""
    import numpy as np

    knots = np.cumsum(random.normal(0, 0.6, size=8))
    drift_db = np.interp(np.linspace(0, 7, len(samples)), np.arange(8), np.clip(knots - knots.mean(), -2.5, 2.5))
    moved = samples * 10 ** (drift_db / 20)
    scaled = moved * 10 ** ((level_dbov - active_level_db(moved)) / 20)
    scaled += random.normal(0, 10 ** ((level_dbov - FLOOR_DB) / 20), size=len(scaled))
    limited: npt.NDArray[np.float64] = scaled * min(1.0, PEAK / float(np.abs(scaled).max()))
    return limited

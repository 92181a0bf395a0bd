"""Synthetic noises that go on: coloured noise, machines that run, weather, a road.

Each takes a generator and a number of samples and gives that many at 16 kHz, at any level. Corner frequencies,
rates and decays are choices of ours, made to lie where recordings of such sounds have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16000
SOUND_SPEED = 343.0

Signal: TypeAlias = npt.NDArray[np.floating]
Gain: TypeAlias = Callable[[Signal], Signal]
Texture: TypeAlias = Callable[[np.random.Generator, int], Signal]


def shaped(random: np.random.Generator, samples: int, gain: Gain) -> Signal:
    """Gaussian noise with unit RMS and the amplitude spectrum `gain(hertz)`."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    return unit(np.fft.irfft(spectrum * gain(hertz), samples))


def unit(signal: Signal) -> Signal:
    """The signal at an RMS of 1."""
    return signal / max(float(np.sqrt(np.mean(signal**2))), 1e-12)


def slow(random: np.random.Generator, samples: int, hertz: float) -> Signal:
    """A smooth random curve between 0 and 1 that changes about `hertz` times a second."""
    knots = random.uniform(0, 1, size=int(samples / SAMPLE_RATE * hertz) + 3)
    place = np.arange(samples) * hertz / SAMPLE_RATE
    left = place.astype(np.int64)
    ease = 0.5 - 0.5 * np.cos(np.pi * (place - left))
    return knots[left] * (1 - ease) + knots[left + 1] * ease


def low_pass(corner: float, order: float) -> Gain:
    """Flat up to `corner` Hz, then falling by 6 dB per octave and order; nothing below 15 Hz."""
    return lambda hertz: (hertz > 15) / (1 + (hertz / corner) ** order)


def band(centre: float, octaves: float) -> Gain:
    """A bell on the logarithmic frequency axis."""
    return lambda hertz: np.exp(-0.5 * (np.log2(np.maximum(hertz, 1) / centre) / octaves) ** 2)


def harmonics(random: np.random.Generator, phase: Signal, amplitudes: Signal) -> Signal:
    """Sum of the multiples of a running phase (radians), each from its own starting phase."""
    total = np.zeros(len(phase))
    for number, amplitude in enumerate(amplitudes, start=1):
        total += amplitude * np.sin(number * phase + random.uniform(0, 2 * np.pi))
    return total


def running(hertz: Signal) -> Signal:
    """The phase in radians of an oscillator whose frequency `(samples,)` changes."""
    return 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE


def white(random: np.random.Generator, samples: int) -> Signal:
    """Equal power per hertz."""
    return random.standard_normal(samples)


def pink(random: np.random.Generator, samples: int) -> Signal:
    """Equal power per octave."""
    return shaped(random, samples, lambda hertz: (hertz > 20) / np.sqrt(np.maximum(hertz, 20)))


def brown(random: np.random.Generator, samples: int) -> Signal:
    """Falling by 6 dB per octave."""
    return shaped(random, samples, lambda hertz: (hertz > 20) / np.maximum(hertz, 20))


def fan(random: np.random.Generator, samples: int) -> Signal:
    """Air through a rotor: a broad rush, tones at the blade-passing frequency, a slight beat at the rotor's."""
    rotor = random.uniform(14, 28)
    speed = rotor * (1 + 0.01 * (slow(random, samples, 0.5) - 0.5))
    blades = int(random.integers(3, 8))
    tones = harmonics(random, running(speed * blades), 0.6 ** np.arange(6))
    rush = shaped(random, samples, low_pass(random.uniform(400, 1100), random.uniform(1.2, 2.0)))
    beat = 1 + random.uniform(0.05, 0.2) * np.sin(running(speed))
    return unit(rush * beat + random.uniform(0.15, 0.45) * unit(tones))


def machine_hum(random: np.random.Generator, samples: int) -> Signal:
    """A transformer or motor: multiples of the mains frequency, a load that swells, a bearing that whines."""
    mains = float(random.choice([50.0, 60.0])) * (1 + 0.002 * (slow(random, samples, 0.3) - 0.5))
    amplitudes = random.uniform(0.2, 1.0, size=24) * 0.82 ** np.arange(24)
    amplitudes[::2] *= random.uniform(0.2, 0.6)  # the second harmonic of the mains leads: iron moves twice a period
    hum = unit(harmonics(random, running(mains), amplitudes))
    load = 0.7 + 0.6 * slow(random, samples, random.uniform(0.2, 1.0))
    turn = 1 + random.uniform(0.1, 0.35) * np.sin(running(np.full(samples, random.uniform(4, 12))))
    whine = np.sin(running(random.uniform(900, 2400) * (0.97 + 0.06 * slow(random, samples, 0.4))))
    rush = shaped(random, samples, low_pass(1500, 1.2))
    return unit(hum * load * turn + random.uniform(0.02, 0.08) * whine + random.uniform(0.1, 0.3) * rush)


def wind(random: np.random.Generator, samples: int) -> Signal:
    """Low rumble at a microphone; gusts are louder and brighter."""
    gust = slow(random, samples, 0.4) * (0.5 + 0.5 * slow(random, samples, 1.7)) + 0.15
    rumble = shaped(random, samples, low_pass(random.uniform(60, 140), 2.0))
    rush = shaped(random, samples, low_pass(random.uniform(350, 700), 2.5))
    whistle = shaped(random, samples, band(random.uniform(600, 1200), 0.12))
    return unit(rumble * gust + 1.2 * rush * gust**2 + random.uniform(0.05, 0.3) * whistle * gust**3)


def sea(random: np.random.Generator, samples: int) -> Signal:
    """Waves that roll in over three to seven seconds, break bright and run out."""
    total = 0.15 * shaped(random, samples, low_pass(300, 1.0))
    seconds = np.arange(samples) / SAMPLE_RATE
    start = random.uniform(-5, 0)
    while start < samples / SAMPLE_RATE:
        rise, fall = random.uniform(1.0, 2.5), random.uniform(1.0, 2.5)
        since = seconds - start - 2 * rise
        swell = np.where(since < 0, np.exp(-((since / rise) ** 2)), np.exp(-np.maximum(since, 0) / fall))
        total += random.uniform(0.5, 1.0) * swell * shaped(random, samples, low_pass(500, 1.2))
        total += random.uniform(0.2, 0.6) * swell**3 * shaped(random, samples, band(2500, 1.0))
        start += random.uniform(2.5, 5.0)
    return unit(total)


def traffic(random: np.random.Generator, samples: int) -> Signal:
    """A road: a distant rumble, and cars that pass with tyre noise and an engine lowered by the Doppler effect."""
    total = 0.25 * shaped(random, samples, low_pass(180, 1.6))
    seconds = np.arange(samples) / SAMPLE_RATE
    moment = random.uniform(-1.0, 2.0)
    while moment < samples / SAMPLE_RATE + 1:
        total += random.uniform(0.4, 1.0) * _car(random, seconds, moment)
        moment += random.exponential(3.0) + 0.7
    return unit(total)


def _car(random: np.random.Generator, seconds: Signal, moment: float) -> Signal:
    speed, closest = random.uniform(9, 24), random.uniform(4, 14)
    along = speed * (seconds - moment)
    distance = np.hypot(along, closest)
    doppler = 1 / (1 + speed * along / distance / SOUND_SPEED)
    tyres = shaped(random, len(seconds), band(random.uniform(600, 1100), 1.1))
    engine = harmonics(
        random, running(random.uniform(35, 80) * doppler), random.uniform(0.3, 1, 12) * 0.8 ** np.arange(12)
    )
    heard: Signal = (tyres + random.uniform(0.3, 1.0) * unit(engine)) * closest / distance
    return heard


#: kind -> texture
TEXTURES: dict[str, Texture] = {
    "white": white,
    "pink": pink,
    "brown": brown,
    "fan": fan,
    "machine_hum": machine_hum,
    "wind": wind,
    "sea": sea,
    "traffic": traffic,
}

"""Synthetic noises made of events: things that strike, ring, click and drip, over a bed of continuous noise."""

from __future__ import annotations

import numpy as np

from sebench.corpora.builtin.noise_textures import (
    SAMPLE_RATE,
    Signal,
    Texture,
    band,
    harmonics,
    low_pass,
    running,
    shaped,
    slow,
    unit,
)


def modes(random: np.random.Generator, hertz: Signal, decay_seconds: Signal) -> Signal:
    """A struck body: sinusoids of random phase and strength that die away, `(samples,)` with a peak of 1."""
    length = int(SAMPLE_RATE * min(5 * float(decay_seconds.max()), 2.5))
    seconds = np.arange(length) / SAMPLE_RATE
    total = np.zeros(length)
    for frequency, decay in zip(hertz, decay_seconds, strict=True):
        wave = np.sin(2 * np.pi * frequency * seconds + random.uniform(0, 2 * np.pi))
        total += random.uniform(0.3, 1.0) * wave * np.exp(-seconds / decay)
    attack = min(length, 24)
    total[:attack] *= np.linspace(0, 1, attack)
    return total / max(float(np.abs(total).max()), 1e-12)


def burst(random: np.random.Generator, decay_seconds: float, centre: float, octaves: float) -> Signal:
    """A short noise in a band that dies away, with a peak of 1."""
    length = int(SAMPLE_RATE * max(0.02, 6 * decay_seconds))
    total = shaped(random, length, band(centre, octaves)) * np.exp(-np.arange(length) / SAMPLE_RATE / decay_seconds)
    return total / max(float(np.abs(total).max()), 1e-12)


def add(total: Signal, event: Signal, seconds: float, gain: float) -> None:
    """Add an event to `total` in place, cut at either end."""
    start = round(seconds * SAMPLE_RATE)
    skipped = max(0, -start)
    event = event[skipped : skipped + max(0, len(total) - max(start, 0))]
    total[max(start, 0) : max(start, 0) + len(event)] += gain * event


def factory(random: np.random.Generator, samples: int) -> Signal:
    """A hall: presses in their own rhythms, struck metal that rings, two motors, air let off, a bed of noise."""
    total = 0.5 * shaped(random, samples, low_pass(random.uniform(300, 800), 1.1))
    for _ in range(2):
        speed = random.uniform(20, 48) * (0.98 + 0.04 * slow(random, samples, 0.3))
        motor = harmonics(random, running(speed), random.uniform(0.2, 1, 30) * 0.9 ** np.arange(30))
        total += random.uniform(0.2, 0.45) * unit(motor) * (0.8 + 0.4 * slow(random, samples, 0.8))
    for _ in range(int(random.integers(2, 4))):
        _press(random, total)
    for moment in _moments(random, samples, per_second=0.9):
        base = random.uniform(700, 2600)
        partials = base * np.sort(random.uniform(1.0, 2.9, size=int(random.integers(4, 9))))
        ring = modes(random, partials, np.full(len(partials), random.uniform(0.08, 0.5)))
        add(total, ring, moment, random.uniform(0.5, 2.5))
    for moment in _moments(random, samples, per_second=0.25):
        add(total, burst(random, random.uniform(0.1, 0.5), 5000, 0.7), moment, random.uniform(1.0, 3.0))
    return unit(_hall(random, total, random.uniform(0.4, 0.9)))


def _press(random: np.random.Generator, total: Signal) -> None:
    """One machine: every stroke the same body, a little early or late, a little harder or softer."""
    period, moment = random.uniform(0.35, 1.6), random.uniform(0, 1)
    hertz = np.sort(np.concatenate([random.uniform(60, 300, 3), random.uniform(300, 3000, 6)]))
    decay = random.uniform(0.02, 0.12, size=len(hertz))
    gain = random.uniform(2.0, 5.0)
    while moment < len(total) / SAMPLE_RATE:
        stroke = modes(random, hertz * random.uniform(0.99, 1.01), decay)
        add(total, stroke, moment, gain * random.uniform(0.7, 1.2))
        add(total, burst(random, 0.015, 2000, 1.2), moment, 0.6 * gain)
        moment += period * random.uniform(0.96, 1.04)


def typing(random: np.random.Generator, samples: int) -> Signal:
    """Fingers on a keyboard in bursts: press and release of every key, the space bar, a quiet room."""
    total = 0.03 * shaped(random, samples, low_pass(400, 1.2))
    desk = np.sort(random.uniform(120, 420, 3))
    keys = random.uniform(1400, 5200, size=(14, 4))
    moment = random.uniform(0, 0.5)
    while moment < samples / SAMPLE_RATE:
        for _ in range(int(random.integers(3, 14))):
            key = keys[int(random.integers(len(keys)))]
            strength = random.uniform(0.5, 1.2)
            add(total, modes(random, key, np.full(4, 0.004)), moment, strength)
            add(total, burst(random, 0.003, 3500, 1.0), moment, 0.8 * strength)
            add(total, modes(random, desk, np.full(3, 0.02)), moment, 0.5 * strength)
            add(total, modes(random, 1.1 * key, np.full(4, 0.003)), moment + random.uniform(0.06, 0.11), 0.4 * strength)
            moment += random.uniform(0.09, 0.24)
        add(total, modes(random, desk * 0.8, np.full(3, 0.03)), moment, random.uniform(0.7, 1.3))
        moment += random.exponential(0.5) + 0.15
    return unit(_hall(random, total, 0.15))


def rain(random: np.random.Generator, samples: int) -> Signal:
    """A shower: a hiss of far drops that swells, near drops on a hard surface, a gutter."""
    swell = 0.6 + 0.8 * slow(random, samples, 0.25)
    total = shaped(random, samples, lambda hertz: hertz**0.3 * low_pass(4500, 1.5)(hertz)) * swell
    for _ in range(8):
        drop = burst(random, random.uniform(0.001, 0.004), random.uniform(1500, 6000), 0.4)
        strikes = (random.random(samples) < random.uniform(2, 7) / SAMPLE_RATE) * random.exponential(1.5, size=samples)
        total += np.convolve(strikes, drop)[:samples] * swell
    gutter = shaped(random, samples, band(random.uniform(300, 700), 0.5))
    return unit(total + random.uniform(0.05, 0.3) * gutter * (0.5 + slow(random, samples, 6.0)))


def train_ride(random: np.random.Generator, samples: int) -> Signal:
    """Inside a carriage: rolling rumble, double blows at the rail joints, now and then a flange that squeals."""
    total = shaped(random, samples, low_pass(random.uniform(110, 220), 1.8)) * (0.8 + 0.4 * slow(random, samples, 0.7))
    total += 0.25 * shaped(random, samples, band(900, 1.2)) * (0.6 + 0.8 * slow(random, samples, 0.5))
    period, axle, moment = random.uniform(0.7, 1.4), random.uniform(0.1, 0.18), random.uniform(0, 0.7)
    floor = np.concatenate([random.uniform(50, 160, 3), random.uniform(250, 900, 3)])
    while moment < samples / SAMPLE_RATE:
        for offset, gain in ((0.0, 3.0), (axle, 2.4)):
            blow = modes(random, floor, random.uniform(0.02, 0.06, len(floor)))
            add(total, blow, moment + offset, gain * random.uniform(0.8, 1.2))
        moment += period * random.uniform(0.98, 1.02)
    squeal = harmonics(random, running(random.uniform(1100, 2200) * (1 + 0.02 * slow(random, samples, 3))), np.ones(3))
    return unit(total + 0.25 * squeal * np.maximum(0, slow(random, samples, 0.3) - 0.75) * 4)


def dishes(random: np.random.Generator, samples: int) -> Signal:
    """A kitchen: plates, glasses and cutlery that touch in clusters, over running water and a refrigerator."""
    total = 0.12 * shaped(random, samples, band(1800, 1.4)) * (0.3 + slow(random, samples, 0.4))
    total += 0.1 * unit(harmonics(random, running(np.full(samples, 50.0)), 0.6 ** np.arange(8)))
    for moment in _moments(random, samples, per_second=1.3):
        base, count = random.uniform(900, 2400), int(random.integers(3, 7))
        partials = base * np.sort(random.uniform(1.0, 3.1, count))
        decay = random.uniform(0.01, 0.16)
        for _ in range(int(random.integers(1, 5))):
            clink = modes(random, partials * random.uniform(0.995, 1.005), np.full(count, decay))
            add(total, clink, moment, random.uniform(0.4, 2.2))
            moment += random.exponential(0.09) + 0.02
    return unit(_hall(random, total, 0.25))


def _moments(random: np.random.Generator, samples: int, *, per_second: float) -> list[float]:
    seconds = samples / SAMPLE_RATE
    return sorted(random.uniform(0, seconds, size=max(1, int(random.poisson(per_second * seconds)))).tolist())


def _hall(random: np.random.Generator, dry: Signal, rt60_seconds: float) -> Signal:
    """The signal in a diffuse room: its own sound and a tail of decaying noise at a third of its level."""
    from scipy.signal import fftconvolve

    length = int(SAMPLE_RATE * rt60_seconds)
    tail = random.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    return dry + fftconvolve(dry, tail / np.sqrt(np.sum(tail**2)))[: len(dry)] / 3


#: kind -> texture
EVENTS: dict[str, Texture] = {
    "factory": factory,
    "typing": typing,
    "rain": rain,
    "train_ride": train_ride,
    "dishes": dishes,
}

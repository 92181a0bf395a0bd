"""Reverberation times: those of the rooms that a mixing draws, the paper's, and what simulated rooms really do."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.signal import butter, sosfiltfilt

from sebench.config.mixing import Mixing, Reverberation, bounds
from sebench.seeding import generator
from sebench.synthesis import rooms
from sebench.synthesis.plan import _room_columns

RATE = 16000
PAPER = (0.28, 1.66)  # s; arXiv 2111.03847, sec. IV-A, of rooms whose ranges it names
Size = tuple[float, float, float]


@pytest.fixture(scope="module")
def dns3() -> Reverberation:
    """The rooms of the shipped mixing."""
    path = Path(__file__).parents[2] / "config" / "mixing" / "pesqnet.yaml"
    reverberation = Mixing.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))["dns3"]).reverberation
    assert reverberation is not None
    return reverberation


def eyring_rt60(size: Size, absorption: float) -> float:
    """Eyring: what is left after n reflections is (1 - absorption)^n, not exp(-absorption n)."""
    return rooms.sabine_rt60(size, -math.log(1 - absorption))


def corners(rooms_of: Reverberation) -> dict[tuple[float, ...], tuple[float, float]]:
    """(x, y, z, absorption) at the bounds -> RT60 after Sabine and Eyring."""
    ranges = (rooms_of.room_x, rooms_of.room_y, rooms_of.room_z, rooms_of.absorption)
    found = itertools.product(*(bounds(of) for of in ranges))
    return {(*size, a): (rooms.sabine_rt60(size, a), eyring_rt60(size, a)) for *size, a in found}


def test_the_papers_range_is_sabines_of_the_highest_rooms(dns3: Reverberation) -> None:
    times = corners(dns3)
    longest, shortest = times[10, 10, 3.5, 0.1], times[3, 3, 3.5, 0.3]
    assert longest == max(times.values())
    assert (round(shortest[0], 2), round(longest[0], 2)) == PAPER
    # Eyring reaches neither end, and a height of 2.5 m goes below the paper's shortest time.
    assert longest[1] == pytest.approx(1.574, abs=0.001)
    assert shortest[1] == pytest.approx(0.237, abs=0.001)
    assert min(times.values()) == times[3, 3, 2.5, 0.3] == pytest.approx((0.252, 0.212), abs=0.001)


def test_drawn_rooms_are_within_the_papers_range(dns3: Reverberation) -> None:
    wet = dns3.model_copy(update={"probability": 1.0})
    times = []
    for seed in range(2000):
        room = json.loads(_room_columns(wet, [], generator("reverberation time", seed))["room"])
        times.append(
            (rooms.sabine_rt60(room["size"], room["absorption"]), eyring_rt60(room["size"], room["absorption"]))
        )
    sabine, eyring = np.array(times).T
    # The corners are improbable: the range of the drawn rooms is narrower than that of the formula.
    assert PAPER[0] - 0.03 < sabine.min() < 0.33
    assert 1.38 < sabine.max() < PAPER[1]
    assert np.mean(sabine < PAPER[0]) <= 0.001
    assert np.median(sabine) == pytest.approx(0.60, abs=0.02)
    assert np.median(eyring) == pytest.approx(0.54, abs=0.02)


def image_source_decay(size: Size, absorption: float, times: np.ndarray) -> np.ndarray:
    """Schroeder's decay curve in dB that images of a shoebox have on average, `(times,)`.

    A sound that leaves in direction u has met c t (|u_x| / x + |u_y| / y + |u_z| / z) walls after t, and spherical
    spreading and the growing number of images cancel: the energy is the mean of (1 - absorption)^walls over all
    directions. The mean number of walls is that of the mean free path, so the decay begins at Eyring's rate; then the
    directions that meet few walls are left.
    """
    z = (np.arange(4000) + 0.5) / 4000
    angle = math.pi * (1 + math.sqrt(5)) * (np.arange(4000) + 0.5)
    across = np.sqrt(1 - z**2)
    walls = np.abs(np.stack([across * np.cos(angle), across * np.sin(angle), z])) / np.array(size)[:, None]
    rates = -math.log(1 - absorption) * rooms.SPEED_OF_SOUND * walls.sum(axis=0)
    energy = np.array([np.mean(np.exp(-rates * time) / rates) for time in times])
    return 10 * np.log10(energy / energy[0])


def t20(level_db: np.ndarray, times: np.ndarray) -> float:
    """RT60 by the slope of a decay curve from -5 to -25 dB (ISO 3382)."""
    part = (level_db < -5) & (level_db > -25)
    return -60 / float(np.polyfit(times[part], level_db[part], 1)[0])


def measured_t20(size: Size, absorption: float, position: np.ndarray) -> float:
    """Of a simulated room after the direct path, 1 to 7 kHz: below, images add up as pressures, not as energies."""
    response = rooms.simulate(size, absorption, tuple(position), RATE, decay_db=60)
    band = butter(4, (1000, 7000), "bandpass", fs=RATE, output="sos")
    tail = sosfiltfilt(band, response.full)[response.delay + 60 :]
    energy = np.cumsum(tail[::-1] ** 2)[::-1]
    return t20(10 * np.log10(energy / energy[0]), np.arange(len(tail)) / RATE)


def test_images_begin_to_decay_at_eyrings_rate() -> None:
    size, absorption = (4.0, 5.0, 3.0), 0.2
    times = np.linspace(0, 1e-4, 11)
    # The decay of the energy itself, not of what is left of it: the derivative of Schroeder's curve, undone.
    left = 10 ** (image_source_decay(size, absorption, np.linspace(0, 2e-4, 21)) / 10)
    energy = -np.diff(left)
    rate = -np.polyfit(times, np.log(energy[:11]), 1)[0]
    assert 6 * math.log(10) / rate == pytest.approx(eyring_rt60(size, absorption), rel=0.005)


@pytest.mark.parametrize(
    ("size", "absorption", "to_sabine"),
    [((3.0, 3.0, 2.5), 0.3, 0.90), ((4.0, 5.0, 3.0), 0.3, 0.98), ((8.0, 8.0, 3.5), 0.3, 1.11)],
)
def test_simulated_rooms_decay_as_images_do(size: Size, absorption: float, to_sabine: float) -> None:
    # Tolerance 10 %, over four places of the source; one place differs from another by about 5 %.
    rng = generator("decay", *size)
    places = [0.7 * v / np.linalg.norm(v) for v in rng.standard_normal((4, 3))]
    measured = float(np.mean([measured_t20(size, absorption, place) for place in places]))
    times = np.arange(0.7 / rooms.SPEED_OF_SOUND, 1.5 * rooms.sabine_rt60(size, absorption), 1e-3)
    assert measured == pytest.approx(t20(image_source_decay(size, absorption, times), times), rel=0.1)
    # Flat rooms decay more slowly than Sabine has it: what runs along the floor meets few walls.
    assert measured / rooms.sabine_rt60(size, absorption) == pytest.approx(to_sabine, rel=0.1)
    assert measured > eyring_rt60(size, absorption)

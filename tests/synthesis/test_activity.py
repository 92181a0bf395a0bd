"""What is cut out of a file is as active as the file."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebench.config.mixing import Mixing
from sebench.corpora import manifest
from sebench.corpora.activity import Activity, frame_powers
from sebench.seeding import generator
from sebench.synthesis.levels import rms_level
from sebench.synthesis.mixture import render_mixture
from sebench.synthesis.plan import plan_mixtures
from sebench.synthesis.sources import SOURCES

RATE = 16000
WHITE = 0.1 * np.random.default_rng(0).standard_normal(RATE)


def dither(seconds: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1, 2, round(seconds * RATE)) / 32768


def test_powers_are_about_the_mean_of_each_frame() -> None:
    steps = np.repeat([0.0, 0.5, -0.3], RATE)
    assert np.all(frame_powers(steps, RATE) < 1e-30)
    assert frame_powers(0.4 + WHITE, RATE) == pytest.approx(frame_powers(WHITE, RATE))
    assert len(frame_powers(WHITE[:801], RATE)) == 2
    # Frames stay in step with time at a rate that 20 does not divide.
    assert len(frame_powers(np.ones(22050 * 60 + 1), 22050)) == 1201


def test_dither_and_pauses_are_no_activity() -> None:
    recording = np.concatenate([dither(10), WHITE, WHITE, dither(10), WHITE])
    activity = Activity.of(recording, RATE)
    assert activity.share == pytest.approx(3 / 23)
    assert activity.share_of(0, 10 * RATE, RATE) == 0.0
    assert activity.share_of(10 * RATE, 2 * RATE, RATE) == 1.0
    assert activity.place(0, 6 * RATE, len(recording), RATE) == 6 * RATE
    assert activity.place(11 * RATE, RATE, len(recording), RATE) == 11 * RATE, "an active place is kept"
    assert activity.place(22 * RATE + 5, 2 * RATE, len(recording), RATE) == 21 * RATE, "the end is a place, too"


@given(
    active=st.lists(st.booleans(), min_size=1, max_size=60),
    length=st.integers(100, 40000),
    start=st.integers(0, 60000),
)
@settings(max_examples=200, deadline=None)
def test_a_place_is_within_and_holds_something_wherever_there_is_something(
    active: list[bool], length: int, start: int
) -> None:
    powers = np.array(active, dtype=np.float64)
    available = len(powers) * RATE // 20
    place = Activity(powers).place(start, length, available, RATE)
    assert 0 <= place <= max(0, available - length)
    if any(active):
        assert Activity(powers).share_of(place, length, RATE) > 0.0


def corpus_with_quiet_beginnings(root: Path, write: Callable[..., dict], quiet: str, seconds: float) -> pd.DataFrame:
    rows = []
    for number, split in enumerate(("train", "valid", "test")):
        for k in range(2):
            rng = generator("quiet", split, k)
            talk = 0.1 * rng.standard_normal(3 * RATE)
            edge = dither(seconds, number)
            for role, column in (("speech", "speaker"), ("noise", "kind")):
                signal = np.concatenate([edge, talk, edge]) if role == quiet else np.tile(talk, 4)
                rows.append(
                    write(root, f"{role}/{split}/{split}{k}.wav", signal, subtype="PCM_16", **{column: f"{split}{k}"})
                )
    return manifest.make(rows).frame


@pytest.mark.parametrize("seconds", [10.0, 35.0], ids=["decoded whole", "entered in the middle"])
@pytest.mark.parametrize("quiet", ["speech", "noise"])
def test_ten_seconds_of_dither_are_not_brought_to_the_level_of_speech(
    tmp_path: Path, write: Callable[..., dict], quiet: str, seconds: float
) -> None:
    frame = corpus_with_quiet_beginnings(tmp_path, write, quiet, seconds)
    mixing = Mixing(max_seconds=6)
    plans = {snr: plan_mixtures(frame, split="test", count=4, seed=0, mixing=mixing, snr_db=snr) for snr in (0.0, 10.0)}
    for low, high in zip(plans[0.0].to_dict("records"), plans[10.0].to_dict("records"), strict=True):
        signals = [render_mixture(row, tmp_path) for row in (low, high)]
        # Dither has a crest factor of 1.2 and is everywhere; the 3 s of talk have silence beside them.
        powers = frame_powers(signals[0][quiet], RATE)
        assert powers.max() > 1e4 * (powers.min() + 1e-12), "the segment holds the sound and not its quiet beginning"
        assert rms_level(signals[0]["clean"]) == pytest.approx(rms_level(signals[1]["clean"]), abs=1e-3)
        assert signals[0]["clean"] == pytest.approx(signals[1]["clean"], abs=1e-6), "the same scene at each SNR"
        SOURCES.__init__()  # type: ignore[misc]  # as in another process
        assert np.array_equal(render_mixture(low, tmp_path)["noisy"], signals[0]["noisy"]), "any mixture alone"


def test_an_offset_for_half_a_file_is_no_sound(tmp_path: Path, write: Callable[..., dict]) -> None:
    frame = corpus_with_quiet_beginnings(tmp_path, write, "speech", 1.0)
    dead = np.concatenate([np.full(8 * RATE, 0.25), WHITE, WHITE])
    noise = write(tmp_path, "noise/test/dead.wav", dead, kind="dead")
    row = plan_mixtures(frame, split="test", count=1, seed=0, mixing=Mixing(max_seconds=1), snr_db=0.0)
    item = row.to_dict("records")[0] | {"noise_path": noise["path"], "noise_sha256": noise["sha256"], "noise_start": 0}
    mixed = render_mixture(item, tmp_path)
    assert math.isfinite(rms_level(mixed["noise"]))
    assert frame_powers(mixed["noise"], RATE).max() > 0.01 * frame_powers(mixed["speech"], RATE).max()

"""Augmentations: what each does to a batch, and what none of them may do."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sebench.config.schema import StageEntry
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.seeding import generator
from sebench.training import augment
from sebench.training.augment import AUGMENTATIONS, BANDS, Segments, band_mask, band_stop, filtered, mel_frequencies
from sebench.training.data import Batches

RATE = 16000
SEGMENT = 1600
SHIFT = RATE // 2
RECIPE = ("remix_levels", "band_mask", "shift")
NAMES = sorted(AUGMENTATIONS)


class Rows:
    """Rows of noise at levels and SNRs of their own; clean is the speech at half its amplitude."""

    def __init__(self, lengths: tuple[int, ...] = (SEGMENT,) * 7 + (SEGMENT // 2,)) -> None:
        rng = np.random.default_rng(0)
        self.lengths = np.array(lengths, np.int64)
        shape = (len(lengths), max(lengths))
        self.levels_db = np.resize([-20.0, -23, -26, -29, -32, -21, -24, -27], len(lengths))
        self.snr_db = np.resize([-5.0, 0, 5, 10, 15, -2, 3, 8], len(lengths))
        unit = rng.standard_normal((2, *shape))
        unit /= np.sqrt(np.mean(unit**2, axis=-1, keepdims=True))
        self.speech = (unit[0] * 10 ** (self.levels_db[:, None] / 20)).astype(np.float32)
        self.noise = (unit[1] * 10 ** ((self.levels_db - self.snr_db)[:, None] / 20)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, i: int) -> dict[str, NDArray[np.float32]]:
        return self.segment(i, 0, int(self.lengths[i]))

    def segment(self, i: int, start: int, samples: int) -> dict[str, NDArray[np.float32]]:
        found = {}
        for name, signals in (("speech", self.speech), ("noise", self.noise)):
            part = signals[i, start : min(start + samples, int(self.lengths[i]))]
            found[name] = np.pad(part, (0, samples - len(part)))
        return {"noisy": found["speech"] + found["noise"], "clean": found["speech"] * np.float32(0.5), **found}


#: Two seconds, less than a segment, and more than a segment but less than a shifted one needs.
MIXED = Rows((2 * RATE,) * 6 + (SEGMENT // 2, SEGMENT + 900))


def batches(*names: str, rows: Rows | None = None, seed: int = 3) -> Batches:
    rows = rows or Rows()
    ids = [str(i) for i in range(len(rows))]
    return Batches(rows, ids, RATE, batch_size=8, segment_seconds=SEGMENT / RATE, seed=seed, augment=names)


def arrays(batch: Batch) -> dict[str, NDArray[np.float32]]:
    return {name: batch.signal(name).numpy() for name in ("noisy", "clean", "speech", "noise")}


def level_db(signal: NDArray[np.float32]) -> NDArray[np.float64]:
    return 10 * np.log10(np.mean(np.square(signal, dtype=np.float64), axis=-1))


def segments(*signals: NDArray[np.floating], rate: int = RATE) -> Segments:
    """Speech and noise are the first and the last of `signals`, `(batch, samples)`."""
    speech, noise = (np.array(signals[i], np.float32) for i in (0, -1))
    views = {"noisy": speech + noise, "clean": speech * np.float32(0.5), "speech": speech, "noise": noise}
    lengths = np.full(len(speech), speech.shape[1], np.int64)
    return Segments(views, lengths, np.zeros(len(speech)), rate)


def tone(frequency: float, seconds: float = 1.0) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)[None].astype(np.float32)


def check_invariants(source: Batches, step: int) -> None:
    batch = source.batch(step)
    lengths = source.rows.lengths[source.indices(step)]
    np.testing.assert_array_equal(batch.true_lengths().numpy(), np.minimum(lengths, source.samples))
    for signal in (batch.noisy, batch.clean, batch.speech, batch.noise):
        assert signal is not None
        assert signal.shape == (8, source.samples)
        assert signal.is_contiguous()
        for place, length in enumerate(batch.true_lengths().tolist()):
            assert not signal[place, length:].any()
            assert signal is batch.noise or signal[place, :length].any()  # a short row's noise may be shifted away
    signals = arrays(batch)
    np.testing.assert_array_equal(signals["noisy"], signals["speech"] + signals["noise"])
    np.testing.assert_array_equal(signals["clean"], signals["speech"] * np.float32(0.5))


@pytest.mark.parametrize("names", [*((name,) for name in NAMES), RECIPE, RECIPE[::-1]], ids="+".join)
def test_the_sum_holds_clean_is_treated_as_speech_and_padding_stays_empty(names: tuple[str, ...]) -> None:
    for step in range(4):
        check_invariants(batches(*names, rows=MIXED), step)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(20, 3 * SEGMENT), min_size=1, max_size=6),
    names=st.permutations(NAMES).flatmap(lambda names: st.integers(0, len(names)).map(lambda n: names[:n])),
    step=st.integers(0, 1000),
)
def test_so_it_is_for_any_lengths_and_any_order(lengths: list[int], names: list[str], step: int) -> None:
    check_invariants(batches(*names, rows=Rows(tuple(lengths))), step)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_gives_the_same_batch_whatever_was_drawn_before(name: str) -> None:
    used = batches(name, rows=MIXED)
    for step in (4, 0, 1):
        used.batch(step)
    for signal, fresh in zip(
        arrays(used.batch(2)).values(), arrays(batches(name, rows=MIXED).batch(2)).values(), strict=True
    ):
        np.testing.assert_array_equal(signal, fresh)


@pytest.mark.parametrize("name", NAMES)
def test_another_step_and_another_seed_draw_anew(name: str) -> None:
    rng = np.random.default_rng(1)
    signals = rng.standard_normal((2, 8, RATE))

    def changed(seed: int, step: int) -> NDArray[np.float32]:
        item = segments(*signals)
        AUGMENTATIONS[name].apply(item, generator(name, seed, step))
        return item.signals["noisy"]

    first = changed(0, 0)
    assert (first == changed(0, 0)).all()
    assert not (first == changed(0, 1)).all()
    assert not (first == changed(1, 0)).all()


def test_remix_leaves_speech_and_exchanges_noises_at_their_snr() -> None:
    rows = Rows()
    source = batches("remix")
    indices = source.indices(0)
    signals = arrays(source.batch(0))
    expected = np.stack([rows.segment(int(i), 0, SEGMENT)["speech"] for i in indices])
    np.testing.assert_array_equal(signals["speech"], expected)
    full = rows.lengths[indices] == SEGMENT
    owners = []
    for place in np.flatnonzero(full):
        noise = signals["noise"][place]
        owner = int(np.argmax([abs(np.corrcoef(noise, rows.noise[i])[0, 1]) for i in range(8)]))
        owners.append(owner)
        if rows.lengths[owner] == SEGMENT:
            assert level_db(signals["speech"][place]) - level_db(noise) == pytest.approx(rows.snr_db[owner], abs=0.01)
    assert owners != list(indices[full])


def test_remix_of_a_recorded_run_is_still_the_same() -> None:
    source = batches("remix")
    order = generator("remix", 3, 5).permutation(8)
    indices = source.indices(5)
    rows = Rows()
    levels = rows.levels_db[indices]
    gains = (10.0 ** ((levels - levels[order]) / 20.0)).astype(np.float32)
    noise = np.stack([rows.segment(int(i), 0, SEGMENT)["noise"] for i in indices])[order] * gains[:, None]
    noise[indices == 7, SEGMENT // 2 :] = 0.0
    np.testing.assert_array_equal(source.batch(5).signal("noise").numpy(), noise)


def test_remix_levels_exchanges_noises_as_they_are() -> None:
    rows, source = Rows((SEGMENT,) * 8), batches("remix_levels", rows=Rows((SEGMENT,) * 8))
    indices, signals = source.indices(0), arrays(source.batch(0))
    np.testing.assert_array_equal(signals["speech"], rows.speech[indices])
    owners = [int(np.flatnonzero((rows.noise == noise).all(-1))[0]) for noise in signals["noise"]]
    assert sorted(owners) == list(range(8))
    assert owners != list(indices)


def test_without_augmentation_noise_belongs_to_its_row() -> None:
    rows, source = Rows(), batches()
    expected = np.stack([rows.segment(int(i), 0, SEGMENT)["noise"] for i in source.indices(0)])
    np.testing.assert_array_equal(source.batch(0).signal("noise").numpy(), expected)


@pytest.mark.parametrize(
    ("band", "inside", "outside"),
    [
        ((1000.0, 2000.0), (1050.0, 1500.0, 1950.0), (100.0, 950.0, 2050.0, 7000.0)),
        ((40.0, 200.0), (60.0, 180.0), (5.0, 230.0, 4000.0)),
        ((7000.0, 8000.0), (7050.0, 7900.0), (100.0, 6950.0)),
    ],
)
def test_a_band_removes_the_tones_in_it_and_keeps_the_others_in_place(
    band: tuple[float, float], inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    response = band_stop(*band, RATE)
    middle = slice(RATE // 4, -RATE // 4)
    for frequency in inside:
        assert np.abs(filtered(tone(frequency), response)[0, middle]).max() < 10 ** (-50 / 20)
    for frequency in outside:  # without delay: sample by sample
        assert np.abs(filtered(tone(frequency), response) - tone(frequency))[0, middle].max() < 0.005


def test_a_filter_is_symmetric_and_longer_signals_are_no_condition() -> None:
    response = band_stop(500.0, 700.0, RATE)
    assert len(response) == RATE // 4 + 1
    np.testing.assert_allclose(response, response[::-1], atol=1e-9)
    impulse = np.zeros((1, 101), np.float32)
    impulse[0, 50] = 1.0
    middle = len(response) // 2
    np.testing.assert_allclose(filtered(impulse, response)[0], response[middle - 50 : middle + 51], atol=1e-7)


def test_one_filter_for_all_segments_and_all_signals() -> None:
    impulses = np.zeros((4, RATE))
    impulses[:, RATE // 2] = 1.0
    item = segments(impulses)
    band_mask(item, generator("band_mask", 0, 1))
    speech = item.signals["speech"]
    assert (speech[0] != impulses[0].astype(np.float32)).any()
    for place in range(4):
        np.testing.assert_array_equal(speech[place], speech[0])
        np.testing.assert_array_equal(item.signals["noise"][place], speech[0])


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_bands_are_drawn_from_the_whole_scale_up_to_a_fifth_of_it(rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bands: list[tuple[float, float]] = []
    monkeypatch.setattr(augment, "band_stop", lambda low, high, _: bands.append((low, high)) or np.ones(1, np.float32))
    for step in range(400):
        band_mask(segments(np.ones((1, 8)), rate=rate), generator("band_mask", 0, step))
    scale = mel_frequencies(rate)
    assert (len(scale), scale[0], scale[-1]) == (BANDS, pytest.approx(40.0), pytest.approx(rate / 2))
    low, high = (np.searchsorted(scale, edges) for edges in np.array(bands).T)
    assert low.min() < 5
    assert high.max() == BANDS - 1
    assert (high - low).min() == 1
    assert 0.19 < (high - low).max() / BANDS <= 0.2
    assert 340 < len(bands) < 400  # one draw in 24 is of no width


def test_the_mel_scale_has_equal_steps_of_mel() -> None:
    steps = np.diff(np.log10(1 + mel_frequencies(RATE) / 700))
    np.testing.assert_allclose(steps, steps[0])
    assert np.isclose(2595 * np.log10(1 + 1000 / 700), 1000, atol=0.1)  # 1000 Hz are 1000 mel by definition


def test_shift_is_the_segment_read_from_a_later_start() -> None:
    source = batches("shift", rows=MIXED)
    for step in range(3):
        indices = source.indices(step)
        signals = arrays(source.batch(step))
        offsets = []
        for place, (i, start) in enumerate(zip(indices, source.starts(step, indices), strict=True)):
            room = min(SHIFT, max(0, int(MIXED.lengths[i]) - SEGMENT - int(start)))
            whole = MIXED.segment(int(i), int(start), SEGMENT + room)["speech"]
            windows = np.lib.stride_tricks.sliding_window_view(whole, SEGMENT)
            (offset,) = np.flatnonzero((windows == signals["speech"][place]).all(-1))
            offsets.append(int(offset))
            expected = MIXED.segment(int(i), int(start + offset), SEGMENT)
            for name, signal in signals.items():
                np.testing.assert_array_equal(signal[place], expected[name])
        by_row = dict(zip(indices.tolist(), offsets, strict=True))
        assert by_row[6] == 0  # shorter than a segment
        assert by_row[7] <= 900
        assert len({by_row[i] for i in range(6)}) == 6


def test_shifts_reach_half_a_second_and_not_more() -> None:
    ramp = np.arange(2 * RATE)[None] / (2 * RATE)
    offsets = []
    for step in range(300):
        item = segments(ramp, np.zeros_like(ramp))
        AUGMENTATIONS["shift"].apply(item, generator("shift", 0, step))
        assert item.signals["speech"].shape == (1, 2 * RATE - SHIFT)
        offsets.append(item.signals["speech"][0, 0] * 2 * RATE)
    assert min(offsets) < 200
    assert SHIFT - 200 < max(offsets) <= SHIFT


def test_the_schema_takes_each_once() -> None:
    assert StageEntry(name="a", augment=list(RECIPE)).augment == list(RECIPE)
    with pytest.raises(pydantic.ValidationError, match="an augmentation stands twice"):
        StageEntry(name="a", augment=["remix", "shift", "remix"])


def test_an_unknown_augmentation_is_refused() -> None:
    with pytest.raises(DataError, match=r"remixx.*remix"):
        batches("remixx")

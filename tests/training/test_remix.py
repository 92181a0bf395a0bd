"""Remix: the noises of a batch change places, each at the SNR that it had, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sebench.errors import DataError
from sebench.training.data import Batches

SAMPLES = 1600


class Rows:
    """Eight rows of noise at levels and SNRs of their own; the last one is shorter."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.levels_db = np.array([-20.0, -23, -26, -29, -32, -21, -24, -27])
        self.snr_db = np.array([-5.0, 0, 5, 10, 15, -2, 3, 8])
        self.lengths = np.array([SAMPLES] * 7 + [SAMPLES // 2], np.int64)
        unit = rng.standard_normal((2, 8, SAMPLES))
        unit /= np.sqrt(np.mean(unit**2, axis=-1, keepdims=True))
        self.speech = (unit[0] * 10 ** (self.levels_db[:, None] / 20)).astype(np.float32)
        self.noise = (unit[1] * 10 ** ((self.levels_db - self.snr_db)[:, None] / 20)).astype(np.float32)

    def __len__(self) -> int:
        return 8

    def row(self, i: int) -> dict[str, NDArray[np.float32]]:
        return self.segment(i, 0, int(self.lengths[i]))

    def segment(self, i: int, start: int, samples: int) -> dict[str, NDArray[np.float32]]:
        found = {}
        for name, signals in (("speech", self.speech), ("noise", self.noise)):
            part = signals[i, start : min(start + samples, int(self.lengths[i]))]
            found[name] = np.pad(part, (0, samples - len(part)))
        return {"noisy": found["speech"] + found["noise"], "clean": found["speech"], **found}


def batches(**changes: object) -> Batches:
    values = {"batch_size": 8, "segment_seconds": 0.1, "seed": 3, "augment": ("remix",), **changes}
    return Batches(Rows(), [str(i) for i in range(8)], 16000, **values)  # type: ignore[arg-type]


def level_db(signal: NDArray[np.float32]) -> NDArray[np.float64]:
    return 10 * np.log10(np.mean(np.square(signal, dtype=np.float64), axis=-1))


def test_speech_stays_and_noises_change_places_at_their_snr() -> None:
    rows = Rows()
    source = batches()
    indices = source.indices(0)
    batch = source.batch(0)
    speech, noise, noisy = (getattr(batch, name).numpy() for name in ("speech", "noise", "noisy"))
    np.testing.assert_array_equal(speech, np.stack([rows.segment(int(i), 0, SAMPLES)["speech"] for i in indices]))
    np.testing.assert_array_equal(noisy, speech + noise)
    full = rows.lengths[indices] == SAMPLES
    owners = []
    for place in np.flatnonzero(full):
        likeness = [abs(np.corrcoef(noise[place], rows.noise[i])[0, 1]) for i in range(8)]
        owner = int(np.argmax(likeness))
        owners.append(owner)
        if rows.lengths[owner] == SAMPLES:
            snr = level_db(speech[place]) - level_db(noise[place])
            assert snr == pytest.approx(rows.snr_db[owner], abs=0.01)
    assert owners != list(indices[full])


def test_nothing_sounds_after_the_end_of_a_row() -> None:
    source = batches()
    batch = source.batch(0)
    short = int(np.flatnonzero(source.indices(0) == 7)[0])
    assert not batch.noisy[short, SAMPLES // 2 :].any()


def test_the_same_step_is_the_same_batch_and_another_step_another() -> None:
    first, again, other = batches().batch(0), batches().batch(0), batches().batch(1)
    assert (first.noise == again.noise).all()
    assert not (first.noise == other.noise).all()


def test_without_remix_noise_belongs_to_its_row() -> None:
    rows, source = Rows(), batches(augment=())
    expected = np.stack([rows.segment(int(i), 0, SAMPLES)["noise"] for i in source.indices(0)])
    np.testing.assert_array_equal(source.batch(0).noise.numpy(), expected)


def test_an_unknown_augmentation_is_refused() -> None:
    with pytest.raises(DataError, match=r"remixx.*remix"):
        batches(augment=("remixx",))

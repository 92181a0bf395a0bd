"""Reading a rendered set back."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sebench.artefacts import Node, Store
from sebench.errors import DataError
from sebench.synthesis import render
from sebench.synthesis.store import AudioStore

RATE = 16000


@pytest.fixture
def audio(make_set: Callable[..., tuple[Store, Node]], monkeypatch: pytest.MonkeyPatch) -> AudioStore:
    monkeypatch.setattr(render, "SHARD_ROWS", 3)
    rooms = {"probability": 0.5, "room_x": 3, "room_y": 3, "room_z": 3, "absorption": 0.3}
    store, node = make_set(7, reverberation=rooms)
    render.run(node, store)
    return AudioStore.open(store, node)


def test_rows_have_their_lengths_and_add_up(audio: AudioStore) -> None:
    assert len(audio) == 7
    assert audio.lengths.dtype == np.int64
    for i in range(len(audio)):
        row = audio.row(i)
        assert set(row) == {"noisy", "clean", "speech", "noise"}
        assert all(signal.shape == (audio.lengths[i],) and signal.dtype == np.float32 for signal in row.values())
        assert np.array_equal(row["noisy"], row["speech"] + row["noise"])
        reverberant = audio.index["dry_offset"][i] >= 0
        assert np.array_equal(row["clean"], row["speech"]) == (not reverberant)


@pytest.mark.parametrize(("start", "samples"), [(0, 500), (700, 100), (15000, 30000), (10**6, 64)])
def test_segments_are_parts_of_rows_with_zeros_after_the_end(audio: AudioStore, start: int, samples: int) -> None:
    for i in range(len(audio)):
        row, segment = audio.row(i), audio.segment(i, start, samples)
        for name, signal in segment.items():
            expected = np.zeros(samples, np.float32)
            part = row[name][start : start + samples]
            expected[: len(part)] = part
            assert np.array_equal(signal, expected)


def test_what_is_read_may_be_changed_without_changing_the_set(audio: AudioStore) -> None:
    first = audio.row(0)
    kept = first["speech"].copy()
    first["speech"][:] = 0
    assert np.array_equal(audio.row(0)["speech"], kept)


def _sums(audio: AudioStore) -> list[float]:
    return [float(np.sum(audio.row(i)["noisy"], dtype=np.float64)) for i in range(len(audio))]


def test_threads_forks_and_pickles_read_the_same(audio: AudioStore) -> None:
    expected = _sums(audio)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(_sums, [audio] * 8))
    copied = pickle.loads(pickle.dumps(audio))
    assert len(pickle.dumps(audio)) < 100_000
    assert _sums(copied) == expected
    receive, send = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=lambda: send.send(_sums(audio)))
    child.start()
    assert receive.recv() == expected
    child.join()


def test_wav_files_hold_the_samples(audio: AudioStore, tmp_path: Path) -> None:
    paths = audio.export_wav(1, tmp_path / "wav")
    name = audio.index["mixture"][1]
    assert [path.name for path in paths] == [f"{name}-noisy.wav", f"{name}-clean.wav", f"{name}-noise.wav"]
    for path, key in zip(paths, ("noisy", "clean", "noise"), strict=True):
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE
        assert soundfile.info(path).subtype == "FLOAT"
        assert np.array_equal(samples, audio.row(1)[key])


def test_missing_shard_is_named(audio: AudioStore) -> None:
    (audio.state / "shard-00002.f32").unlink()
    audio.row(0)
    with pytest.raises(DataError, match=r"shard-00002.f32: cannot be read"):
        audio.row(6)

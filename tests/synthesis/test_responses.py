"""Simulated impulse responses on disk: the same bytes, simulated once, also by several processes, damaged or not."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sebench.artefacts import Node, Store
from sebench.config.mixing import Reverberation
from sebench.run.gc import _unneeded_responses, delete
from sebench.seeding import generator
from sebench.synthesis import render, responses, rooms
from sebench.synthesis.plan import _room_columns
from sebench.synthesis.responses import Responses
from sebench.synthesis.store import AudioStore

RATE = 16000
WET = {
    "reverberation": {
        "probability": 1,
        "room_x": {"uniform": [3, 4]},
        "room_y": 3,
        "room_z": 2.5,
        "absorption": 0.5,
    }
}


@pytest.fixture(autouse=True)
def forget() -> None:
    """What other tests simulated is not at hand."""
    rooms.from_description.cache_clear()


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rooms that are simulated from here on."""
    seen: list[str] = []
    original = rooms.from_description.__wrapped__

    def counted(room: str, sample_rate: int) -> rooms.Response:
        seen.append(room)
        return original(room, sample_rate)

    monkeypatch.setattr(rooms, "from_description", counted)
    return seen


def room_of(seed: int, **wet: object) -> str:
    entry = Reverberation.model_validate({**WET["reverberation"], **wet})
    return _room_columns(entry, [], generator("responses", seed))["room"]


def audio_of(store: Store, node: Node) -> list[bytes]:
    return [path.read_bytes() for path in sorted(store.state(node).glob("shard-*.f32"))]


def test_kept_responses_are_those_simulated(tmp_path: Path, simulated: list[str]) -> None:
    kept = Responses(tmp_path)
    first, second = kept(room_of(1), RATE), kept(room_of(1), RATE)
    assert len(simulated) == 1
    assert first.full.tobytes() == second.full.tobytes()
    assert first.direct.tobytes() == second.direct.tobytes()
    assert (first.delay, first.full.dtype) == (second.delay, second.full.dtype)


def test_what_a_response_follows_from_and_nothing_else_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Responses(tmp_path)
    path = kept.path(room_of(1), RATE)
    assert kept.path(room_of(1, target="reverberant"), RATE) == path
    others = [room_of(2), room_of(1, image_decay_db=30), room_of(1, absorption=0.4), room_of(1, distance=0.3)]
    assert len({path, kept.path(room_of(1), 48000), *(kept.path(room, RATE) for room in others)}) == 6
    responses._simulator.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(responses.metadata, "version", lambda package: "another")
        assert kept.path(room_of(1), RATE) != path
    responses._simulator.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(responses, "code_hash", lambda module, attribute: "another")
        assert kept.path(room_of(1), RATE) != path
    responses._simulator.cache_clear()


@pytest.mark.parametrize("damage", ["empty", "torn", "changed"])
def test_a_damaged_file_is_made_again(tmp_path: Path, simulated: list[str], damage: str) -> None:
    kept = Responses(tmp_path)
    expected = kept(room_of(1), RATE)
    path = kept.path(room_of(1), RATE)
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    path.write_bytes({"empty": b"", "torn": whole[: len(whole) // 2], "changed": bytes(changed)}[damage])
    assert kept(room_of(1), RATE).full.tobytes() == expected.full.tobytes()
    assert len(simulated) == 2
    assert path.read_bytes() == whole


def _ask(folder: Path, seeds: list[int]) -> list[bytes]:
    return [Responses(folder)(room_of(seed), RATE).full.tobytes() for seed in seeds]


def test_processes_that_simulate_the_same_rooms_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        answers = list(pool.map(_ask, [tmp_path] * 2, [[1, 2, 3, 4]] * 2))
    assert answers[0] == answers[1]
    assert len(list(tmp_path.glob("*/*"))) == 4  # no temporary file is left
    assert _ask(tmp_path, [4, 3, 2, 1]) == answers[0][::-1]


def test_a_set_is_rendered_again_without_simulation(
    make_set: Callable[..., tuple[Store, Node]], simulated: list[str]
) -> None:
    store, node = make_set(6, **WET)
    render.run(node, store)
    first = audio_of(store, node)
    assert len(simulated) == len(set(simulated)) == 6
    for path in store.state(node).glob("shard-*"):
        path.unlink()
    render.run(node, store)
    assert audio_of(store, node) == first
    assert len(simulated) == 6


def test_other_snrs_and_another_target_have_the_same_rooms(
    make_set: Callable[..., tuple[Store, Node]], simulated: list[str]
) -> None:
    rendered = {}
    for snr_db, target in ((5.0, "dry"), (0.0, "dry"), (5.0, "reverberant")):
        store, node = make_set(3, snr_db=snr_db, reverberation={**WET["reverberation"], "target": target})
        render.run(node, store)
        rendered[snr_db, target] = AudioStore.open(store, node)
    assert len(simulated) == 3
    for position in range(3):
        dry, wet = rendered[5.0, "dry"].row(position), rendered[5.0, "reverberant"].row(position)
        assert np.array_equal(dry["noisy"], wet["noisy"])
        assert np.array_equal(dry["speech"], wet["clean"])
        assert not np.array_equal(dry["clean"], wet["clean"])


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bytes_whether_responses_are_kept_or_not_by_any_number_of_workers(
    make_set: Callable[..., tuple[Store, Node]],
    corpus_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    monkeypatch.setattr(render, "SHARD_ROWS", 2)
    store, node = make_set(6, **WET)
    render.run(node, store, threads=threads)
    index = render.read_parquet(store.outputs(node)["index.parquet"])
    assert len(list((store.root / "state" / "rooms").glob("*/*.npz"))) == 6
    audio = AudioStore.open(store, node)
    for position in reversed(range(6)):
        alone = render.render_mixture(index.iloc[position].to_dict(), corpus_root)  # knows of no folder
        for name, found in audio.row(position).items():
            assert found.tobytes() == alone[name].tobytes()


def test_gc_takes_the_responses_that_no_needed_set_has(make_set: Callable[..., tuple[Store, Node]]) -> None:
    store, small = make_set(2, **WET)
    render.run(small, store)
    _, large = make_set(4, **WET)
    render.run(large, store)
    kept = store.root / "state" / "rooms"
    assert len(list(kept.glob("*/*.npz"))) == 4
    assert not list(_unneeded_responses(store, {small.id, large.id}))
    assert not list(_unneeded_responses(store, {large.id}))
    found = list(_unneeded_responses(store, {small.id}))
    assert [(item.path, len(item.files)) for item in found] == [(kept, 2)]
    assert found[0].size == sum(path.stat().st_size for path in found[0].files)
    delete(found)
    frame = render.read_parquet(store.outputs(store.parent(small, "mixtures"))["mixtures.parquet"])
    needed = {Responses(kept).path(room, RATE) for room in frame["room"]}
    assert set(kept.glob("*/*.npz")) == needed
    assert json.loads(frame["room"][0])["source"] == "simulated"

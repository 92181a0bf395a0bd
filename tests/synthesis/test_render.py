"""Rendering: physics of a mixture, same bytes however it is rendered, checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sebench.artefacts import Node, Store
from sebench.config.mixing import Mixing
from sebench.corpora import manifest
from sebench.errors import DataError
from sebench.files import read_parquet
from sebench.synthesis import render
from sebench.synthesis.levels import MEASURES, rms_level
from sebench.synthesis.mixture import PEAK_LIMIT, noise_segment, render_components, render_mixture
from sebench.synthesis.plan import plan_mixtures
from sebench.synthesis.store import AudioStore
from sebench.synthesis.verify import check_mixture, measure, verify_set

RATE = 16000
ROOMS = {"reverberation": {"probability": 0.5, "room_x": 3, "room_y": 4, "room_z": 2.5, "absorption": 0.3}}


def rows_of(
    frame: pd.DataFrame, count: int = 6, snr_db: float | None = None, part: str | None = None, **mixing: Any
) -> list[dict]:
    entry = Mixing.model_validate(mixing)
    plan = plan_mixtures(frame, split="test", count=count, seed=1, mixing=entry, snr_db=snr_db, part=part)
    return plan.to_dict("records")


def index_of(store: Store, node: Node) -> pd.DataFrame:
    return read_parquet(store.outputs(node)["index.parquet"])


def shards_of(store: Store, node: Node) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.state(node).glob("shard-*"))}


@pytest.mark.parametrize("speech_measure", sorted(MEASURES))
@pytest.mark.parametrize("noise_measure", sorted(MEASURES))
@pytest.mark.parametrize("snr_db", [-5.0, 20.0])
def test_snr_and_level_are_those_planned(
    corpus: pd.DataFrame, corpus_root: Path, speech_measure: str, noise_measure: str, snr_db: float
) -> None:
    mixing = {"speech_level_measure": speech_measure, "noise_level_measure": noise_measure}
    for row in rows_of(corpus, 3, snr_db, speech_level_dbov={"uniform": [-40, -30]}, **mixing):
        signals = render_mixture(row, corpus_root)
        speech = MEASURES[speech_measure](signals["speech"], RATE)
        assert speech == pytest.approx(row["level_dbov"], abs=0.001)
        assert speech - MEASURES[noise_measure](signals["noise"], RATE) == pytest.approx(snr_db, abs=0.001)
        assert np.array_equal(signals["noisy"], signals["speech"] + signals["noise"])
        assert signals["clean"] is signals["speech"]


def test_mixture_level_is_that_planned(corpus: pd.DataFrame, corpus_root: Path) -> None:
    for row in rows_of(corpus, speech_level_dbov=None, mixture_level_dbov={"uniform": [-38, -25]}):
        assert rms_level(render_mixture(row, corpus_root)["noisy"]) == pytest.approx(
            row["mixture_level_dbov"], abs=0.001
        )


def test_clipping_is_prevented_by_scaling_all_together(corpus: pd.DataFrame, corpus_root: Path) -> None:
    for row in rows_of(corpus, 3, 0.0, speech_level_dbov=-3):
        rendered = render_components(row, corpus_root)
        signals = render_mixture(row, corpus_root)
        assert rendered.scaled_by < 1
        assert np.max(np.abs(signals["noisy"])) <= PEAK_LIMIT + 1e-6
        measured = check_mixture(row, signals, rendered.scaled_by)
        assert measured["measured_snr_db"] == pytest.approx(0.0, abs=0.001)
        assert measured["measured_level_dbov"] == pytest.approx(-3 + 20 * math.log10(rendered.scaled_by), abs=0.001)


@pytest.mark.parametrize("source", ["simulated", "measured"])
def test_reverberant_mixtures_have_an_aligned_dry_target(corpus: pd.DataFrame, corpus_root: Path, source: str) -> None:
    rooms = ROOMS["reverberation"] if source == "simulated" else {}
    reverberation = {**rooms, "probability": 1, "source": source}
    for row in rows_of(corpus, 2, reverberation=reverberation):
        signals = render_mixture(row, corpus_root)
        assert signals["clean"] is signals["dry"]
        assert not np.array_equal(signals["dry"], signals["speech"])
        spectrum = np.fft.rfft(signals["speech"], 2**17) * np.conj(np.fft.rfft(signals["dry"], 2**17))
        # Whitened: speech is periodic, so that its plain correlation follows the room's resonances.
        assert np.argmax(np.fft.irfft(spectrum / np.abs(spectrum))) == 0
    reverberation["target"] = "reverberant"
    for row in rows_of(corpus, 2, reverberation=reverberation):
        signals = render_mixture(row, corpus_root)
        assert "dry" not in signals
        assert signals["clean"] is signals["speech"]


@pytest.mark.parametrize("length", [100, 3000, 11200])
@pytest.mark.parametrize("start", [0, 77])
def test_looped_noise_has_no_click_and_keeps_its_power(length: int, start: int) -> None:
    tone = np.sin(2 * np.pi * 0.013 * np.arange(length) + 0.4).astype(np.float32)
    looped = noise_segment(tone, start, 5 * RATE)
    assert looped.shape == (5 * RATE,)
    # A hard joint would jump by up to 2; the tone moves by 0.082 a sample, the fade adds at most its own slope.
    fade = min(320, length // 2)
    assert np.max(np.abs(np.diff(looped))) < 0.082 * math.sqrt(2) + math.pi / 2 / fade * math.sqrt(2)
    hiss = np.random.default_rng(1).standard_normal(length).astype(np.float32)
    assert rms_level(noise_segment(hiss, start, 20 * length)) == pytest.approx(rms_level(hiss), abs=0.8)


def test_long_noise_is_taken_as_it_is() -> None:
    noise = np.arange(1, 10001, dtype=np.float32)
    assert np.array_equal(noise_segment(noise, 123, 500), noise[123:623])
    assert np.array_equal(noise_segment(noise, 9900, 500), noise[9500:])


def test_silence_is_refused_by_name(corpus_root: Path, corpus: pd.DataFrame, write: Callable[..., dict]) -> None:
    silent = write(corpus_root, "noise/test/silent.wav", np.zeros(RATE), kind="silent")
    row = {**rows_of(corpus)[0], "noise_path": silent["path"], "noise_sha256": silent["sha256"]}
    with pytest.raises(DataError, match=r"noise/test/silent.wav: digital silence"):
        render_mixture(row, corpus_root)


def test_changed_source_is_refused_by_name(corpus: pd.DataFrame, tmp_path: Path, write: Callable[..., dict]) -> None:
    row = rows_of(corpus)[0]
    write(tmp_path, row["speech_path"], np.ones(RATE))
    with pytest.raises(DataError, match=rf"{row['speech_path']}: has SHA-256 .* the file changed"):
        render_mixture(row, tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        render_mixture({**row, "speech_path": "speech/test/lost.wav"}, tmp_path)


def test_published_mixtures_are_rendered_as_they_are(paired: tuple[Path, pd.DataFrame]) -> None:
    from sebench.corpora.audio import read

    root, frame = paired
    for row in rows_of(frame):
        rendered = render_components(row, root)
        signals = render_mixture(row, root)
        assert rendered.scaled_by == 1
        assert len(signals["noisy"]) == row["samples"]
        np.testing.assert_allclose(signals["noisy"], read(root / row["paired_path"])[: row["samples"]], atol=1e-7)
        np.testing.assert_array_equal(signals["clean"], read(root / row["speech_path"])[: row["samples"]])
        assert math.isfinite(check_mixture(row, signals, 1.0)["measured_snr_db"])


def test_recordings_without_a_reference_are_rendered_alone(published: tuple[Path, pd.DataFrame]) -> None:
    from sebench.corpora.audio import read

    root, frame = published
    for row in rows_of(frame, part="real"):
        signals = render_mixture(row, root)
        assert set(signals) == {"noisy"}
        np.testing.assert_array_equal(signals["noisy"], read(root / row["paired_path"])[: row["samples"]])
        measured = check_mixture(row, signals, 1.0)
        assert math.isnan(measured["measured_snr_db"])
        assert math.isnan(measured["measured_level_dbov"])
        assert measured["peak"] == np.max(np.abs(signals["noisy"]))
        with pytest.raises(DataError, match=rf"recording {row['paired_path']}\): noisy has .* planned are 7"):
            check_mixture({**row, "samples": 7}, signals, 1.0)


def test_other_sample_rates_keep_the_seconds(paired: tuple[Path, pd.DataFrame]) -> None:
    root, frame = paired
    row = rows_of(frame)[0]
    assert len(render_mixture(row, root, 48000)["noisy"]) == 3 * row["samples"]


# Guarantee 1: any row alone, in any order, by any number of workers.


def test_same_bytes_alone_in_any_order_and_by_any_number_of_workers(
    make_set: Callable[..., tuple[Store, Node]], corpus_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "SHARD_ROWS", 4)
    one, node = make_set(10, "one", **ROOMS)
    two, again = make_set(10, "two", **ROOMS)
    render.run(node, one, threads=1)
    render.run(again, two, threads=2)
    assert index_of(one, node).equals(index_of(two, again))
    audio = [
        {name: data for name, data in shards_of(*which).items() if name.endswith("f32")}
        for which in ((one, node), (two, again))
    ]
    assert len(audio[0]) == 3
    assert audio[0] == audio[1]
    store = AudioStore.open(one, node)
    index = index_of(one, node)
    for position in np.random.default_rng(0).permutation(10):
        alone = render_mixture(index.iloc[position].to_dict(), corpus_root)
        for name, found in store.row(position).items():
            assert found.tobytes() == alone[name].tobytes()
    assert (index["dry_offset"] >= 0).any()
    assert (index["dry_offset"] < 0).any()
    assert (index["noisy_offset"] < 0).all()


# Guarantee 7: what was rendered is checked.


def test_a_tampered_shard_is_found(make_set: Callable[..., tuple[Store, Node]]) -> None:
    store, node = make_set(5)
    render.run(node, store)
    index, state = index_of(store, node), store.state(node)
    verify_set(index, state)
    samples = np.memmap(state / "shard-00000.f32", dtype="<f4", mode="r+")
    begin = int(index["noise_offset"][3])
    original = samples[begin : begin + RATE // 2].copy()
    samples[begin : begin + RATE // 2] *= 1.1
    samples.flush()
    with pytest.raises(DataError, match=rf"{index['mixture'][3]}.*SNR is .* planned is 5\.000"):
        verify_set(index, state)
    samples[begin : begin + RATE // 2] = original
    samples[begin + 7] += 1e-3  # far too little for the tolerances of the plan
    samples.flush()
    with pytest.raises(DataError, match="was changed"):
        verify_set(index, state)
    with (state / "shard-00000.f32").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(DataError, match=r"must be rendered again"):
        verify_set(index, state)


@pytest.mark.parametrize(("part", "references"), [("real", False), ("wet", True)])
def test_a_set_of_a_published_part_is_verified_and_read_back(
    make_set: Callable[..., tuple[Store, Node]],
    published: tuple[Path, pd.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    part: str,
    references: bool,
) -> None:
    monkeypatch.setattr(render, "SHARD_ROWS", 2)
    root, frame = published
    store, node = make_set(9, frame=frame, root=root, snr_db=None, part=part)
    render.run(node, store, threads=1)
    index, state = index_of(store, node), store.state(node)
    assert render.is_whole(node, store)
    verify_set(index, state)
    audio = AudioStore.open(store, node)
    for position in range(len(index)):
        alone = render_mixture(index.iloc[position].to_dict(), root)
        signals = audio.row(position)
        assert set(signals) == set(alone) == {"noisy", *(("clean", "speech", "noise") if references else ())}
        assert all(signals[name].tobytes() == alone[name].tobytes() for name in alone)
    assert (index["noisy_offset"] >= 0).all() != references
    exported = [path.name.rpartition("-")[2] for path in audio.export_wav(0, tmp_path / "wav")]
    assert exported == (["noisy.wav", "clean.wav", "noise.wav"] if references else ["noisy.wav"])
    samples = np.memmap(state / "shard-00000.f32", dtype="<f4", mode="r+")
    samples[int(np.argmax(np.abs(samples)))] *= 1.1
    samples.flush()
    with pytest.raises(DataError, match="was changed"):
        verify_set(index, state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"snr_db": 4.9}, "SNR is 5.000 dB, planned is 4.900"),
        ({"level_dbov": -25.9}, "speech level is -26.000 dBov, planned is -25.900"),
        ({"samples": 1000}, "planned are 1000"),
    ],
)
def test_checks_name_the_mixture_and_the_numbers(
    corpus: pd.DataFrame, corpus_root: Path, change: dict, message: str
) -> None:
    row = rows_of(corpus, 1, 5.0)[0]
    signals = render_mixture(row, corpus_root)
    check_mixture(row, signals, 1.0)
    with pytest.raises(DataError, match=f"mixture {row['mixture']}.*{message}"):
        check_mixture({**row, **change}, signals, 1.0)


def test_clipped_and_non_finite_signals_are_found(corpus: pd.DataFrame, corpus_root: Path) -> None:
    row = rows_of(corpus, 1, 5.0)[0]
    signals = render_mixture(row, corpus_root)
    loud = {name: signal.copy() for name, signal in signals.items()}
    loud["noisy"][5] = 1.2
    with pytest.raises(DataError, match=r"peak is 1\.2"):
        check_mixture(row, loud, 1.0)
    loud["noisy"][5] = np.nan
    with pytest.raises(DataError, match="not finite"):
        check_mixture(row, loud, 1.0)


@pytest.mark.parametrize("role", ["speech", "noise"])
@pytest.mark.parametrize("rooms", [{}, ROOMS], ids=["dry", "rooms"])
def test_the_snr_of_what_is_heard_is_the_planned_one_on_any_offset(
    tmp_path: Path, write: Callable[..., dict], role: str, rooms: dict
) -> None:
    rng = np.random.default_rng(3)
    rows = []
    for name, column, scale in (("speech", "speaker", 0.01), ("noise", "kind", 1e-3)):
        for split in ("train", "test"):
            signal = scale * rng.standard_normal(2 * RATE) + (0.05 if name == role else 0.0)
            rows.append(write(tmp_path, f"{name}/{split}/a.wav", signal, **{column: f"{split} {name}"}))
    for row in rows_of(manifest.make(rows).frame, 2, 0.0, max_seconds=1, speech_level_measure="rms", **rooms):
        signals = render_mixture(row, tmp_path)
        speech, noise = (signals[name].astype(np.float64) for name in ("speech", "noise"))
        assert 10 * math.log10(speech.var() / noise.var()) == pytest.approx(0.0, abs=0.1)
        # With the offset gone from the signals, metrics that know nothing of offsets agree.
        assert 10 * math.log10(np.mean(speech**2) / np.mean(noise**2)) == pytest.approx(0.0, abs=0.1)
        measured = check_mixture(row, signals, render_components(row, tmp_path).scaled_by)
        assert measured["measured_snr_db"] == pytest.approx(0.0, abs=0.001)
        assert measured["measured_level_dbov"] == pytest.approx(row["level_dbov"], abs=0.001)


def test_a_published_offset_stays_and_counts_in_no_level(paired: tuple[Path, pd.DataFrame]) -> None:
    root, frame = paired
    row = plan_mixtures(frame, split="test", count=1, seed=0, mixing=Mixing()).to_dict("records")[0]
    signals = render_mixture(row, root)
    lifted = {**signals, "noise": signals["noise"] + np.float32(0.5), "noisy": signals["noisy"] + np.float32(0.5)}
    assert measure(row, lifted)["measured_snr_db"] == pytest.approx(measure(row, signals)["measured_snr_db"], abs=0.001)

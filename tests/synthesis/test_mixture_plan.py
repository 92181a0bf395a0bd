"""The draw of a mixture plan."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sebench.artefacts import Node, Store
from sebench.config.mixing import Mixing
from sebench.errors import DataError
from sebench.files import read_parquet
from sebench.synthesis import plan
from sebench.synthesis.plan import COLUMNS, plan_mixtures

RATE = 16000


def draw(
    frame: pd.DataFrame,
    count: int | None = 12,
    split: str = "test",
    seed: int = 1,
    mixing: dict | None = None,
    seconds: float | None = None,
    snr_db: float | None = None,
    part: str | None = None,
) -> pd.DataFrame:
    entry = Mixing.model_validate(mixing or {})
    what = {"split": split, "count": count, "seed": seed, "seconds": seconds, "snr_db": snr_db, "part": part}
    return plan_mixtures(frame, mixing=entry, **what)


def test_columns_are_those_stated(corpus: pd.DataFrame) -> None:
    rows = draw(corpus)
    assert {name: str(dtype) for name, dtype in rows.dtypes.items()} == dict(COLUMNS)
    assert rows["mixture"].is_unique
    assert set(rows["sample_rate"]) == {RATE}
    assert set(rows["split"]) == {"test"}
    assert rows["speech_path"].str.startswith("speech/test/").all()
    assert rows["noise_path"].str.startswith("noise/test/").all()


def test_draw_does_not_depend_on_the_order_of_the_manifest(corpus: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(draw(corpus), draw(corpus.sample(frac=1, random_state=1)))


def test_all_snrs_share_the_same_scenes(corpus: pd.DataFrame) -> None:
    scene = [name for name in COLUMNS if name not in ("mixture", "snr_db")]
    mixing = {"speech_level_dbov": {"uniform": [-30, -20]}, "reverberation": {}}
    low, high, drawn = (draw(corpus, snr_db=snr, mixing=mixing) for snr in (-5.0, 15.0, None))
    pd.testing.assert_frame_equal(low[scene], high[scene])
    pd.testing.assert_frame_equal(low[scene], drawn[scene])
    assert set(low["mixture"]).isdisjoint(high["mixture"])
    assert set(low["snr_db"]) == {-5.0}
    assert drawn["snr_db"].between(-5, 15).all()
    assert drawn["snr_db"].nunique() == len(drawn)


def test_a_smaller_count_is_the_beginning_of_a_larger_one(corpus: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(draw(corpus, 5), draw(corpus, 30).head(5))


def test_seeds_and_splits_draw_differently(corpus: pd.DataFrame) -> None:
    assert list(draw(corpus)["speech_id"]) != list(draw(corpus, seed=2)["speech_id"])
    assert set(draw(corpus)["seed"]).isdisjoint(draw(corpus, split="valid")["seed"])


def test_speakers_take_turns_and_utterances_repeat_only_when_all_were_used(corpus: pd.DataFrame) -> None:
    rows = draw(corpus, 24)
    assert rows["speaker"].head(3).nunique() == 3
    assert rows["speech_id"].head(12).nunique() == 12
    assert sorted(rows["speech_id"].tail(12)) == sorted(rows["speech_id"].head(12))
    assert list(rows["speech_id"].tail(12)) != list(rows["speech_id"].head(12))
    assert len(draw(corpus, None)) == 12


@pytest.mark.parametrize(("noise_draw", "share"), [("kinds", 1 / 3), ("files", 21 / 23)])
def test_noise_is_drawn_by_file_or_by_kind(corpus: pd.DataFrame, noise_draw: str, share: float) -> None:
    extra = corpus[corpus["id"] == "noise/test/hum"]
    many = [extra.assign(id=f"noise/test/hum{k}", sha256=f"{k:064d}") for k in range(20)]
    kinds = draw(pd.concat([corpus, *many]), 600, mixing={"noise_draw": noise_draw})["noise_kind"]
    assert (kinds == "hum").mean() == pytest.approx(share, abs=0.07)


def test_long_noise_is_entered_anywhere_but_not_past_its_end(corpus: pd.DataFrame) -> None:
    rows = draw(corpus, 200)
    long = rows[rows["noise_kind"] == "wind"]
    assert (long["noise_start"] + long["samples"] <= 9 * RATE).all()
    assert long["noise_start"].nunique() > len(long) // 2
    assert (rows[rows["noise_kind"] == "hum"]["noise_start"] < 0.7 * RATE).all()


def test_lengths(corpus: pd.DataFrame) -> None:
    whole = draw(corpus)
    lengths = corpus.set_index("id")["samples"]
    assert (whole["samples"].to_numpy() == lengths[whole["speech_id"]].to_numpy()).all()
    assert (whole["speech_start"] == 0).all()
    beginning = draw(corpus, mixing={"max_seconds": 1.2})
    assert beginning["samples"].max() == round(1.2 * RATE)
    assert (beginning["speech_start"] == 0).all()
    crops = draw(corpus, seconds=1.2, mixing={"seconds": 0.5})
    assert (crops["samples"] == np.minimum(round(1.2 * RATE), lengths[crops["speech_id"]].to_numpy())).all()
    assert (crops["speech_start"] > 0).any()
    assert (crops["speech_start"] + crops["samples"] <= lengths[crops["speech_id"]].to_numpy()).all()


def test_rooms_are_drawn_for_the_stated_share(corpus: pd.DataFrame) -> None:
    rows = draw(corpus, 400, mixing={"reverberation": {"probability": 0.5}})
    rooms = [json.loads(room) for room in rows["room"] if room]
    assert 160 < len(rooms) < 240
    for room in rooms:
        assert 3 <= room["size"][0] <= 10
        assert 2.5 <= room["size"][2] <= 3.5
        assert 0.1 <= room["absorption"] <= 0.3
        assert 0.0999 <= math.dist(room["position"], (0, 0, 0)) <= 1.0001


def test_measured_responses_come_from_the_split(corpus: pd.DataFrame) -> None:
    rows = draw(corpus, mixing={"reverberation": {"probability": 1, "source": "measured"}})
    assert set(rows["rir_path"]) == {"rir/test/room2.wav"}


def test_mixture_level_replaces_the_level_of_speech(corpus: pd.DataFrame) -> None:
    rows = draw(corpus, mixing={"speech_level_dbov": None, "mixture_level_dbov": {"uniform": [-38, -18]}})
    assert rows["level_dbov"].isna().all()
    assert rows["mixture_level_dbov"].between(-38, -18).all()


@pytest.mark.parametrize(
    ("victim", "change", "name"),
    [
        ("speech/train/train0/0", {"speaker": "test1"}, "test1"),
        ("noise/train/hum", {"sha256": "of noise/test/hiss"}, "noise/test/hiss"),
        ("speech/valid/valid0/0", {"sha256": "of speech/test/test2/3"}, "speech/test/test2/3"),
        ("rir/train/room0", {"kind": "room2"}, "room2"),
    ],
)
def test_leaks_of_the_test_set_are_refused_by_name(
    corpus: pd.DataFrame, victim: str, change: dict[str, str], name: str
) -> None:
    hashes = corpus.set_index("id")["sha256"]
    leaky = corpus.copy()
    for column, value in change.items():
        value = hashes[value.removeprefix("of ")] if value.startswith("of ") else value
        leaky.loc[leaky["id"] == victim, column] = value
    for split in ("train", "test"):
        with pytest.raises(DataError, match=name):
            draw(leaky, split=split)


def test_validation_without_noise_shares_that_of_training_and_a_test_without_noise_is_refused(
    corpus: pd.DataFrame,
) -> None:
    shared = corpus[~((corpus["role"] == "noise") & (corpus["split"] == "valid"))]
    assert draw(shared, split="valid")["noise_path"].str.startswith("noise/train/").all()
    with pytest.raises(DataError, match="role 'noise' in split 'test'"):
        draw(corpus[~((corpus["role"] == "noise") & (corpus["split"] == "test"))])


def test_published_mixtures_give_the_rows(paired: tuple[Path, pd.DataFrame]) -> None:
    _, frame = paired
    rows = draw(frame, 100, mixing={"max_seconds": 0.5})
    assert len(rows) == 6
    assert rows["paired_path"].str.startswith("noisy/test/").all()
    assert [Path(path).name for path in rows["paired_path"]] == [Path(path).name for path in rows["speech_path"]]
    assert sorted(set(rows["snr_db"])) == [2.5, 7.5, 12.5]
    assert rows["samples"].min() == RATE
    assert rows["speaker"].head(2).nunique() == 2
    assert len(draw(frame, 3)) == 3
    assert set(draw(frame, None, snr_db=7.5)["snr_db"]) == {7.5}
    assert set(draw(frame, None, seconds=0.5)["samples"]) == {RATE // 2}
    with pytest.raises(DataError, match=r"5 dB SNR; it has \[2.5, 7.5, 12.5\]"):
        draw(frame, snr_db=5.0)


def test_a_published_mixture_without_its_clean_recording_is_refused(paired: tuple[Path, pd.DataFrame]) -> None:
    frame = paired[1].copy()
    frame.loc[frame["role"] == "noisy", "pair"] = "lost"
    with pytest.raises(DataError, match="'lost' is not in the manifest"):
        draw(frame)


def test_a_part_is_one_published_test_set(published: tuple[Path, pd.DataFrame]) -> None:
    _, frame = published
    dry, wet = (draw(frame, None, part=part) for part in ("dry", "wet"))
    assert sorted(dry["paired_path"]) == [f"noisy/test/dry/{k}.wav" for k in range(4)]
    assert sorted(dry["snr_db"]) == [0.0, 5.0, 10.0, 15.0]
    assert wet["paired_path"].str.startswith("noisy/test/wet/").all()
    assert wet["snr_db"].isna().all()
    assert sorted(wet["speech_id"]) == sorted(dry["speech_id"])
    assert list(draw(frame, None, part="dry", snr_db=10.0)["paired_path"]) == ["noisy/test/dry/2.wav"]
    assert {name: str(dtype) for name, dtype in wet.dtypes.items()} == dict(COLUMNS)
    with pytest.raises(DataError, match=r"no .* of part 'damp' in split 'test'; .* parts dry, real, wet"):
        draw(frame, part="damp")


def test_without_a_part_mixtures_are_drawn(published: tuple[Path, pd.DataFrame]) -> None:
    _, frame = published
    assert draw(frame, split="train")["noise_path"].eq("noise/train/hum.wav").all()
    with pytest.raises(DataError, match=r"role 'noise' in split 'test'; its .* parts dry, real, wet"):
        draw(frame)


def test_a_recording_without_a_reference_has_a_row_without_speech(published: tuple[Path, pd.DataFrame]) -> None:
    _, frame = published
    rows = draw(frame, 10, part="real")
    assert len(rows) == 3
    assert (rows[["speech_id", "speech_path", "speech_sha256", "noise_path"]] == "").all(axis=None)
    assert rows["snr_db"].isna().all()
    assert rows["mixture"].is_unique
    assert sorted(rows["samples"]) == [RATE, RATE + 1600, RATE + 3200]
    assert set(draw(frame, None, part="real", seconds=0.5)["samples"]) == {RATE // 2}


@pytest.mark.parametrize("split", ["train", "valid"])
def test_training_refuses_recordings_without_a_reference(published: tuple[Path, pd.DataFrame], split: str) -> None:
    frame = published[1].copy()
    frame.loc[frame["id"] == "noisy/test/real/1", "split"] = split
    with pytest.raises(DataError, match=rf"split '{split}' would hold 1 mixtures without a .*real/1\.wav"):
        draw(frame, split=split, part="real")


def test_step_publishes_the_same_bytes_again(make_set: Callable[..., tuple[Store, Node]]) -> None:
    store, node = make_set()
    mixtures = store.parent(node, "mixtures")
    path = Store(store.root).outputs(mixtures)["mixtures.parquet"]
    first = path.read_bytes()
    plan.run(mixtures, store)
    assert path.read_bytes() == first
    assert len(read_parquet(path)) == 12

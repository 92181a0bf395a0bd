"""The mixture plan: one row per mixture, drawn from a manifest before anything is rendered.

What a row draws depends on (seed, split, index) and on the corpus, not on the SNR nor on the order of the manifest: the
test sets of all SNRs are the same scenes, and a smaller `count` gives the beginning of a larger one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sebench.artefacts import Node, Store, content_id
from sebench.config import drawn, items
from sebench.config.facts import DEGRADATION
from sebench.config.mixing import Mixing, Reverberation, draw
from sebench.config.specs import CorpusSpec, MixturesSpec
from sebench.errors import DataError
from sebench.files import read_parquet, write_parquet
from sebench.seeding import generator, seed_of

if TYPE_CHECKING:
    import pandas as pd

    from sebench.config.base import Align

RATE = 16000  # Hz, at which a plan counts samples: its column `sample_rate`

#: Column -> dtype of `mixtures.parquet`. Levels and SNRs in dB, NaN where there is none; "" where there is no text.
#: `COUNTS` are numbers of samples at `sample_rate`.
COLUMNS: Mapping[str, str] = {
    "mixture": "str",
    "index": "int64",
    "split": "str",
    "sample_rate": "int64",
    "speech_id": "str",
    "speech_path": "str",
    "speech_sha256": "str",
    "speech_start": "int64",
    "samples": "int64",
    "noise_id": "str",
    "noise_path": "str",
    "noise_sha256": "str",
    "noise_start": "int64",
    "noise_kind": "str",
    "speaker": "str",
    "snr_db": "float64",
    "level_dbov": "float64",
    "mixture_level_dbov": "float64",
    "speech_level_measure": "str",
    "noise_level_measure": "str",
    "room": "str",
    "rir_path": "str",
    "rir_sha256": "str",
    "seed": "int64",
    "paired_path": "str",
    "paired_sha256": "str",
}
COUNTS = ("samples", "speech_start", "noise_start")

#: Columns that only some plans have. `align`: how published pairs are made equally long; `degradations`: JSON, the
#: list of what happens to the sum of speech and noise, each with its parameters.
OPTIONAL = ("align", "degradations")

Recording = Mapping[str, Any]


def run(node: Node, store: Store, threads: int = 1) -> None:
    """The step `mixtures`: draw the plan and publish `mixtures.parquet`."""
    started = time.time()
    corpus = store.parent(node, "corpus")
    manifest = read_parquet(store.outputs(corpus)["manifest.parquet"])
    spec = MixturesSpec.of(node.spec)
    frame = plan_mixtures(
        manifest,
        split=spec.split,
        count=spec.count,
        seed=spec.seed,
        mixing=spec.draws,
        seconds=spec.seconds,
        snr_db=spec.snr_db,
        part=spec.part,
        align=CorpusSpec.of(corpus.spec).align,
        degradations=spec.degradations,
    )
    store.write_provenance(node, started, mixtures=len(frame), audio_seconds=round(frame["samples"].sum() / RATE, 3))
    write_parquet(store.outputs(node)["mixtures.parquet"], frame)


def plan_mixtures(
    manifest: pd.DataFrame,
    *,
    split: str,
    count: int | None,
    seed: int,
    mixing: Mixing,
    seconds: float | None = None,
    snr_db: float | None = None,
    part: str | None = None,
    align: Align | None = None,
    degradations: Sequence[Mapping[str, Any]] = (),
) -> pd.DataFrame:
    """Draw a plan.

    Args:
        manifest: see docs/architecture.md; in any order.
        split: `train`, `valid` or `test`.
        count: number of mixtures; None: each utterance of the split once. A paired corpus has no more than its files.
        seed: of the draw.
        mixing: how to draw; of a paired corpus nothing but its measures is used.
        seconds: length of a mixture, instead of `mixing.seconds`.
        snr_db: of all mixtures; None: drawn from `mixing.snr_db`. Of published mixtures: only files logged with it.
        part: a published test set of the corpus: only its mixtures, as they are. None: published mixtures that belong
            to no such set; where the corpus has none, mixtures are drawn from its speech and noise.
        align: how published pairs are made equally long; None: they are.
        degradations: of drawn mixtures, in this order: item (type, and parameters that may be distributions) and
            probability.

    Returns:
        A frame with `COLUMNS`, and those of `OPTIONAL` that it needs.

    Raises:
        DataError: the splits overlap, the corpus has no recordings for this split, role, SNR or part, or training
            or validation would get mixtures without a reference.
    """
    import pandas as pd

    from sebench.corpora.separation import separation_problems

    problems = separation_problems(manifest)
    if problems:
        raise DataError("the corpus's splits are not separate; nothing was drawn:\n" + "\n".join(problems))
    recordings: list[Recording] = [
        {str(name): value for name, value in item.items()} for item in manifest.sort_values("id").to_dict("records")
    ]
    published = [item for item in recordings if item["role"] == "noisy" and item["part"] == (part or "")]
    if published or part:
        noisy = _published(published, recordings, split, snr_db, part)
        rows = _published_rows(noisy, recordings, split, count, seed, mixing, seconds, align)
    else:
        rows = _drawn_rows(recordings, split, count, seed, mixing, seconds, snr_db, degradations)
    finished = [_finish(index, row) for index, row in enumerate(rows)]
    types = {**COLUMNS, **{name: "str" for name in OPTIONAL if any(name in row for row in finished)}}
    return pd.DataFrame(finished, columns=list(types)).astype(types)


def _drawn_rows(
    recordings: Sequence[Recording],
    split: str,
    count: int | None,
    seed: int,
    mixing: Mixing,
    seconds: float | None,
    snr_db: float | None,
    degradations: Sequence[Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    speech = _pool(recordings, "speech", split)
    pool = _pool(recordings, "noise", split)
    noises = _by_kind(pool) if mixing.noise_draw == "kinds" else [[noise] for noise in pool]
    reverberation = mixing.reverberation
    needs_rirs = reverberation is not None and reverberation.source == "measured"
    rirs = _by_kind(_pool(recordings, "rir", split)) if needs_rirs else []
    crop = seconds if seconds is not None else mixing.seconds
    utterances = _speech_order(speech, seed, split)
    for index in range(len(speech) if count is None else count):
        utterance = next(utterances)
        scene = generator(seed, split, index, "scene")
        start, samples = _cut(_samples(utterance), crop, mixing.max_seconds, scene)
        noise = _pick(noises, scene)
        spare = _samples(noise) - samples
        noise_start = int(scene.integers(spare + 1 if spare >= 0 else max(1, _samples(noise))))
        level = generator(seed, split, index, "level")
        yield {
            "split": split,
            **_speech_columns(utterance, start, samples),
            "noise_id": noise["id"],
            "noise_path": noise["path"],
            "noise_sha256": noise["sha256"],
            "noise_start": noise_start,
            "noise_kind": noise["kind"],
            "snr_db": _drawn_snr(mixing, generator(seed, split, index, "snr")) if snr_db is None else float(snr_db),
            "level_dbov": _drawn_level(mixing.speech_level_dbov, level),
            "mixture_level_dbov": _drawn_level(mixing.mixture_level_dbov, level),
            "speech_level_measure": mixing.speech_level_measure,
            "noise_level_measure": mixing.noise_level_measure,
            **_room_columns(reverberation, rirs, generator(seed, split, index, "room")),
            "seed": seed_of(seed, split, index),
            "paired_path": "",
            "paired_sha256": "",
            **({"degradations": _drawn_degradations(degradations, seed, split, index)} if degradations else {}),
        }


def _drawn_degradations(degradations: Sequence[Mapping[str, Any]], seed: int, split: str, index: int) -> str:
    """What happens to one mixture, as JSON. Each is drawn by itself: one more at the end changes none before it."""
    happens = []
    for place, each in enumerate(degradations):
        rng = generator(seed, split, index, "degradation", place)
        if rng.random() >= each["probability"]:
            continue
        described = each["item"]
        item = items.get(DEGRADATION, described["type"])
        params = {name: drawn.draw(item.params[name], value, rng) for name, value in described["params"].items()}
        happens.append({**described, "params": params, "place": place})
        items.build(described | {"params": params}, DEGRADATION)  # what is missing here is said before rendering
    return json.dumps(happens, sort_keys=True)


def _published(
    published: Sequence[Recording],
    recordings: Sequence[Recording],
    split: str,
    snr_db: float | None,
    part: str | None,
) -> list[Recording]:
    """Those noisy files that are asked for."""
    noisy = [item for item in published if item["split"] == split]
    if not noisy:
        what = f"published mixtures of part {part!r}" if part else "recordings of role 'noisy'"
        raise DataError(f"the corpus has no {what} in split {split!r}{_parts(recordings, split)}")
    if snr_db is not None:
        logged = sorted({item["snr_db"] for item in noisy if not math.isnan(item["snr_db"])})
        noisy = [item for item in noisy if abs(item["snr_db"] - snr_db) < 0.05]
        if not noisy:
            raise DataError(f"split {split!r} has no published mixtures at {snr_db:g} dB SNR; it has {logged}")
    alone = [item["path"] for item in noisy if not item["pair"]]
    if alone and split != "test":
        raise DataError(
            f"split {split!r} would hold {len(alone)} mixtures without a clean reference (first: {alone[0]}): training "
            "and validation compare with one; such recordings can only be tested"
        )
    return noisy


def _published_rows(
    noisy: Sequence[Recording],
    recordings: Sequence[Recording],
    split: str,
    count: int | None,
    seed: int,
    mixing: Mixing,
    seconds: float | None,
    align: Align | None,
) -> Iterator[dict[str, Any]]:
    """Rows of published mixtures, whole unless `seconds` is given; no speech where there is no reference."""
    by_id = {item["id"]: item for item in recordings}
    order = _speech_order(noisy, seed, split)
    for index in range(len(noisy) if count is None else min(count, len(noisy))):
        item = next(order)
        clean = by_id.get(item["pair"]) if item["pair"] else {**item, "id": "", "path": "", "sha256": ""}
        if clean is None:
            raise DataError(f"{item['path']}: its clean recording {item['pair']!r} is not in the manifest")
        scene = generator(seed, split, index, "scene")
        length = (max if align == "pad" else min)(_samples(clean), _samples(item))
        start, samples = _cut(length, seconds, None, scene)
        yield {
            "split": split,
            **_speech_columns(clean, start, samples),
            "speaker": item["speaker"],
            "noise_id": "",
            "noise_path": "",
            "noise_sha256": "",
            "noise_start": 0,
            "noise_kind": item["kind"],
            "snr_db": float(item["snr_db"]),
            "level_dbov": math.nan,
            "mixture_level_dbov": math.nan,
            "speech_level_measure": mixing.speech_level_measure,
            "noise_level_measure": mixing.noise_level_measure,
            "room": "",
            "rir_path": "",
            "rir_sha256": "",
            "seed": seed_of(seed, split, index),
            "paired_path": item["path"],
            "paired_sha256": item["sha256"],
            **({"align": align if item["pair"] else ""} if align else {}),
        }


def _pool(recordings: Sequence[Recording], role: str, split: str) -> list[Recording]:
    """Recordings of a role in a split. Validation without noise or responses of its own shares those of training."""
    accepted = (split, "train") if split == "valid" and role in ("noise", "rir") else (split,)
    for name in accepted:
        found = [item for item in recordings if item["role"] == role and item["split"] == name]
        if found:
            return found
    raise DataError(f"the corpus has no recordings of role {role!r} in split {split!r}{_parts(recordings, split)}")


def _parts(recordings: Sequence[Recording], split: str) -> str:
    """What an error adds where the split has published test sets."""
    found = sorted({item["part"] for item in recordings if item["split"] == split} - {""})
    return f"; its published mixtures there belong to the parts {', '.join(found)}" if found else ""


def _by_kind(recordings: Sequence[Recording]) -> list[list[Recording]]:
    kinds: dict[str, list[Recording]] = {}
    for item in recordings:
        kinds.setdefault(item["kind"], []).append(item)
    return [kinds[kind] for kind in sorted(kinds)]


def _pick(kinds: Sequence[Sequence[Recording]], rng: np.random.Generator) -> Recording:
    """A group, each as often, then one of its recordings."""
    files = kinds[int(rng.integers(len(kinds)))]
    return files[int(rng.integers(len(files)))]


def _speech_order(recordings: Sequence[Recording], seed: int, split: str) -> Iterator[Recording]:
    """All recordings in shuffled order, speaker after speaker in turn; then all again in another order."""
    speakers: dict[str, list[Recording]] = {}
    for item in recordings:
        speakers.setdefault(item["speaker"], []).append(item)
    names = sorted(speakers)
    repetition = 0
    while True:
        rng = generator(seed, split, "order", repetition)
        turns = [(speakers[names[i]], rng.permutation(len(speakers[names[i]]))) for i in rng.permutation(len(names))]
        for turn in range(max(len(order) for _, order in turns)):
            yield from (files[int(order[turn])] for files, order in turns if turn < len(order))
        repetition += 1


def _samples(recording: Recording) -> int:
    return int(recording["samples"]) * RATE // int(recording["sample_rate"])


def _cut(available: int, seconds: float | None, max_seconds: float | None, rng: np.random.Generator) -> tuple[int, int]:
    """Start and length in samples."""
    samples = min(available, *(round(limit * RATE) for limit in (seconds, max_seconds) if limit is not None), available)
    place = int(rng.integers(available - samples + 1))
    return (place if seconds is not None else 0), samples


def _speech_columns(utterance: Recording, start: int, samples: int) -> dict[str, Any]:
    return {
        "speech_id": utterance["id"],
        "speech_path": utterance["path"],
        "speech_sha256": utterance["sha256"],
        "speech_start": start,
        "samples": samples,
        "speaker": utterance["speaker"],
    }


def _room_columns(
    reverberation: Reverberation | None, rirs: Sequence[Sequence[Recording]], rng: np.random.Generator
) -> dict[str, Any]:
    columns = {"room": "", "rir_path": "", "rir_sha256": ""}
    if reverberation is None or rng.random() >= reverberation.probability:
        return columns
    room: dict[str, Any] = {"source": reverberation.source, "target": reverberation.target}
    if rirs:
        response = _pick(rirs, rng)
        columns |= {"rir_path": response["path"], "rir_sha256": response["sha256"]}
        room |= {"direct_ms": reverberation.direct_ms, "kind": response["kind"]}
    else:
        sides = (reverberation.room_x, reverberation.room_y, reverberation.room_z)
        distance = draw(reverberation.distance, rng)
        direction = rng.standard_normal(3)
        position = direction * (distance / math.sqrt(float(np.sum(direction**2))))
        room |= {
            "size": [_round(draw(side, rng)) for side in sides],
            "absorption": _round(draw(reverberation.absorption, rng)),
            "position": [_round(value) for value in position],
            "image_decay_db": reverberation.image_decay_db,
        }
    return columns | {"room": json.dumps(room, sort_keys=True)}


def _drawn_snr(mixing: Mixing, rng: np.random.Generator) -> float:
    return _round(draw(mixing.snr_db, rng))


def _drawn_level(distribution: Any, rng: np.random.Generator) -> float:
    return math.nan if distribution is None else _round(draw(distribution, rng))


def _round(value: float) -> float:
    """What a reader of the table sees is what is used."""
    return round(float(value), 4)


def _finish(index: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """Add the index, the id (a hash of the rest), and the rate: the same in all plans, and not in the hash."""
    numbered = {"index": index, **row}
    content = {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in numbered.items()
    }
    return {"mixture": content_id(content), "sample_rate": RATE, **numbered}

"""Pairs whose lengths differ a little: left out, or, where the corpus's entry says so, cut or padded, and counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from small_corpora import make_chime2, make_voicebank

from sebench.artefacts import Node, Store
from sebench.config.load import load_config
from sebench.corpora import step as corpus_step
from sebench.corpora.align import aligned_pairs
from sebench.corpora.chime2_wsj0 import Chime2Wsj0
from sebench.corpora.voicebank_demand import VoiceBankDemand
from sebench.errors import ConfigError, DataError
from sebench.files import read_parquet
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan
from sebench.plan.summary import said_of_files
from sebench.scoring import step as scores_step
from sebench.seeding import generator
from sebench.synthesis import plan as mixtures_step
from sebench.synthesis import render
from sebench.synthesis.mixture import render_mixture
from sebench.synthesis.store import AudioStore
from sebench.tables.step import write_partial

SHIPPED = Path(__file__).parents[2] / "config"
RATE = 16000
LENGTH = 20000
PARTS = "datasets/test_set/synthetic/no_reverb"
#: Number of a clip -> by how many samples the system's output is shorter (-) or longer than the clean file.
OUTPUTS = {1: 0, 2: -54, 3: 92, 4: -3200}

STUDY = {
    "title": "What others published",
    "corpus": {"trained": "builtin", "systems": "system"},
    "mixing": {"trained": "two_stage", "systems": "two_stage"},
    "grid": [{"product": {"model": "stage1", "loss": ["mag_mse"], "recipe": "supervised"}}],
    "conditions": {"sets": {"system": {"data": "systems", "part": "no_reverb"}}},
    "metrics": ["si_sdr"],
    "scales": {"smoke": {"utterances": {"test": 9}}},
    "tables": {"quality": {"title": "Quality", "type": "conditions", "metric": "si_sdr"}},
}


def clean(number: int) -> np.ndarray:
    rng = generator("clean", number)
    return 0.1 * np.repeat(rng.random(LENGTH // 400), 400) * rng.standard_normal(LENGTH)


def output(number: int) -> np.ndarray:
    """Of a system: the clean signal, some of what was not removed, and a sound at an end that is cut."""
    left = clean(number) + 0.02 * generator("left", number).standard_normal(LENGTH)
    return np.concatenate([left, np.full(200, 0.05)])[: LENGTH + OUTPUTS[number]]


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """A system's outputs as the noisy files of a published test set, with their references, and nothing else."""
    root = tmp_path / "system"
    for number in OUTPUTS:
        for side, signal in (("clean", clean(number)), ("noisy", output(number))):
            path = root / PARTS / side / f"{side}_fileid_{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, signal, RATE, subtype="FLOAT")
    return root


def planned(tmp_path: Path, store: Store, **entry: str) -> Plan:
    """The study on these outputs, with further keys in the corpus's entry, frozen."""
    config = tmp_path / "config"
    shutil.copytree(SHIPPED, config, dirs_exist_ok=True)
    system = {"type": "dns_challenge", "root": str(tmp_path / "system"), **entry}
    (config / "corpora" / "system.yaml").write_text(yaml.safe_dump({"system": system}))
    (config / "studies" / "others.yaml").write_text(yaml.safe_dump({"others": STUDY}, sort_keys=False))
    plan = build_plan(load_config(config), "others", "smoke", None, store)
    for node in plan.nodes.by_key.values():
        store.freeze(node)
        if node.hints.get("root"):
            store.set_location(node.id, Path(str(node.hints["root"])))
    return plan


def corpus_of(plan: Plan) -> Node:
    return next(node for node in plan.nodes.of_kind("corpus") if node.name == "dns_challenge")


def untrained_row(plan: Plan, store: Store) -> AudioStore:
    """Everything up to the scores of the row `Noisy`; returns its set."""
    (condition,) = plan.conditions.values()
    rendered, scores = condition.node, condition.noisy
    corpus_step.run(corpus_of(plan), store, 1)
    mixtures_step.run(store.parent(rendered, "mixtures"), store)
    render.run(rendered, store)
    scores_step.run(scores, store)
    return AudioStore.open(store, rendered)


def numbers(rendered: AudioStore) -> list[int]:
    return [int(str(path).rpartition("_")[2].removesuffix(".wav")) for path in rendered.index["paired_path"]]


def test_without_the_key_they_are_left_out_and_the_reason_names_it(outputs: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    plan = planned(tmp_path, store)
    assert numbers(untrained_row(plan, store)) == [1]
    corpus = corpus_of(plan)
    assert "align" not in corpus.spec
    reasons = {
        item["path"][-5]: item["reason"] for item in json.loads(store.outputs(corpus)["rejected.json"].read_text())
    }
    own = {number: f" (clean file: {PARTS}/clean/clean_fileid_{number}.wav)" for number in (2, 3, 4)}
    asked = "`align: cut|pad` of the corpus"
    assert reasons == {
        "2": f"clean has 20000 samples, noisy 19946; {asked} makes them equally long{own[2]}",
        "3": f"clean has 20000 samples, noisy 20092; {asked} makes them equally long{own[3]}",
        "4": f"clean has 20000 samples, noisy 16800: 0.2 s apart, and {asked} is for 0.1 s at most{own[4]}",
    }
    assert aligned_pairs(corpus, store) == ""
    rendered = next(iter(plan.conditions.values())).node
    assert "align" not in read_parquet(store.outputs(rendered)["index.parquet"])


@pytest.mark.parametrize("align", ["cut", "pad"])
def test_outputs_of_a_system_get_scores_without_training(outputs: Path, tmp_path: Path, align: str) -> None:
    store = Store(tmp_path / "results")
    plan = planned(tmp_path, store, align=align)
    sets = [node for node in plan.nodes.of_kind("set") if node.parents["corpus"] == corpus_of(plan).key]
    assert sets == [condition.node for condition in plan.conditions.values()], (
        "nothing is trained on a corpus that can only be tested"
    )
    rendered = untrained_row(plan, store)
    found = numbers(rendered)
    assert sorted(found) == [1, 2, 3]
    for i, number in enumerate(found):
        length = (min if align == "cut" else max)(LENGTH, LENGTH + OUTPUTS[number])
        row = rendered.row(i)
        for name, signal in (("noisy", output(number)), ("clean", clean(number))):
            expected = np.pad(signal[:length], (0, max(0, length - len(signal)))).astype("f4")
            np.testing.assert_allclose(row[name], expected, atol=1e-7)
        alone = {str(name): value for name, value in rendered.index.iloc[i].to_dict().items()}
        np.testing.assert_array_equal(render_mixture(alone, outputs)["noisy"], row["noisy"])

    scores = next(iter(plan.conditions.values())).noisy
    frame = read_parquet(store.outputs(scores)["scores.parquet"])
    assert list(frame["status"]) == ["ok"] * 3
    told = "cut to the shorter file" if align == "cut" else "padded to the longer file"
    text = f"2 of 3 pairs {told}, by at most 92 samples"
    stem = corpus_of(plan).stem
    assert next(said_of_files([corpus_of(plan)], store)) == f"{stem}: {text}"
    table = write_partial(plan.tables["quality"], store, tmp_path / "partial")
    assert f"Made equally long in {stem}: {text}" in table.footer
    noisy = dict(zip(table.rows, table.values, strict=True))["Noisy"]
    assert noisy[0].ours == pytest.approx(frame["value"].mean())


def test_all_adapters_with_pairs_of_their_own_heed_it(tmp_path: Path) -> None:
    noisy = {
        "noisy_trainset_28spk_wav/p228_002.wav": (make_voicebank(tmp_path / "v"), VoiceBankDemand()),
        "isolated/si_tr_s/m6dB/011/011c0201.wav": (make_chime2(tmp_path / "c"), Chime2Wsj0()),
    }
    for path, (root, corpus) in noisy.items():
        samples, rate = soundfile.read(root / path)
        soundfile.write(root / path, samples[:-98], rate)
        assert path in {item["path"].partition("#")[0] for item in corpus.build(root, root, 1).rejected}
        corpus.align = "cut"
        manifest = corpus.build(root, root, 1)
        assert manifest.rejected == []
        assert path in {name.partition("#")[0] for name in manifest.frame["path"]}


def test_it_is_for_corpora_with_pairs_and_one_of_two_words(tmp_path: Path, outputs: Path) -> None:
    store = Store(tmp_path / "results")
    with pytest.raises(ConfigError, match=r"system\.yaml:2: system\.align: found 'stretch'; accepted: 'cut' or 'pad'"):
        planned(tmp_path, store, align="stretch")
    with pytest.raises(ConfigError, match=r"system\.align: `align` for corpus type 'folder', which has no published"):
        planned(tmp_path, store, type="folder", align="cut")


def test_an_unequal_pair_that_no_key_allows_is_never_rendered(outputs: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    rendered = untrained_row(planned(tmp_path, store, align="cut"), store)
    row = {str(name): value for name, value in rendered.index.iloc[numbers(rendered).index(2)].to_dict().items()}
    del row["align"]
    with pytest.raises(DataError, match="has 19946 samples at 16000 Hz, its clean recording"):
        render_mixture(row, outputs)

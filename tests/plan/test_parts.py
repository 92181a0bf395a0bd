"""Published test sets of a corpus (parts): asked for by name when a set is planned, and down to its scores."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sebench.artefacts import Node, Store
from sebench.config import versions
from sebench.config.entries import Config
from sebench.config.load import load_config
from sebench.config.mixing import Mixing
from sebench.corpora import step as corpus_step
from sebench.errors import ConfigError
from sebench.files import read_parquet
from sebench.plan import nodes as make
from sebench.plan.build import build_plan
from sebench.plan.resolve import metric_identity
from sebench.scoring import step as scores_step
from sebench.synthesis import plan as mixtures_step
from sebench.synthesis import render

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The shipped configuration with a small tree of the DNS Challenges: one clip, dry and reverberant, one real."""
    root = tmp_path / "dns"
    rng = np.random.default_rng(0)
    clean = 0.1 * rng.standard_normal(16000)
    files = {"no_reverb/clean/clean_fileid_7": clean}
    for part in ("no_reverb", "with_reverb"):
        noisy = clean + 0.01 * rng.standard_normal(16000)
        files[f"{part}/noisy/clnsp1_train_1_2_snr20_tl-20_fileid_7"] = noisy
    files = {f"test_set/synthetic/{name}": samples for name, samples in files.items()}
    files["dev_testset/ms_realrec_english_phone_A23RGS48XSHCT5_fan_1"] = 0.1 * rng.standard_normal(8000)
    for name, samples in files.items():
        path = root / "datasets" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, 16000, subtype="FLOAT")
    monkeypatch.setenv("SEBENCH_DNS_CHALLENGE", str(root))
    return load_config(SHIPPED)


def planned(config: Config, store: Store, part: str | None) -> list[Node]:
    corpus = make.corpus_node(config, store, "dns_challenge")
    mixtures = make.mixtures_node(corpus, Mixing().model_dump(mode="json"), "test", 150, part=part)
    rendered = make.set_node(mixtures, 16000)
    metrics = [metric_identity(config, name) for name in ("si_sdr", "stoi")]
    return [corpus, mixtures, rendered, make.scores_node(metrics, rendered, None)]


def test_a_part_is_in_name_and_id(config: Config, tmp_path: Path) -> None:
    found = [planned(config, Store(tmp_path / "r"), part)[1] for part in (None, "no_reverb", "with_reverb")]
    assert len({node.id for node in found}) == 3
    assert [node.name for node in found] == [
        "dns_challenge-test150", "dns_challenge-test150-no_reverb", "dns_challenge-test150-with_reverb",
    ]  # fmt: skip
    assert len({planned(config, Store(tmp_path / "r"), part)[3].name for part in ("no_reverb", "with_reverb")}) == 2


@pytest.mark.parametrize(
    ("part", "status"), [("no_reverb", "ok"), ("with_reverb", "ok"), ("dns3_real", "not_applicable")]
)
def test_a_part_goes_all_the_way_to_its_scores(config: Config, tmp_path: Path, part: str, status: str) -> None:
    store = Store(tmp_path / "results")
    corpus, mixtures, rendered, scores = planned(config, store, part)
    store.set_location(corpus.id, tmp_path / "dns")
    for node in (corpus, mixtures, rendered, scores):
        store.freeze(node)
    corpus_step.run(corpus, store, 1)
    mixtures_step.run(mixtures, store)
    render.run(rendered, store)
    scores_step.run(scores, store)
    found = read_parquet(store.outputs(scores)["scores.parquet"])
    assert found["metric"].tolist() == ["si_sdr", "stoi"]
    assert set(found["status"]) == {status}
    if status == "ok":
        assert found.loc[0, "value"] == pytest.approx(20, abs=0.5)
        assert set(found["snr_db"]) == {20.0}


def test_a_part_that_is_not_there_is_refused_when_planned(config: Config) -> None:
    asked = ("config/studies/x.yaml:7", "x.conditions.parts")
    assert make.part_of(config, "dns_challenge", ["real", "no_reverb"], *asked) == "no_reverb"
    accepted = r"x\.yaml:7: .* accepted: dns3_real, no_reverb, with_reverb; did you mean 'no_reverb'"
    with pytest.raises(ConfigError, match=accepted):
        make.part_of(config, "dns_challenge", ["no_reverbs"], *asked)
    assert make.part_of(config, "builtin", ["no_reverb"], *asked) is None


def test_snrs_are_refused_where_all_test_mixtures_belong_to_parts(config: Config, tmp_path: Path) -> None:
    accepted = r"-5, 0, 5, 10, 15 dB, .* accepted: none: its test mixtures are published sets"
    with pytest.raises(ConfigError, match=accepted):
        build_plan(config, "two_stage", "smoke", "dns_challenge", Store(tmp_path / "r"))


def test_published_mixtures_have_a_version_of_their_own(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """How mixtures are drawn and levelled says nothing about files that are rendered as they are."""
    assert make.is_published(config, "dns_challenge", "test", "no_reverb")
    assert not make.is_published(config, "dns_challenge", "train", None), "mixed from its speech and noise"
    assert not make.is_published(config, "builtin", "test", None)
    mixtures = planned(config, Store(tmp_path / "r"), "no_reverb")[1]
    before = {published: make.set_node(mixtures, 16000, published).id for published in (True, False)}
    raised = {**versions.ALGORITHMS, "set": versions.Algorithm(99, ())}
    monkeypatch.setattr(versions, "ALGORITHMS", raised)
    after = {published: make.set_node(mixtures, 16000, published).id for published in (True, False)}
    assert after[True] == before[True]
    assert after[False] != before[False]


def test_strict_enters_the_id_only_where_it_is_set(config: Config, tmp_path: Path):
    shutil.copytree(SHIPPED, tmp_path / "config")
    path = next((tmp_path / "config/corpora").glob("*.yaml"))
    path.write_text(path.read_text().replace("  type: dns_challenge\n", "  type: dns_challenge\n  strict: true\n"))
    found = [
        make.corpus_node(each, Store(tmp_path / "r"), "dns_challenge")
        for each in (config, load_config(tmp_path / "config"))
    ]
    assert "strict" not in found[0].spec
    assert found[1].spec["strict"] is True
    assert found[1].id != found[0].id

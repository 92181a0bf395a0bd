"""A study whose models work at 8 and at 16 kHz: one set for each, from the same mixtures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soxr

from sebench.artefacts import Store
from sebench.config import own_code
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.files import read_parquet
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan
from sebench.run.steps import run_step
from sebench.synthesis.store import AudioStore
from sebench.synthesis.verify import verify_set

SHIPPED = Path(__file__).parents[2] / "config"
MODEL = '''
from sebench.models.band_gain import Stage1


class Narrow(Stage1):
    """The gain model at 8 kHz"""

    sample_rate = 8000
'''
UPPER = '''
import torch
from sebench.estimate.estimate import Estimate
from sebench.models.base import Model
from sebench.signal.resample import resampled


class Upper(Model):
    """Hears 8 kHz and makes 16 kHz"""

    views = ("waveform",)
    sample_rate = 16000
    input_rate = 8000
    causal = False

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))

    def forward(self, batch):
        made = resampled(self.gain * batch.heard(self.input_rate), self.input_rate, batch.sample_rate)
        return Estimate(batch, waveform=made[:, : batch.samples])
'''
CORPUS = """
small:
  type: builtin
  params: { train_utterances: 4, valid_utterances: 1, test_utterances: 2, noise_files: 1, noise_seconds: 1.5 }
"""
SCALE = """
tiny:
  utterances: { train: 4, valid: 1, test: 2 }
  steps: 2
  batch_size: 2
  segment_seconds: 0.5
  validations: 1
  seeds: 1
"""
MODELS = """
narrow: { type: "narrow_model:Narrow", label: Narrow }
"""
STUDY = """
s:
  title: t
  corpus: small
  mixing: clean_air
  grid:
    - product: {{ model: [stage1, narrow], loss: mag_mse, recipe: plain }}
      label: "{{model}}"
  metrics: {metrics}
  select: {{ by: si_sdr }}
  conditions: {{ snr_db: [5] }}
  tables:
    t: {{ title: t, type: conditions, metric: si_sdr }}
  figures: {figures}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(own_code, "_ADDED", [])
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "narrow_model.py").write_text(MODEL)
    shutil.copytree(SHIPPED, tmp_path / "config")
    added = {"corpora": CORPUS, "scales": SCALE, "models": MODELS}
    added["recipes"] = "plain:\n  stages:\n    - name: a\n"
    added["mixing"] = "clean_air: { max_seconds: 1 }\n"
    for section, text in added.items():
        (tmp_path / "config" / section / "x.yaml").write_text(text)
    return tmp_path / "config"


def plan(folder: Path, metrics: str = "[si_sdr, pesq_nb]", figures: str = "{}") -> Plan:
    (folder / "studies" / "x.yaml").write_text(STUDY.format(metrics=metrics, figures=figures))
    return build_plan(load_config(folder), "s", "tiny", None, Store(folder.parent / "results"))


def test_each_rate_has_a_set_of_the_same_mixtures(folder: Path) -> None:
    found = plan(folder)
    assert len(found.nodes.of_kind("mixtures")) == 3
    sets = {(node.parents["mixtures"], node.spec["sample_rate"]) for node in found.nodes.of_kind("set")}
    assert len(sets) == len(found.nodes.of_kind("set")) == 6
    for cell in found.cells:
        rate = 8000 if cell.cell.label == "Narrow" else 16000
        (enhanced,) = cell.enhanced.values()
        (scores,) = cell.scores.values()
        of = [cell.run.parents["train"], cell.run.parents["valid"], enhanced.parents["set"], scores.parents["set"]]
        assert {found.nodes[key].spec["sample_rate"] for key in of} == {rate}
    (condition,) = found.conditions.values()
    assert found.nodes[condition.noisy.parents["set"]].spec["sample_rate"] == 16000
    told = found.tables["t"].spec["footer"]["sample rates"]
    assert told == "16000 Hz: Noisy, Stage1; 8000 Hz: Narrow"


def test_runs_and_sets_at_one_rate_are_those_of_a_study_of_that_rate(folder: Path) -> None:
    both = plan(folder)
    text = STUDY.replace("model: [stage1, narrow]", "model: [stage1]").format(metrics="[si_sdr, pesq_nb]", figures="{}")
    (folder / "studies" / "x.yaml").write_text(text)
    alone = build_plan(load_config(folder), "s", "tiny", None, Store(folder.parent / "results"))
    kinds = ("mixtures", "set", "run", "enhanced", "scores")
    assert all({n.id for n in alone.nodes.of_kind(k)} <= {n.id for n in both.nodes.of_kind(k)} for k in kinds)
    assert "sample rates" not in alone.tables["t"].spec["footer"]


def test_the_noisy_row_is_scored_at_the_highest_rate_and_resampling_is_told(folder: Path) -> None:
    (folder.parent / "own" / "narrow_model.py").write_text(MODEL.replace("8000", "48000"))
    found = plan(folder)
    (condition,) = found.conditions.values()
    assert found.nodes[condition.noisy.parents["set"]].spec["sample_rate"] == 48000
    told = found.tables["t"].spec["footer"]["sample rates"]
    rows = "48000 Hz: Noisy, Narrow; 16000 Hz: Stage1"
    assert told == f"{rows}; pesq_nb of signals at 48000 Hz: resampled to 16000 Hz"
    asked = {item["type"]: item.get("sample_rate") for item in condition.noisy.spec["metrics"]}
    assert asked == {"si_sdr": 48000, "pesq_nb": 48000}


def test_a_metric_that_is_not_defined_at_a_rate_is_refused_when_planning(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(folder, "[si_sdr, pesq_wb]")
    (problem,) = caught.value.problems
    assert problem.where.endswith("x.yaml:9")
    assert "metric 'pesq_wb' cannot score 'narrow', which works at 8000 Hz" in problem.found
    assert "networks at 16000 Hz or more" in problem.accepted


def test_a_figure_shows_signals_of_one_rate(folder: Path) -> None:
    figure = "{{ f: {{ title: f, type: spectrograms, condition: 5 dB, panels: [{}] }} }}"
    with pytest.raises(ConfigError, match="no row at 8000 Hz, as the first panel's is, 'Stage1'"):
        plan(folder, figures=figure.format("{ label: a, source: Narrow }, { label: b, source: Stage1 }"))
    shown = plan(folder, figures=figure.format("{ label: a, source: clean }, { label: b, source: Narrow }"))
    assert shown.nodes[shown.figures["f"].parents["set"]].spec["sample_rate"] == 8000


def test_it_runs_from_the_corpus_to_the_table(folder: Path) -> None:
    found = plan(folder)
    store = Store(folder.parent / "results")
    store.set_python_path([str(folder.parent / "own")])
    for node in found.nodes.by_key.values():
        store.freeze(node)
        run_step(node.kind, node.stem, str(store.root), 1)
    (condition,) = found.conditions.values()
    opened = {rate: AudioStore.open(store, condition.drawn.at(rate)) for rate in (8000, 16000)}
    for row in range(2):
        low, high = (opened[rate].row(row)["clean"].astype(np.float64) for rate in (8000, 16000))
        low = np.pad(low, (0, len(high) // 2 + 1 - len(low)))[: len(high) // 2]
        halved = soxr.resample(high, 16000, 8000)[: len(low)]
        assert np.corrcoef(low, halved)[0, 1] > 0.999
    for rate, audio in opened.items():
        index = read_parquet(store.outputs(condition.drawn.at(rate))["index.parquet"])
        plan_of = read_parquet(store.outputs(condition.drawn.mixtures)["mixtures.parquet"])
        assert set(plan_of["sample_rate"]) == {16000}
        assert set(index["sample_rate"]) == {rate}
        for name in ("samples", "speech_start", "noise_start"):
            np.testing.assert_array_equal(index[name], plan_of[name] * rate // 16000)
        assert list(index["samples"]) == [len(audio.row(row)["noisy"]) for row in range(2)]
        assert index["measured_snr_db"].to_numpy() == pytest.approx(5.0, abs=0.01)
        verify_set(index, audio.state, rate)
    by_row = {cell.cell.label: next(iter(cell.scores.values())) for cell in found.cells}
    scores = {label: read_parquet(store.outputs(node)["scores.parquet"]) for label, node in by_row.items()}
    assert set(scores["Narrow"]["status"]) == {"ok"}
    assert set(scores["Narrow"]["reason"]) == {"scored at 8000 Hz"}
    assert set(scores["Stage1"]["reason"]) == {""}
    table = (store.folder(found.tables["t"]) / "table.md").read_text()
    assert "16000 Hz: Noisy, Stage1; 8000 Hz: Narrow" in table


def test_a_model_that_hears_at_another_rate_than_it_makes(folder: Path) -> None:
    """Clean speech, for training and scores, has the rate that it makes; what it hears of the noisy is band-limited."""
    (folder.parent / "own" / "upper_model.py").write_text(UPPER)
    (folder / "models" / "x.yaml").write_text('upper: { type: "upper_model:Upper", label: Upper }\n')
    text = STUDY.replace("model: [stage1, narrow], loss: mag_mse", "model: upper, loss: neg_si_snr")
    (folder / "studies" / "x.yaml").write_text(text.format(metrics="[si_sdr, delta_snr]", figures="{}"))
    store = Store(folder.parent / "results")
    found = build_plan(load_config(folder), "s", "tiny", None, store)
    assert {node.spec["sample_rate"] for node in found.nodes.of_kind("set")} == {16000}
    store.set_python_path([str(folder.parent / "own")])
    for node in found.nodes.by_key.values():
        store.freeze(node)
        run_step(node.kind, node.stem, str(store.root), 1)
    (cell,) = found.cells
    (enhanced,), (condition,) = cell.enhanced.values(), found.conditions.values()
    made = np.fromfile(store.state(enhanced) / "audio.f32", "<f4")
    audio = AudioStore.open(store, condition.drawn.at(16000))
    first = audio.row(0)["noisy"]
    low = soxr.resample(soxr.resample(first, 16000, 8000, quality="VHQ"), 8000, 16000, quality="VHQ")
    assert len(made) == sum(audio.lengths)
    assert np.corrcoef(made[: len(low)], low[: len(first)])[0, 1] > 0.9999
    (scores,) = cell.scores.values()
    assert set(read_parquet(store.outputs(scores)["scores.parquet"])["status"]) == {"ok"}
    assert "(hears 8000 Hz)" in (store.folder(found.tables["t"]) / "table.md").read_text()


def test_what_hears_at_another_rate_cannot_be_streamed(folder: Path) -> None:
    wrong = MODEL.replace("sample_rate = 8000", "input_rate = 8000")
    (folder.parent / "own" / "streamed_model.py").write_text(wrong)
    (folder / "models" / "x.yaml").write_text('narrow: { type: "streamed_model:Narrow" }\n')
    with pytest.raises(ConfigError, match="hears 8000 Hz, makes 16000 Hz and says causal = True"):
        plan(folder)

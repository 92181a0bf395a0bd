"""Mistakes that were accepted, that ended in a traceback, or that were told twice: one message each."""

from __future__ import annotations

import logging
import re
import shutil
import sys
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config import own_code, yaml_lines
from sebench.config.columns import COMPLEXITY_KEYS
from sebench.config.items import build
from sebench.config.load import load_config
from sebench.errors import LISTED, ConfigError, choices
from sebench.models.complexity import complexity
from sebench.plan.build import build_plan, plan_from_settings
from sebench.run.steps import run_step

SHIPPED = Path(__file__).parents[2] / "config"
STUDY = (
    "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
    "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
    "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n"
)
SCALE = (
    "tiny:\n  utterances: { train: 2, valid: 2, test: 2 }\n  steps: 4\n  batch_size: 2\n  segment_seconds: 1.0\n"
    "  validations: 2\n  seeds: 1\n"
)
RECIPE = "r:\n  stages:\n    - name: first\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "config")
    return tmp_path / "config"


@pytest.fixture
def path_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module search path as it was, afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(own_code, "_ADDED", [])
    monkeypatch.setenv("PYTHONPATH", "")


def mistakes(folder: Path, file: str, text: str) -> list[str]:
    """All messages about a folder with one more file, of a study in it also those of its plan."""
    (folder / file).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        build_plan(load_config(folder), "s", "smoke", None, Store(folder.parent / "results"))
    return [str(problem) for problem in caught.value.problems]


#: what is wrong -> file, its text, what the one message holds
ONE: dict[str, tuple[str, str, list[str]]] = {
    # told twice, or in other words than a reader's
    "a distribution": (
        "mixing/x.yaml",
        "m:\n  snr_db: { uniform: 3 }\n",
        ["x.yaml:2", "m.snr_db.uniform", "found 3", "a list"],
    ),
    "a distribution of no form": (
        "mixing/x.yaml",
        "m:\n  snr_db: { normal: [0, 1] }\n",
        ["x.yaml:2", "m.snr_db", "a number, { uniform: [lowest, highest] }, or { choice: [values] }"],
    ),
    "a level": (
        "mixing/x.yaml",
        "m:\n  description: x\n  speech_level_dbov: 5\n",
        ["x.yaml:3", "m.speech_level_dbov: found 5; accepted: -80 to 0 dBov"],
    ),
    "a room": (
        "mixing/x.yaml",
        "m:\n  reverberation:\n    probability: 1\n    room_x: { uniform: [3, 200] }\n",
        ["x.yaml:4", "m.reverberation.room_x: found 3 to 200; accepted: 1 to 100 m"],
    ),
    "a schedule": (
        "recipes/x.yaml",
        RECIPE + "      schedule: { type: cosin }\n",
        ["x.yaml:4", "did you mean 'cosine'?"],
    ),
    "an empty entry": ("losses/x.yaml", "a:\n", ["x.yaml:1", "a: found nothing; accepted: a mapping"]),
    "a study that is a word": ("studies/x.yaml", "s: word\n", ["x.yaml:1", "s: found 'word'; accepted: a mapping"]),
    "a figure that is a list": (
        "studies/x.yaml",
        STUDY + "  figures:\n    f: [1]\n",
        ["x.yaml:10", "s.figures.f: found [1]; accepted: a mapping"],
    ),
    "a figure of no kind": (
        "studies/x.yaml",
        STUDY + "  figures:\n    f:\n      title: x\n      type: scater\n",
        ["x.yaml:12", "s.figures.f.type: no figure 'scater'", "did you mean 'scatter'?"],
    ),
    # tracebacks
    "no model": (
        "studies/x.yaml",
        STUDY.replace("model: stage1", "model: []"),
        ["x.yaml:6", "s.grid.0.product.model: found an empty list; accepted: at least 1 entry"],
    ),
    "everything excluded": (
        "studies/x.yaml",
        STUDY + "  exclude:\n    - { model: stage1, reason: no }\n",
        ["x.yaml:9", "s.exclude: nothing is left: all 1 rows are excluded"],
    ),
    "a million seeds": (
        "scales/x.yaml",
        SCALE.replace("seeds: 1", "seeds: 1000000"),
        ["x.yaml:7", "tiny.seeds", "at most 1000"],
    ),
    "a label with an attribute": (
        "studies/x.yaml",
        STUDY.replace("supervised }", 'supervised }\n      label: "{model.x}"'),
        ["x.yaml:7", "s.grid.0.label"],
    ),
    "a sweep of 10^9 values": (
        "losses/x.yaml",
        "a:\n  type: sdw\n  sweep: { weight: { from: 0, to: 1, step: 1.0e-9 } }\n",
        ["x.yaml:3", "more than 1000"],
    ),
    # accepted, and should not be
    "an idle exclusion": (
        "studies/x.yaml",
        STUDY + "  exclude:\n    - { loss: complex_mse, reason: no }\n",
        ["x.yaml:10", "s.exclude.0: loss 'complex_mse': no row of the grid is that"],
    ),
    "an exclusion of nothing": (
        "studies/x.yaml",
        STUDY + "  exclude:\n    - { reason: no }\n",
        ["x.yaml:10", "at least one of model, loss, recipe"],
    ),
    "widths of a model that is not trained": (
        "studies/x.yaml",
        STUDY + "  scales:\n    smoke:\n      models:\n        stage2: { embed: 2 }\n",
        ["x.yaml:12", "the study trains no model 'stage2'; accepted: stage1"],
    ),
    "an unknown part": (
        "studies/x.yaml",
        STUDY.replace("{ snr_db: [0] }", "{ sets: { a: { part: no_revreb } } }"),
        [
            "x.yaml:8",
            "s.conditions.sets.a.part",
            "no corpus has a published test set 'no_revreb'",
            "did you mean 'no_reverb'?",
        ],
    ),
    "betas": (
        "recipes/x.yaml",
        RECIPE + "      optimiser: { betas: [0.9, 2.0] }\n",
        ["x.yaml:4", "r.stages.0.optimiser.betas.1", "found 2.0", "below 1"],
    ),
    "a warm-up that a study sets, above the steps": (
        "studies/x.yaml",
        STUDY + "  scales:\n    smoke:\n      warmup_steps: 5\n",
        ["x.yaml:11", "s.scales.smoke.warmup_steps: a warm-up of 5 steps in a stage of 4", "at most 4"],
    ),
    "a warm-up for stages that have none": (
        "studies/x.yaml",
        STUDY.replace("supervised", "braun") + "  scales:\n    smoke:\n      warmup_steps: 1\n",
        ["x.yaml:11", "s.scales.smoke.warmup_steps: no stage of the study's recipes has a warm-up"],
    ),
    "patience of a cosine": (
        "recipes/x.yaml",
        RECIPE + "      schedule:\n        type: cosine\n        patience: 3\n",
        ["x.yaml:6", "r.stages.0.schedule.patience", "`patience` with type halve_on_plateau"],
    ),
    "a final factor of a constant rate": (
        "recipes/x.yaml",
        RECIPE + "      schedule:\n        final_factor: 0.1\n",
        ["x.yaml:5", "with type cosine or linear_decay"],
    ),
    "stop_lr above lr": (
        "recipes/x.yaml",
        RECIPE
        + "      optimiser: { lr: 1e-3 }\n      schedule:\n        type: halve_on_plateau\n        stop_lr: 1e-2\n",
        ["x.yaml:7", "stop_lr 0.01 is not below the optimiser's lr 0.001"],
    ),
    "validations above steps": (
        "scales/x.yaml",
        SCALE.replace("validations: 2", "validations: 5"),
        ["x.yaml:6", "5 validations in 4 steps"],
    ),
    "validations of a study above its steps": (
        "studies/x.yaml",
        STUDY + "  scales:\n    demo:\n      steps: 3\n",
        ["x.yaml:11", "4 validations in 3 steps"],
    ),
    "a hop that the window forbids": (
        "models/x.yaml",
        "m:\n  type: stage1\n  params:\n    window_length: 256\n    hop: 100\n",
        ["x.yaml:4", "window_length 256, hop 100 do not fit together; accepted: window_length % hop == 0"],
    ),
    "a stride above the kernel": (
        "models/x.yaml",
        "m:\n  type: demucs\n  params: { stride: 9 }\n",
        ["x.yaml:3", "kernel 8, stride 9", "stride <= kernel"],
    ),
    "more bands than bins": (
        "models/x.yaml",
        "m:\n  type: stage1\n  params: { bands: 200 }\n",
        ["x.yaml:3", "bands <= window_length // 2 + 1"],
    ),
    "a loss's hop without its window": (
        "losses/x.yaml",
        "a:\n  type: lsd\n  params: { hop: 128 }\n",
        ["x.yaml:3", "do not fit together"],
    ),
    "a window of two resolutions": (
        "losses/x.yaml",
        "a:\n  type: multi_stft\n  params:\n    resolutions: [[512, 50, 1024]]\n",
        ["x.yaml:4", "do not fit together"],
    ),
    "a negative seed": (
        "studies/x.yaml",
        STUDY.replace("supervised }", "supervised, seed: [-1] }"),
        ["x.yaml:6", "s.grid.0.product.seed"],
    ),
    "an empty label": (
        "studies/x.yaml",
        STUDY.replace("supervised }", 'supervised }\n      label: ""'),
        ["x.yaml:7", "s.grid.0.label"],
    ),
    "a claim of a row against itself": (
        "studies/x.yaml",
        STUDY + "  claims:\n    - text: x\n      better: a\n      worse: a\n      column: c\n",
        ["x.yaml:12", "s.claims.0.worse: 'a' is compared with itself"],
    ),
    "a weight of 1e308": (
        "losses/x.yaml",
        "a:\n  sum: { mag_mse: 1e308 }\n",
        ["x.yaml:2", "a.sum.mag_mse", "at most 1e+09"],
    ),
    "ten thousand threads": (
        "scales/x.yaml",
        SCALE + "  threads: 10000\n",
        ["x.yaml:8", "tiny.threads", "at most 1024"],
    ),
    "10^30 steps": (
        "scales/x.yaml",
        SCALE.replace("steps: 4", f"steps: {10**30}"),
        ["x.yaml:3", "tiny.steps", "at most 100000000"],
    ),
    "a seed twice": (
        "studies/x.yaml",
        STUDY.replace("supervised }", "supervised, seed: [1, 1] }"),
        ["x.yaml:6", "1 stands twice"],
    ),
    "effort beside epochs": (
        "recipes/x.yaml",
        RECIPE + "      utterances: whole\n      epochs: 2\n      effort: 2\n",
        ["x.yaml:6", "`effort`"],
    ),
    # rows and columns
    "a row of a table": (
        "studies/x.yaml",
        STUDY + "  tables:\n    t:\n      title: t\n      type: conditions\n      metric: si_sdr\n      rows:\n"
        "        - Noisy\n        - stage1(MES)\n",
        ["x.yaml:16", "s.tables.t.rows.1: no row 'stage1(MES)'", "did you mean 'Stage1(MSE)'?"],
    ),
    "a complexity of the noisy signal": (
        "studies/x.yaml",
        STUDY + "  tables:\n    t:\n      title: t\n      type: complexity\n"
        "      columns: [{ column: P, key: parameters }]\n"
        "      rows:\n        Mine: Stage1(MSE)\n        None: Noisy\n",
        ["x.yaml:16", "s.tables.t.rows.None: no network of row 'Noisy' is trained here", "accepted: Stage1(MSE)"],
    ),
    "a complexity of the noisy signal, in a list": (
        "studies/x.yaml",
        STUDY + "  tables:\n    t:\n      title: t\n      type: complexity\n"
        "      columns: [{ column: P, key: parameters }]\n"
        "      rows:\n        - Noisy\n",
        ["x.yaml:15", "s.tables.t.rows.0: no network of row 'Noisy' is trained here"],
    ),
    "a column of a claim": (
        "studies/x.yaml",
        STUDY + "  tables:\n    t: { title: t, type: conditions, metric: si_sdr }\n  claims:\n    - text: x\n"
        "      better: Stage1(MSE)\n      worse: Noisy\n      column: Avg\n",
        ["x.yaml:15", "s.claims.0.column: no column 'Avg'; accepted: 0 dB, Avg.; did you mean 'Avg.'?"],
    ),
}


@pytest.mark.parametrize("mistake", ONE)
def test_one_mistake_is_one_message(folder: Path, mistake: str) -> None:
    file, text, expected = ONE[mistake]
    found = mistakes(folder, file, text)
    assert len(found) == 1, found
    for part in expected:
        assert part in found[0]


#: what was found by someone who had not written the checks -> files, what the one message holds
FRESH: dict[str, tuple[dict[str, str], list[str]]] = {
    "a parameter of a model that a scale changes": (
        {
            "models/x.yaml": "m:\n  type: stage1\n  params: { hop: 0 }\n",
            "studies/x.yaml": STUDY.replace("stage1", "m") + "  scales: { smoke: { models: { m: {} } } }\n",
        },
        ["models/x.yaml:3", "m.params.hop: found 0"],
    ),
    "more validations than steps, and a study that changes the steps": (
        {
            "scales/x.yaml": SCALE.replace("validations: 2", "validations: 100"),
            "studies/x.yaml": STUDY + "  scales: { tiny: { steps: 6 } }\n",
        },
        ["scales/x.yaml:6", "100 validations in 4 steps"],
    ),
    "a warm-up of a recipe above the few steps of a scale": (
        {"scales/x.yaml": SCALE, "studies/x.yaml": STUDY},
        [
            "recipes.yaml:6",
            "stages.0.schedule.warmup_steps: a warm-up of 20 steps in a stage of 4",
            "at most 4, here or",
        ],
    ),
    "a warm-up of a scale above its steps": (
        {"scales/x.yaml": SCALE + "  warmup_steps: 6\n", "studies/x.yaml": STUDY},
        ["scales/x.yaml:8", "tiny.warmup_steps: a warm-up of 6 steps in a stage of 4 (stage 'train' of recipe"],
    ),
    "a warm-up above the steps of all epochs": (
        {
            "recipes/x.yaml": RECIPE + "      epochs: 3\n      schedule: { warmup_steps: 5 }\n",
            "scales/x.yaml": SCALE.replace("train: 2", "train: 3").replace("batch_size: 2", "batch_size: 3"),
            "studies/x.yaml": STUDY.replace("supervised", "r"),
        },
        ["recipes/x.yaml:5", "a warm-up of 5 steps in a stage of 3"],
    ),
    "two stages of one name, and a study that changes the other": (
        {
            "recipes/x.yaml": RECIPE + "    - name: first\n",
            "studies/x.yaml": STUDY.replace("supervised", "r")
            + "  scales: { smoke: { stages: { second: { epochs: 1 } } } }\n",
        },
        ["recipes/x.yaml:4", "two stages are called 'first'"],
    ),
    "a part that no model of the grid has": (
        {
            "recipes/x.yaml": RECIPE + "      model: stage1\n    - name: second\n      init: { nope: first }\n",
            "studies/x.yaml": STUDY.replace("mag_mse", "[mag_mse, l_c_04]").replace("supervised", "r"),
        },
        ["recipes/x.yaml:6", "r.stages.1.init.nope (in s.grid.0)", "has no part 'nope'"],
    ),
    "a label that would be ten gigabytes": (
        {"studies/x.yaml": STUDY.replace("supervised }", "supervised }\n      label: '{model:>9999999999}'")},
        ["studies/x.yaml:7", "cannot be filled in"],
    ),
    "a folder for a corpus that reads none": (
        {"corpora/x.yaml": "c:\n  type: builtin\n  root: somewhere\n", "studies/x.yaml": STUDY.replace("builtin", "c")},
        ["corpora/x.yaml:3", "a folder for corpus type 'builtin', which reads none"],
    ),
    "segments of no length": (
        {"scales/x.yaml": SCALE.replace("segment_seconds: 1.0", "segment_seconds: 1.0e-9"), "studies/x.yaml": STUDY},
        ["scales/x.yaml:5", "found 1e-09; accepted: at least 0.01"],
    ),
    "a number that no model has": (
        {
            "studies/x.yaml": STUDY + "  tables:\n    t:\n      title: t\n      type: complexity\n"
            "      columns:\n        - { column: P, key: params }\n"
        },
        ["studies/x.yaml:14", "s.tables.t.columns.0.key: no number 'params'", "parameters"],
    ),
    "an average called as a column": (
        {
            "studies/x.yaml": STUDY
            + "  tables:\n    t: { title: t, type: conditions, metric: si_sdr,\n      average: 0 dB }\n"
        },
        ["studies/x.yaml:11", "two columns are called '0 dB'"],
    ),
    "a figure of a condition that is not there": (
        {
            "studies/x.yaml": STUDY + "  figures:\n    f:\n      title: f\n      type: spectrograms\n"
            "      condition: 5 dB\n      panels: [{ label: Mine, source: Stage1(MSE) }]\n"
        },
        ["studies/x.yaml:13", "no condition '5 dB'"],
    ),
    "a list of metrics that is a mapping": (
        {"studies/x.yaml": STUDY.replace("[si_sdr]", "{ si_sdr: 1 }")},
        ["studies/x.yaml:7", "s.metrics: found a mapping; accepted: a list"],
    ),
    "a seed that is a fraction": (
        {"studies/x.yaml": STUDY.replace("supervised }", "supervised, seed: [1, 1.5] }")},
        ["studies/x.yaml:6", "s.grid.0.product.seed.1: found 1.5; accepted: a whole number from 0 to 4294967295"],
    ),
    "a model that is a number": (
        {"studies/x.yaml": STUDY.replace("model: stage1", "model: 1")},
        ["studies/x.yaml:6", "s.grid.0.product.model: found 1; accepted: the name of a model"],
    ),
    "a corpus that is a list": (
        {"studies/x.yaml": STUDY.replace("corpus: builtin", "corpus: [builtin]")},
        ["studies/x.yaml:3", "s.corpus: found ['builtin']; accepted: a name, or a mapping from roles to names"],
    ),
    "two rows of one label": (
        {"studies/x.yaml": STUDY.replace("mag_mse", "[mag_mse, complex_mse]").replace("d }", "d }\n      label: x")},
        [
            "studies/x.yaml:7",
            "s.grid.0.label: (stage1, mag_mse, supervised) and (stage1, complex_mse, ",
        ],
    ),
    "a row called as unprocessed signals": (
        {"studies/x.yaml": STUDY.replace("supervised }", "supervised }\n      label: Noisy")},
        ["studies/x.yaml:7", "s.grid.0.label: a row is called 'Noisy'"],
    ),
    "roles of a study with one corpus": (
        {"studies/x.yaml": STUDY.replace("mixing: two_stage", "mixing: { a: two_stage, b: braun }")},
        ["studies/x.yaml:4", "s.mixing: roles a, b; accepted: one entry: the study has one corpus"],
    ),
    "two conditions of one name": (
        {"studies/x.yaml": STUDY.replace("snr_db: [0] ", "sets: { a: { snr_db: [0] }, a 0 dB: {} } ")},
        ["studies/x.yaml:8", "s.conditions.sets.a 0 dB: two conditions are called 'a 0 dB'"],
    ),
    "a sweep that no row trains with that model": (
        {
            "studies/x.yaml": STUDY.replace("mag_mse", "braun_sdw") + "  select: { by: si_sdr }\n"
            "  choices:\n    best: { among: braun_sdw, model: fcrn }\n"
        },
        ["studies/x.yaml:11", "trained by no block of the grid with model 'fcrn'"],
    ),
    "a learning rate of 400": (
        {"studies/x.yaml": STUDY + "  scales:\n    smoke:\n      lr_factor: 1.0e+5\n"},
        [
            "studies/x.yaml:11",
            "s.scales.smoke.lr_factor: a learning rate of 400 in stage 'train'; accepted: at",
        ],
    ),
    "a parameter that a scale misspells": (
        {"studies/x.yaml": STUDY + "  scales: { smoke: { models: { stage1: { hiden: 3 } } } }\n"},
        ["studies/x.yaml:9", "s.scales.smoke.models.stage1.hiden: ", "did you mean 'hidden'?"],
    ),
    "a condition that is not there": (
        {"studies/x.yaml": STUDY + "  tables:\n    t: { title: t, type: conditions, metric: si_sdr, over: [5 dB] }\n"},
        ["studies/x.yaml:10", "s.tables.t.over.0: no test set or condition '5 dB'; accepted: 0 dB; did"],
    ),
    "a metric twice in a table": (
        {
            "studies/x.yaml": STUDY + "  tables:\n    t:\n      title: t\n      type: metrics\n      metrics:\n"
            "        - si_sdr\n        - si_sdr\n"
        },
        ["studies/x.yaml:15", "s.tables.t.metrics.1: two columns are called 'SI-SDR'"],
    ),
    "a number twice in a table": (
        {
            "studies/x.yaml": STUDY + "  tables:\n    t:\n      title: t\n      type: complexity\n      columns:\n"
            "        - { column: P, key: parameters }\n        - { column: P, key: delay_ms }\n"
        },
        ["studies/x.yaml:15", "s.tables.t.columns.1.column: two columns are called 'P'"],
    ),
    "a row of a matrix without columns": (
        {
            "studies/x.yaml": STUDY + "  tables:\n    t: { title: t, type: matrix, metrics: [si_sdr], groups: [a],\n"
            "      matrix: { r: {} } }\n"
        },
        ["studies/x.yaml:11", "s.tables.t.matrix.r: found an empty mapping; accepted: at least 1 entry"],
    ),
    "a stage without a predictor in a table of agreement": (
        {
            "studies/x.yaml": STUDY + "  tables:\n    t:\n      title: t\n      type: agreement\n      metric: si_sdr\n"
            "      predictors: { a: { recipe: supervised, stage: train } }\n"
        },
        [
            "studies/x.yaml:14",
            "t.predictors.a.stage: no stage 'train' that trains a predictor; accepted: none",
        ],
    ),
    "a choice of a figure": (
        {
            "studies/x.yaml": STUDY + "  figures:\n    f:\n      title: f\n      type: sweep\n      panels:\n"
            "        - axis: b\n          curves: { best: worst }\n"
        },
        ["studies/x.yaml:15", "s.figures.f.panels.0.curves.best: no choice 'worst'; accepted: none"],
    ),
    "a row of a figure": (
        {
            "studies/x.yaml": STUDY + "  figures:\n    f:\n      title: f\n      type: spectrograms\n"
            "      condition: 0 dB\n      panels:\n        - label: a\n          source: Stage1\n"
        },
        ["studies/x.yaml:16", "s.figures.f.panels.0.source: no row 'Stage1'"],
    ),
    "a row of epochs": (
        {
            "studies/x.yaml": STUDY + "  figures:\n    f:\n      title: f\n      type: epochs\n"
            "      quantities: { mae: a }\n      rows:\n        - Stage1(MSE)\n"
        },
        ["studies/x.yaml:15", "s.figures.f.rows.0: no row that ends in a stage of whole epochs"],
    ),
    "a sweep over a misspelt parameter": (
        {"losses/x.yaml": "a:\n  type: sdw\n  sweep:\n    wait: [0.1, 0.2]\n"},
        ["losses/x.yaml:4", "a.sweep.wait: loss 'sdw' has no parameter 'wait'; accepted: weight, bins"],
    ),
    "a range with a step of a word": (
        {"losses/x.yaml": "a:\n  type: sdw\n  sweep:\n    weight:\n      { from: 0, to: 1,\n        step: a }\n"},
        ["losses/x.yaml:6", "a.sweep.weight.step: found 'a'; accepted: a number"],
    ),
    "a range with one key more": (
        {"losses/x.yaml": "a:\n  type: sdw\n  sweep: { weight: { from: 0, to: 1, step: 0.5, log: true } }\n"},
        ["losses/x.yaml:3", "a.sweep.weight.log: unknown key 'log'; accepted: from, to, step"],
    ),
    "a parameter that is nothing": (
        {"losses/x.yaml": "a:\n  type: sdw\n  params:\n    weight:\n"},
        ["losses/x.yaml:4", "a.params.weight: found nothing; accepted: a number"],
    ),
    "a title that is misspelt": (
        {"studies/x.yaml": STUDY.replace("title", "titel")},
        ["studies/x.yaml:2", "s.titel: unknown key 'titel'", "did you mean 'title'?"],
    ),
    "a frozen part of a model without parts": (
        {"recipes/x.yaml": RECIPE + "      freeze: [nope]\n", "studies/x.yaml": STUDY.replace("supervised", "r")},
        ["recipes/x.yaml:4", "has no part 'nope'; accepted: none: the model has no parts"],
    ),
    "a whole model from another one": (
        {
            "recipes/x.yaml": RECIPE + "      model: stage2\n      loss: complex_mse\n    - name: second\n"
            '      init: { "": first }\n',
            "studies/x.yaml": STUDY.replace("supervised", "r"),
        },
        ["recipes/x.yaml:7", "the whole of model 'stage1' starts from model 'stage2'"],
    ),
    "a distribution in two forms": (
        {"mixing/x.yaml": "m:\n  snr_db: { uniform: [0, 1], choice: [0] }\n"},
        ["mixing/x.yaml:2", "m.snr_db: found a mapping; accepted: a number, { uniform: [lowest, highest] }, or"],
    ),
    "a distribution from above to below": (
        {"mixing/x.yaml": "m:\n  snr_db: { uniform: [5, -5] }\n"},
        ["mixing/x.yaml:2", "m.snr_db.uniform: lowest value 5 is above highest value -5"],
    ),
    "a mixture without a level": (
        {"mixing/x.yaml": "m:\n  description: x\n  speech_level_dbov:\n"},
        ["mixing/x.yaml:3", "m.speech_level_dbov: neither of the two levels"],
    ),
    "a cut that is never reached": (
        {"mixing/x.yaml": "m:\n  seconds: 5\n  max_seconds: 2\n"},
        ["mixing/x.yaml:2", "m.seconds: 5 s of at most 2 s"],
    ),
    "a size of measured rooms": (
        {"mixing/x.yaml": "m:\n  reverberation:\n    source: measured\n    room_x: 5\n"},
        ["mixing/x.yaml:4", "m.reverberation.room_x: `room_x` with rooms that are measured"],
    ),
    "a batch that devices cannot share": (
        {"scales/x.yaml": SCALE + "  devices: 4\n", "studies/x.yaml": STUDY},
        ["scales/x.yaml:8", "tiny.devices: a batch of 2 cannot be shared out to 4 devices"],
    ),
    "a variable that no environment has": (
        {"corpora/x.yaml": "c:\n  type: folder\n  root_env: A=B\n"},
        ["corpora/x.yaml:3", "c.root_env: found 'A=B'; accepted: the name of an environment variable"],
    ),
    "a mapping of a kind": (
        {"losses/x.yaml": "a: !loss\n  type: mag_mse\n"},
        ["losses/x.yaml:1", "a: a value of the kind !loss; accepted: text,"],
    ),
    "a word of a kind": (
        {"losses/x.yaml": "a:\n  type: !x mag_mse\n"},
        ["losses/x.yaml:2", "a.type: a value of the kind !x"],
    ),
    "5,000 digits": (
        {"scales/x.yaml": SCALE.replace("steps: 4", "steps: " + 5000 * "9"), "studies/x.yaml": STUDY},
        ["scales/x.yaml:3", "of 5000 characters cannot be read as a whole number"],
    ),
    "an anchor twice": (
        {"losses/x.yaml": "a: &x\n  type: mag_mse\nb: &x\n  type: mag_mse\n"},
        ["losses/x.yaml:3", "found duplicate anchor 'x'; first occurrence (line 1)"],
    ),
}


@pytest.mark.parametrize("mistake", FRESH)
def test_a_fresh_mistake_is_one_message(folder: Path, mistake: str) -> None:
    files, expected = FRESH[mistake]
    for name, text in {"studies/x.yaml": STUDY, **files}.items():
        (folder / name).write_text(text, encoding="utf-8")
    scale = "tiny" if "scales/x.yaml" in files else "smoke"
    with pytest.raises(ConfigError) as caught:
        build_plan(load_config(folder), "s", scale, None, Store(folder.parent / "results"))
    (found,) = map(str, caught.value.problems)
    for part in expected:
        assert part in found


def test_the_numbers_of_models_are_known() -> None:
    counted = complexity(build({"type": "stage1", "params": {}}, "model"))
    assert set(COMPLEXITY_KEYS) == set(counted)


def test_each_file_is_parsed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    class Counted(yaml_lines._Loader):
        def __init__(self, text: str) -> None:
            parsed.append(text)
            super().__init__(text)

    monkeypatch.setattr(yaml_lines, "_Loader", Counted)
    load_config(folder)
    assert sorted(parsed) == sorted(path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml"))


def test_an_empty_list_of_studies(folder: Path) -> None:
    (folder / "config.yaml").write_text("study: []\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:1: study: found an empty list; accepted: at least 1 entry"):
        load_config(folder)


def test_a_broken_entry_is_not_said_to_be_absent(folder: Path) -> None:
    text = "mine:\n  type: neg_si_snr\n  parms: {}\nboth:\n  sum: { mine: 1.0 }\n"
    assert len(mistakes(folder, "losses/x.yaml", text)) == 1


def test_a_file_that_cannot_be_read_hides_its_entries(folder: Path) -> None:
    (folder / "recipes" / "recipes.yaml").write_text("supervised: [\n")
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    assert len(caught.value.problems) == 1


def test_a_broken_entry_blocks_what_uses_it_alone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "losses" / "x.yaml").write_text("mine:\n  type: neg_si_snr\n  parms: {}\n")
    (folder / "studies" / "x.yaml").write_text(STUDY.replace("loss: mag_mse", "loss: mine"))
    settings = {"study": "two_stage", "scale": "smoke", "corpus": "builtin", "config_dir": str(folder)}
    store = Store(folder.parent / "results")
    with caplog.at_level(logging.WARNING):
        (plan,) = plan_from_settings(settings, store)
    assert plan.cells
    assert "x.yaml:3" in caplog.text
    with pytest.raises(ConfigError, match=r"1 mistake .*\n.*x\.yaml:3: mine\.parms: unknown key"):
        plan_from_settings({**settings, "study": "s"}, store)


def test_long_lists_are_cut_to_the_nearest() -> None:
    names = [f"loss_{i}" for i in range(110)]
    told = choices(names, "los_42")
    assert told.startswith("loss_42, ")
    assert told.endswith(f"and {110 - LISTED + 2} more")
    assert choices(names[:LISTED]) == ", ".join(names[:LISTED])


def test_merge_keys(folder: Path) -> None:
    (folder / "losses" / "x.yaml").write_text(
        "base: &base\n  type: component_clean\n  params: { weight: 0.4 }\nmine:\n  <<: *base\n  label: x\n"
    )
    entry = load_config(folder).get("losses", "mine").entry
    assert (entry.type, entry.params, entry.label) == ("component_clean", {"weight": 0.4}, "x")


def test_numbers_of_yaml_1_1(folder: Path) -> None:
    (folder / "scales" / "x.yaml").write_text(
        SCALE.replace("train: 2", "train: 0100").replace("steps: 4", "steps: 1:30")
    )
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    octal, sixty = map(str, caught.value.problems)
    assert "x.yaml:2: tiny.utterances.train: 0100 (in YAML 1.1 an octal number: 64); accepted: 100, or" in octal
    assert "x.yaml:3: tiny.steps: 1:30 (in YAML 1.1 a number in base 60: 90)" in sixty


CORPUS = (
    '"""A corpus."""\nfrom sebench.corpora.builtin import Builtin\n\n\nclass Mine(Builtin):\n    """Mine."""\n\n'
    '    name = "mine"\n'
)


@pytest.mark.usefixtures("path_kept")
def test_modules_of_ones_own(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "corpora" / "x.yaml").write_text("mine:\n  type: h_own_module:Mine\n")
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    (problem,) = caught.value.problems
    assert re.search(r"x\.yaml:2: mine\.type: module 'h_own_module' cannot be imported: .*search path", str(problem))
    assert "python_path" in problem.accepted
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "h_own_module.py").write_text(CORPUS)
    settings = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(f"{settings}python_path: own\n")
    config = load_config(folder)
    assert str(tmp_path / "own") in sys.path
    store = Store(tmp_path / "results")
    plan = build_plan(config, "two_stage", "smoke", "mine", store)
    node = plan.nodes.of_kind("corpus")[0]
    assert node.spec["item"]["type"] == "h_own_module:Mine"
    # A job knows the store alone.
    store.freeze(node)
    store.set_python_path(own_code.added())
    own_code.extend([])
    assert str(tmp_path / "own") not in sys.path
    monkeypatch.setattr("sebench.corpora.step.run", lambda *_: None)
    run_step("corpus", node.stem, str(store.root), 1)
    assert str(tmp_path / "own") in sys.path


@pytest.mark.usefixtures("path_kept")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("class Mine(\n", r"h_wrong_module\.py:1: no Python"),
        ("class Other:\n    pass\n", "no such class in the source; it has Other"),
        ("class Mine(Mine):\n    pass\n", "inherits from itself"),
        ('class Mine:\n    name = "x"\n    requires = ("__import__(1)",)\n', "is not understood"),
    ],
)
def test_modules_of_ones_own_that_are_wrong(folder: Path, tmp_path: Path, source: str, expected: str) -> None:
    (tmp_path / "h_wrong_module.py").write_text(source)
    settings = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(f"{settings}python_path: {tmp_path}\n")
    (folder / "losses" / "x.yaml").write_text("mine:\n  type: h_wrong_module:Mine\n")
    with pytest.raises(ConfigError, match=expected) as caught:
        load_config(folder)
    (problem,) = caught.value.problems
    assert "x.yaml:2" in problem.where


def test_a_python_path_that_is_no_folder(folder: Path) -> None:
    settings = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(f"{settings}python_path: [nowhere_at_all, $NOWHERE/x]\n")
    told = r"config\.yaml:\d+: python_path\.0: no folder 'nowhere_at_all'(.|\n)*python_path\.1: .*\$NOWHERE is not set"
    with pytest.raises(ConfigError, match=told):
        load_config(folder)

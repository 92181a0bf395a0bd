"""Every mistake a person makes is one clear error: file and line, what was found, what is accepted, the nearest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.errors import ConfigError, SebenchError
from sebench.plan.build import build_plan

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "config")
    return tmp_path / "config"


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_configuration_is_right() -> None:
    config = load_config(SHIPPED)
    assert set(config.sections["scales"]) == {"smoke", "demo", "small", "paper"}


MISTAKES = {
    "unknown key": (
        "losses/x.yaml",
        "mine:\n  type: neg_si_snr\n  parms: {}\n",
        ["x.yaml:3", "unknown key 'parms'", "params", "did you mean 'params'"],
    ),
    "misspelt type": (
        "losses/x.yaml",
        "mine:\n  type: neg_sisnr\n",
        ["x.yaml:2", "no loss 'neg_sisnr'", "did you mean 'neg_si_snr'"],
    ),
    "misspelt parameter": (
        "losses/x.yaml",
        "mine:\n  type: component_clean\n  params:\n    wieght: 0.4\n",
        ["x.yaml:4", "no parameter 'wieght'", "did you mean 'weight'"],
    ),
    "value out of range": (
        "losses/x.yaml",
        "mine:\n  type: component_clean\n  params:\n    weight: 1.5\n",
        ["x.yaml:4", "found 1.5", "a number above 0, at most 1"],
    ),
    "wrong type of a parameter": (
        "losses/x.yaml",
        "mine:\n  type: component_clean\n  params:\n    weight: much\n",
        ["x.yaml:4", "found 'much'", "a number above 0"],
    ),
    "wrong type of a key": (
        "scales/x.yaml",
        "tiny:\n  utterances: { train: 1, valid: 1, test: 1 }\n  steps: many\n  batch_size: 1\n"
        "  segment_seconds: 1.0\n  validations: 1\n  seeds: 1\n",
        ["x.yaml:3", "found 'many'", "a whole number"],
    ),
    "missing key": (
        "recipes/x.yaml",
        "mine:\n  stages:\n    - { kind: supervised }\n",
        ["x.yaml:3", "mine.stages.0.name", "required and absent"],
    ),
    "missing reference": (
        "losses/x.yaml",
        "mine:\n  sum:\n    neg_si_snr: 1.0\n    complx_mse: 0.1\n",
        ["x.yaml:4", "no losses entry 'complx_mse'", "did you mean 'complex_mse'"],
    ),
    "loop of references": (
        "losses/x.yaml",
        "a:\n  sum: { b: 1.0 }\nb:\n  sum: { a: 1.0 }\n",
        ["x.yaml:1", "a loop of references", "a -> b -> a"],
    ),
    "two forms at once": (
        "losses/x.yaml",
        "a:\n  type: neg_si_snr\n  sum: { neg_si_snr: 1.0 }\n",
        ["x.yaml:1", "exactly one of type, sum, mix"],
    ),
    "a key twice": (
        "losses/x.yaml",
        "a:\n  type: neg_si_snr\n  type: mag_mse\n",
        ["x.yaml:3", "twice"],
    ),
    "a name twice": (
        "losses/x.yaml",
        "neg_si_snr:\n  type: neg_si_snr\n",
        ["x.yaml:1", "taken by", "two_stage.yaml"],
    ),
    "not YAML": ("losses/x.yaml", "a: [1, 2\nb: 3\n", ["x.yaml:2", "YAML"]),
    "a later stage": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n      init: { stage1: second }\n    - name: second\n",
        ["x.yaml:4", "from 'second'", "an earlier stage"],
    ),
    "unequal zip": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - zip: { model: [stage1, stage2], loss: [mag_mse] }\n      product: { recipe: supervised }\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr]\n",
        ["x.yaml:6", "model has 2, loss has 1", "equal lengths"],
    ),
    "unknown metric of a study": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr, pesq]\n",
        ["x.yaml:8", "no metrics entry 'pesq'", "pesq_nb"],
    ),
    "unknown kind of stage": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n      kind: adversarial\n",
        ["x.yaml:4", "found 'adversarial'", "predictor, supervised, or package.module:Class"],
    ),
    "a label that cannot be filled": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n      label: '{modell}'\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr]\n",
        ["x.yaml:7", "s.grid.0.label", "{modell}", "accepted: {model}, {loss} and {recipe}"],
    ),
    "a seed that is a word": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised, seed: [a] }\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr]\n",
        ["x.yaml:6", "found 'a'", "a whole number from 0 to 4294967295"],
    ),
    "an SNR twice": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  conditions: { snr_db: [0, 0] }\n  metrics: [si_sdr]\n",
        ["x.yaml:7", "s.conditions.snr_db", "0 stands twice"],
    ),
    "a misspelt key of a table": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr]\n"
        "  tables:\n    t: { title: t, type: conditions, metric: si_sdr, averag: mean }\n",
        ["x.yaml:10", "unknown key 'averag'", "did you mean 'average'"],
    ),
    "a stage of a predictor without labels": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: predictor\n"
        "      predictor: pesqnet\n      init: { enhancer: first }\n",
        ["x.yaml:4", "r.stages.1", "`labels` belongs to a stage of kind alternating or predictor"],
    ),
    "a stage of a predictor without a predictor": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: predictor\n"
        "      labels: pesqc2\n      init: { enhancer: first }\n",
        ["x.yaml:4", "r.stages.1", "`predictor` belongs to a stage of kind alternating or predictor"],
    ),
    "a supervised stage with labels": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      labels: pesqc2\n",
        ["x.yaml:5", "r.stages.1", "`labels` belongs to a stage of kind alternating or predictor"],
    ),
    "a stage of a predictor without an enhancer": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: predictor\n"
        "      predictor: pesqnet\n      labels: pesqc2\n",
        ["x.yaml:4", "r.stages.1", "needs `init: { enhancer: STAGE }`"],
    ),
    "an alternating stage without the predictor's optimiser": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: alternating\n"
        "      predictor: pesqnet\n      labels: pesqc2\n      epochs: 2\n      utterances: whole\n",
        ["x.yaml:4", "r.stages.1", "`predictor_optimiser` belongs to a stage of kind alternating"],
    ),
    "an alternating stage on segments": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: alternating\n"
        "      predictor: pesqnet\n      labels: pesqc2\n      epochs: 2\n"
        "      predictor_optimiser: { lr: 1.0e-3 }\n",
        ["x.yaml:4", "r.stages.1", "needs `epochs` and `utterances: whole`"],
    ),
    "an alternating stage from scratch": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: alternating\n"
        "      predictor: pesqnet\n      labels: pesqc2\n      epochs: 2\n      utterances: whole\n"
        "      init: { predictor: first }\n      predictor_optimiser: { lr: 1.0e-3 }\n",
        ["x.yaml:10", "r.stages.1.init", 'needs `init: { "": STAGE, predictor: STAGE }`'],
    ),
    "a frozen part of a stage that freezes whole networks": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: predictor\n"
        "      predictor: pesqnet\n      labels: pesqc2\n      init: { enhancer: first }\n"
        "      freeze: [lstm]\n",
        ["x.yaml:9", "r.stages.1.freeze", "`freeze` is for stages of kind supervised"],
    ),
    "an unknown predictor": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: predictor\n"
        "      predictor: pesqnt\n      labels: pesqc2\n      init: { enhancer: first }\n",
        ["x.yaml:6", "r.stages.1.predictor", "no predictors entry 'pesqnt'", "did you mean 'pesqnet'"],
    ),
    "unknown labels": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n    - name: second\n      kind: predictor\n"
        "      predictor: pesqnet\n      labels: pesqc\n      init: { enhancer: first }\n",
        ["x.yaml:7", "r.stages.1.labels", "no metrics entry 'pesqc'", "did you mean 'pesqc2'"],
    ),
    "augmented whole utterances": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n      utterances: whole\n      augment: [remix]\n",
        ["x.yaml:5", "r.stages.0.augment", "an augmentation is of segments"],
    ),
    "a scale that changes a stage that no recipe has": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n  scales:\n    smoke:\n      stages:\n"
        "        trian: { epochs: 2 }\n",
        [
            "x.yaml:12",
            "s.scales.smoke.stages.trian",
            "no recipe of the study has a stage 'trian'",
            "did you mean 'train'",
        ],
    ),
    **{
        f"a scale that changes {change} of a stage that has none": (
            "studies/x.yaml",
            "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
            "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
            "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n  scales:\n    smoke:\n      stages:\n"
            f"        train:\n          lr_factor: 2\n          {change}: {value}\n",
            [
                "x.yaml:14",
                f"s.scales.smoke.stages.train.{change}",
                f"stage 'train' of recipe 'supervised' {why}",
                "accepted: mixtures, lr_factor",
            ],
        )
        for change, value, why in (
            ("hears", "both", "is of kind supervised"),
            ("patience", "2", "has a schedule that does not wait (cosine)"),
            ("epochs", "2", "is as long as the scale's `steps` say"),
        )
    },
    "a stage of more mixtures than there are": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n  scales:\n    smoke:\n"
        "      utterances: { train: 20 }\n      stages:\n        train: { mixtures: 21 }\n",
        ["x.yaml:13", "s.scales.smoke.stages.train.mixtures", "21 of 20", "accepted: 1 to 20"],
    ),
    "a scale that changes an unknown key of a stage": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n  scales:\n    smoke:\n      stages:\n"
        "        train: { epoch: 2 }\n",
        ["x.yaml:12", "unknown key 'epoch'", "did you mean 'epochs'"],
    ),
    "a scale that changes an unknown predictor": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n  scales:\n    smoke:\n      predictors:\n"
        "        pesqnt: { channels: 2 }\n",
        ["x.yaml:12", "no predictors entry 'pesqnt'", "did you mean 'pesqnet'"],
    ),
    "a scale that changes an unknown parameter of a predictor": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: { wsj0: builtin, dns3: builtin }\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: fcrn, loss: pesqnet_mse, recipe: pesqnet }\n"
        "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n  scales:\n    smoke:\n      predictors:\n"
        "        pesqnet: { chanels: 2 }\n",
        ["x.yaml:12", "no parameter 'chanels'", "did you mean 'channels'"],
    ),
    "conditions in both forms": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions:\n    snr_db: [0]\n    sets: { a: { snr_db: [5] } }\n",
        ["x.yaml:8", "s.conditions", "give `snr_db` (and `data`), or `sets`"],
    ),
    "no conditions": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions: {}\n",
        ["x.yaml:8", "s.conditions", "give `snr_db` (and `data`), or `sets`"],
    ),
    "a test set with an unknown mixing": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions:\n    sets:\n      a: { mixing: dns33 }\n",
        ["x.yaml:10", "s.conditions.sets.a.mixing", "no mixing entry 'dns33'", "did you mean 'dns3'"],
    ),
    "a test set that is neither mixed nor published": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions:\n    sets:\n      a: { mixing: none }\n",
        ["x.yaml:10", "s.conditions.sets.a", "`mixing: none` needs a `part`"],
    ),
    "SNRs of a published test set": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions:\n    sets:\n      a: { part: no_reverb, snr_db: [0] }\n",
        ["x.yaml:10", "s.conditions.sets.a", "taken as it was published"],
    ),
    "a table of agreement without predictors": (
        "studies/x.yaml",
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: mag_mse, recipe: supervised }\n"
        "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n  tables:\n"
        "    t: { title: t, type: agreement, metric: si_sdr }\n",
        ["x.yaml:10", "s.tables.t", "type agreement needs metric and predictors"],
    ),
    "unknown scheme of a schedule": (
        "recipes/x.yaml",
        "r:\n  stages:\n    - name: first\n      schedule: { type: cosin }\n",
        ["x.yaml:4", "found 'cosin'", "'cosine'"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_mistake_is_one_clear_error(folder: Path, mistake: str) -> None:
    file, text, expected = MISTAKES[mistake]
    (folder / file).write_text(text)
    found = problems(folder)
    assert len(found) == 1, found
    for part in expected:
        assert part in found[0]


def test_several_mistakes_are_reported_together(folder: Path) -> None:
    for index, mistake in enumerate(["unknown key", "wrong type of a key", "missing key"]):
        file, text, _ = MISTAKES[mistake]
        (folder / file.replace("x.yaml", f"x{index}.yaml")).write_text(text)
    assert len(problems(folder)) == 3


def test_a_loss_that_needs_what_the_model_cannot_give(folder: Path, tmp_path: Path) -> None:
    (folder / "studies" / "x.yaml").write_text(
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage2, loss: [l_c_04, mag_mse], recipe: supervised }\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr]\n"
    )
    with pytest.raises(ConfigError) as caught:
        build_plan(load_config(folder), "s", "smoke", None, Store(tmp_path / "results"))
    text = str(caught.value)
    assert "x.yaml:6" in text
    assert "needs gain" in text
    assert "does not see the phase" in text  # the magnitude MSE on a model with free phase


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("init: { stagee1: first }", ["recipes/x.yaml:4", "s.grid.0", "no part 'stagee1'", "did you mean 'stage1'"]),
        ("freeze: [decoder]", ["recipes/x.yaml:4", "s.grid.0", "no part 'decoder'"]),
        ("data: dns", ["studies/x.yaml:6", "the stage trains on 'dns'"]),
    ],
)
def test_what_a_stage_asks_of_its_model_and_study(
    folder: Path, tmp_path: Path, stage: str, expected: list[str]
) -> None:
    (folder / "recipes" / "x.yaml").write_text(
        f"r:\n  stages:\n    - {{ name: first, model: stage1, loss: mag_mse }}\n    - {{ name: second, {stage} }}\n"
    )
    (folder / "studies" / "x.yaml").write_text(
        "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: two_stage, loss: complex_mse, recipe: r }\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr]\n"
    )
    with pytest.raises(ConfigError) as caught:
        build_plan(load_config(folder), "s", "smoke", None, Store(tmp_path / "results"))
    for part in expected:
        assert part in str(caught.value)


def test_names_on_the_command_line(tmp_path: Path) -> None:
    config = load_config(SHIPPED)
    for arguments, word in (
        (("two_stag", "smoke", None), "two_stage"),
        (("two_stage", "smok", None), "smoke"),
        (("two_stage", "smoke", "builtn"), "builtin"),
    ):
        with pytest.raises(SebenchError, match=f"did you mean '{word}'"):
            build_plan(config, *arguments, Store(tmp_path / "results"))


def test_a_table_that_names_a_row_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    path = folder / "studies" / "two_stage.yaml"
    path.write_text(path.read_text().replace("        - Stage2(MSE)\n", "        - Stage2(MES)\n"))
    with pytest.raises(ConfigError, match=r"two_stage.yaml:\d+.*Stage2\(MES\)"):
        build_plan(load_config(folder), "two_stage", "smoke", None, Store(tmp_path / "results"))


def test_a_corpus_without_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEBENCH_RECORDINGS", str(tmp_path / "nowhere"))
    with pytest.raises(SebenchError, match=r"corpora.yaml:\d+.*SEBENCH_RECORDINGS"):
        build_plan(load_config(SHIPPED), "two_stage", "smoke", "recordings", Store(tmp_path / "results"))

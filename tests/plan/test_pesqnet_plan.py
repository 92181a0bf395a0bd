"""The plan of the study pesqnet: what its rows share, what a change makes new, and what gc keeps of its labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.artefacts import Store, content_id
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan
from sebench.plan.summary import summarise
from sebench.run.gc import unneeded

SHIPPED = Path(__file__).parents[2] / "config"
ALPHAS = tuple(f"FCRN/PESQNet alpha={alpha}" for alpha in ("0", "0.5", "1"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "config"))


def plan(folder: Path, scale: str = "smoke") -> Plan:
    return build_plan(load_config(folder), "pesqnet", scale, "builtin", Store(folder.parent / "results"))


def chains(found: Plan) -> dict[str, list[str]]:
    """Row -> ids of its stages."""
    return {cell.cell.label: [run.id for run in cell.chain] for cell in found.cells}


def replace(path: Path, old: str, new: str, count: int = -1) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


@pytest.mark.parametrize("scale", ["smoke", "demo", "paper"])
def test_four_stages_are_trained_once_for_all_rows(folder: Path, scale: str) -> None:
    found = plan(folder, scale)
    runs = chains(found)
    assert set(runs) == {"FCRN", *ALPHAS}
    seeds = found.amounts.seeds
    assert len(found.nodes.of_kind("run")) == (4 + 3) * seeds
    shared = {tuple(runs[label][:4]) for label in ALPHAS}
    assert len(shared) == 1
    assert len({runs[label][4] for label in ALPHAS}) == 3
    first, _, third, _ = next(iter(shared))
    assert runs["FCRN"] == [first, third], "the row FCRN is the model after step 3"
    kinds = [found.nodes[f"run:{run}"].spec["stage"]["kind"] for run in runs[ALPHAS[0]]]
    assert kinds == ["supervised", "predictor", "supervised", "predictor", "alternating"]


def test_stages_start_from_each_other_as_published(folder: Path) -> None:
    """Five stages: WSJ0, WSJ0, DNS3, DNS3, DNS3; the last one starts from both networks."""
    fcrn, pesqnet, tuned_fcrn, tuned_pesqnet, last = next(
        c for c in plan(folder).cells if c.cell.label == ALPHAS[1]
    ).chain
    starts = [
        {k: v for k, v in run.parents.items() if k.startswith("init:")}
        for run in (pesqnet, tuned_fcrn, tuned_pesqnet, last)
    ]
    assert starts == [
        {"init:enhancer": fcrn.key},
        {"init:": fcrn.key},
        {"init:": pesqnet.key, "init:enhancer": tuned_fcrn.key},
        {"init:": tuned_fcrn.key, "init:predictor": tuned_pesqnet.key},
    ]
    assert fcrn.parents["train"] == pesqnet.parents["train"] != tuned_fcrn.parents["train"] == last.parents["train"]
    assert all("loss" not in run.spec for run in (pesqnet, tuned_pesqnet))
    assert all("predictor" not in run.spec for run in (fcrn, tuned_fcrn))


def test_published_rates_epochs_and_batches(folder: Path) -> None:
    chain = next(c for c in plan(folder, "paper").cells if c.cell.label == ALPHAS[0]).chain
    stages = [run.spec["stage"] for run in chain]
    assert [stage["optimiser"]["lr"] for stage in stages] == [1e-4, 2e-4, 2e-5, 5e-5, 1e-6]
    assert stages[4]["predictor_optimiser"]["lr"] == 2e-6
    assert [stage["schedule"]["stop_lr"] for stage in stages] == [1e-5, 1e-5, 1e-6, 1e-6, None]
    assert [stage["schedule"]["patience"] for stage in stages[:4]] == [5] * 4
    assert all(stage["batch_size"] == 3 and stage["segment_seconds"] is None for stage in stages)
    assert stages[4]["steps"] == 25 * stages[4]["validate_every"]
    assert all(stage["labels"]["type"] == "pesqc2" for stage in (stages[1], stages[3], stages[4]))


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        (
            "losses/pesqnet.yaml",
            "pesqnet_mse: 0.5, pesqnet_predicted: 0.5",
            "pesqnet_mse: 0.4, pesqnet_predicted: 0.6",
            (1,),
        ),
        ("losses/pesqnet.yaml", "type: predicted_score", "type: predicted_score\n  params: { best: 4.5 }", (0, 1)),
        ("studies/pesqnet.yaml", "alternate: { epochs: 2 }", "alternate: { epochs: 4 }", (0, 1, 2)),
        ("studies/pesqnet.yaml", "alternate: { epochs: 2 }", "alternate: { epochs: 2, lr_factor: 3 }", (0, 1, 2)),
        ("recipes/recipes.yaml", "lr: 2.0e-6", "lr: 3.0e-6", (0, 1, 2)),
        ("recipes/recipes.yaml", "optimiser_state: keep", "optimiser_state: reset", (0, 1, 2)),
    ],
    ids=["alpha", "best score", "epochs", "rate", "rate of the predictor", "state of the optimisers"],
)
def test_what_only_the_last_stage_depends_on_makes_only_that_new(
    folder: Path, file: str, old: str, new: str, changed: tuple[int, ...]
) -> None:
    before = plan(folder)
    replace(folder / file, old, new)
    after = plan(folder)
    made = {key for key in after.nodes.by_key if key.startswith("run:") and key not in before.nodes.by_key}
    by_label = {cell.cell.label: cell.run.key for cell in after.cells}
    assert made == {by_label[ALPHAS[i]] for i in changed}


def test_a_stage_of_a_part_of_the_training_set(folder: Path) -> None:
    """Its epochs are of so many mixtures; other stages, and the set, are as they were."""
    before = plan(folder)
    replace(folder / "studies/pesqnet.yaml", "alternate: { epochs: 2 }", "alternate: { epochs: 2, mixtures: 3 }")
    after = plan(folder)
    chain = next(cell for cell in after.cells if cell.cell.label == ALPHAS[0]).chain
    assert [run.key in before.nodes.by_key for run in chain] == [True, True, True, True, False]
    stages = [run.spec["stage"] for run in chain]
    assert [stage.get("mixtures") for stage in stages] == [None, None, None, None, 3]
    assert [stage["validate_every"] for stage in stages] == [2, 2, 2, 2, 1]  # 6 and 3 mixtures in batches of 3
    assert {node.key for node in after.nodes.of_kind("set")} == {node.key for node in before.nodes.of_kind("set")}


def test_only_supervised_stages_train_on_several_devices(folder: Path) -> None:
    """The others train on one, and ask for the cores of one."""
    replace(folder / "studies/pesqnet.yaml", "      batch_size: 3\n", "      batch_size: 3\n      devices: 3\n")
    chain = next(c for c in plan(folder).cells if c.cell.label == ALPHAS[0]).chain
    assert [run.spec["stage"]["devices"] for run in chain] == [3, 1, 3, 1, 1]
    assert [run.hints["threads"] for run in chain] == [3, 1, 3, 1, 1]


def test_removed_final_checkpoints_of_one_row_are_trained_again_alone(folder: Path) -> None:
    """With every declared output there but those of one alpha's last stage, that run is all that is not complete."""
    found = plan(folder)
    store = Store(folder.parent / "results")
    for node in found.nodes.of_kind("run"):
        for path in store.outputs(node).values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert [node for node in found.nodes.of_kind("run") if not store.complete(node)] == []
    last = next(cell for cell in found.cells if cell.cell.label == ALPHAS[1])
    for path in store.outputs(last.run).values():
        path.unlink()
    assert [node.key for node in found.nodes.of_kind("run") if not store.complete(node)] == [last.run.key]


def test_tables_without_a_test_set_on_this_corpus_are_left_out_and_named(folder: Path) -> None:
    """The built-in corpus has no real recordings: Table V is not made, and the plan says so."""
    found = plan(folder)
    assert found.test_sets["real"] == []
    assert set(found.tables) == {"table1", "table2", "table3", "table4"}
    assert set(found.figures) == {"scatter", "epochs"}
    lines = list(summarise(load_config(folder), found, "builtin", Store(folder.parent / "results"), 2))
    assert any("table5" in line and "left out" in line for line in lines)


def test_tables_of_agreement_read_predictors_on_their_own_enhancer(folder: Path) -> None:
    found = plan(folder)
    fcrn, pesqnet, tuned_fcrn, tuned_pesqnet, _ = next(c for c in found.cells if c.cell.label == ALPHAS[0]).chain
    for table, run, enhancer in (("table1", pesqnet, fcrn), ("table2", tuned_pesqnet, tuned_fcrn)):
        for row in found.tables[table].spec["rows"]:
            (cell,) = row["cells"]
            assert cell["run"] == run.key
            for header, key in cell["predictions"].items():
                predictions = found.nodes[key]
                enhanced = found.nodes[predictions.parents["enhanced"]]
                scores = found.nodes[cell["scores"][header]]
                assert predictions.parents["run"] == run.key
                assert enhanced.parents["run"] == enhancer.key
                assert scores.parents == {"set": predictions.parents["set"], "enhanced": enhanced.key}
                assert found.nodes[cell["noisy_scores"][header]].parents == {"set": scores.parents["set"]}
                assert "enhanced" not in found.nodes[cell["noisy_predictions"][header]].parents
    rows = found.tables["table1"].spec["rows"]
    assert list(rows[0]["cells"][0]["predictions"]) == ["wsj0 0 dB", "wsj0 5 dB", "wsj0 10 dB"]


def test_every_column_of_a_history_can_be_shown(folder: Path) -> None:
    quantities = "{ loss/predicted_score: PESQNet, unlabelled: without a label, grad_norm: norm }"
    path = folder / "studies" / "pesqnet.yaml"
    replace(
        path,
        "{ valid_loss: loss (9), mae: MAE of PESQNet, measured: measured PESQ, predicted: predicted PESQ }",
        quantities,
    )
    shown = plan(folder).figures["epochs"].spec["quantities"]
    assert list(shown) == ["loss/predicted_score", "unlabelled", "grad_norm"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "stage: pretrain_pesqnet",
            "stage: pretrain_fcrn",
            ["table1", "no stage 'pretrain_fcrn'", "pretrain_pesqnet, finetune_pesqnet, alternate"],
        ),
        (
            "recipe: pesqnet, stage: pretrain",
            "recipe: pesqnt, stage: pretrain",
            ["no recipe 'pesqnt'", "did you mean 'pesqnet'"],
        ),
        ("over: [wsj0] }", "over: [wsjo] }", ["no over 'wsjo'", "did you mean 'wsj0'"]),
        (
            "tables: [table1, table2]",
            "tables: [table1, table3]",
            ["figures.scatter", "no table of agreement 'table3'", "table1, table2"],
        ),
        (
            "alpha=0: FCRN/PESQNet alpha=0,",
            "alpha=0: FCRN,",
            ["figures.epochs", "ends in a stage of whole epochs 'FCRN'", "alpha=0.5"],
        ),
        (
            "mae: MAE of PESQNet",
            "maee: MAE of PESQNet",
            ["figures.epochs.quantities.maee", "no column of history.json 'maee'", "did you mean 'mae'"],
        ),
        (
            "data: wsj0, snr_db",
            "data: wsj, snr_db",
            ["conditions.sets.wsj0.data", "no role 'wsj'", "wsj0, dns3", "did you mean 'wsj0'"],
        ),
    ],
)
def test_names_that_the_study_does_not_have(folder: Path, old: str, new: str, expected: list[str]) -> None:
    replace(folder / "studies" / "pesqnet.yaml", old, new)
    with pytest.raises(ConfigError) as caught:
        plan(folder)
    for part in [*expected, "pesqnet.yaml:"]:
        assert part in str(caught.value)


def test_a_test_set_is_a_condition_or_one_for_each_snr(folder: Path) -> None:
    found = plan(folder)
    assert found.headers == [
        "wsj0 0 dB", "wsj0 5 dB", "wsj0 10 dB", "no_reverb", "with_reverb", "dns2",
    ]  # fmt: skip
    assert found.test_sets["wsj0"] == ["wsj0 0 dB", "wsj0 5 dB", "wsj0 10 dB"]
    mixings = {name: each.drawn.mixtures.spec["mixing"] for name, each in found.conditions.items()}
    assert mixings["wsj0-snr5"]["snr_db"] == 5.0
    assert mixings["no_reverb"]["snr_db"] == {"uniform": [0.0, 19.0]}
    assert mixings["with_reverb"]["reverberation"]["probability"] == 1.0
    assert mixings["no_reverb"]["reverberation"] is None
    assert len({each.node.key for each in found.conditions.values()}) == 6


def test_a_scale_computes_some_snrs_and_all_other_sets(folder: Path) -> None:
    replace(folder / "studies" / "pesqnet.yaml", "      batch_size: 3\n", "      batch_size: 3\n      snr_db: [5]\n", 1)
    assert plan(folder).headers == ["wsj0 5 dB", "no_reverb", "with_reverb", "dns2"]


def test_footers_tell_what_each_kind_of_stage_was_given(folder: Path) -> None:
    told = plan(folder, "demo").tables["table3"].spec["footer"]
    assert told["amounts"] == (
        "1200 or 300 training mixtures, steps of 3 whole utterances of at most 4 s, 1 seed, 32 test mixtures per "
        "condition"
    )
    assert told["selection"] == (
        "supervised stages: best of at most 3 or 2 validations by loss; "
        "predictor stages: best of at most 5 validations by squared error; "
        "alternating stages: best of 3 validations by loss, those after the model's own epochs; "
        "all on 36 utterances of the validation split; the test split is never looked at before scoring"
    )
    smoke = plan(folder).tables["table3"].spec["footer"]
    assert "best of at most 1 validation by loss" in smoke["selection"]


def test_footers_tell_segments_from_whole_utterances(folder: Path) -> None:
    replace(folder / "recipes" / "recipes.yaml", "utterances: whole\n      epochs: 200", "epochs: 200", 1)
    told = plan(folder, "demo").tables["table3"].spec["footer"]["amounts"]
    whole = "3 whole utterances of at most 4 s"
    assert f"steps of 3 x 3 s or {whole} (supervised stages) and of {whole} (predictor and alternating stages)," in told


def test_footers_of_one_kind_of_stage(folder: Path) -> None:
    found = build_plan(load_config(folder), "two_stage", "demo", "builtin", Store(folder.parent / "results"))
    told = found.tables["pesq"].spec["footer"]
    assert ", steps of 16 x 3 s, 1 seed, " in told["amounts"]
    assert told["selection"].startswith("best of 4 validations by ")
    assert "; all on" not in told["selection"]


def test_gc_keeps_labels_that_a_study_uses(folder: Path) -> None:
    for path in (folder / "studies").glob("*.yaml"):
        if path.stem != "pesqnet":
            path.unlink()
    (folder / "config.yaml").write_text("study: [pesqnet]\n")
    store = Store(folder.parent / "results")
    used = plan(folder).cells[-1].run.spec["stage"]["labels"]
    kept, other = (store.root / "state" / "labels" / name for name in (content_id(used), "0123456789"))
    for path in (kept, other):
        path.mkdir(parents=True)
        (path / "run-1.tsv").write_text("0" * 32 + "\t-\n")
    found, _ = unneeded(load_config(folder), store)
    assert [item.path for item in found] == [other]
    assert found[0].size == 35

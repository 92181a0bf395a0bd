"""Sweeps and what is chosen from them: which cells there are, what is scored, what makes what new."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "config")
    return tmp_path / "config"


def plan(folder: Path, scale: str = "smoke") -> Plan:
    return build_plan(load_config(folder), "braun_losses", scale, "builtin", Store(folder.parent / "results"))


def test_the_whole_grid_is_that_of_the_paper(folder: Path) -> None:
    found = plan(folder, "paper")
    cells = {cell.cell.label for cell in found.cells}
    assert len(cells) == 5 * 11 + 9 + 6
    assert len(found.nodes.of_kind("run")) == 3 * len(cells)


def test_only_the_ends_and_the_chosen_are_scored(folder: Path) -> None:
    found = plan(folder)
    tested = {cell.cell.label for cell in found.cells if cell.cell.tested}
    assert {"Comp beta=0", "Comp beta=1", "lsd"} < tested
    assert not tested & {"Comp beta=0.5", "SDW lambda=0.3", "SDW lambda=0.6"}
    assert all(bool(cell.enhanced) == cell.cell.tested for cell in found.cells)
    conditions = len(found.conditions)
    assert len(found.nodes.of_kind("enhanced")) == conditions * (len(tested) + len(found.choices))


def test_a_choice_names_all_that_can_win(folder: Path) -> None:
    found = plan(folder)
    choice = found.choices["Comp combined"].node
    runs = {cell.run.key for cell in found.cells if cell.cell.label.startswith("Comp ")}
    assert set(choice.parents.values()) == runs
    assert choice.spec["values"] == ["0", "0.5", "1"]
    enhanced = next(iter(found.choices["Comp combined"].by_seed[0].enhanced.values()))
    assert {choice.key, *runs} < set(enhanced.parents.values())


def test_one_value_makes_its_run_and_its_choice_new(folder: Path) -> None:
    """Changing one beta: that cell, what is chosen from it, and the tables; nothing else."""
    losses = folder / "losses" / "braun.yaml"
    swept = "complex: complex_comp }\n  sweep: { beta: { from: 0, to: 1, step: 0.1 } }"
    study = folder / "studies" / "braun_losses.yaml"
    listed = swept.replace("{ from: 0, to: 1, step: 0.1 }", "[0, 0.5, 1]")
    losses.write_text(losses.read_text().replace(swept, listed))
    study.write_text(study.read_text().replace("beta: [0, 0.5, 1]", "beta: [0, 0.5, 0.6, 1]"))
    before = plan(folder)
    losses.write_text(losses.read_text().replace(listed, listed.replace("0.5", "0.6")))
    after = plan(folder)
    new = Counter(key.partition(":")[0] for key in after.nodes.by_key.keys() - before.nodes.by_key.keys())
    conditions = len(after.conditions)
    assert new == {
        "run": 1, "choice": 1, "enhanced": conditions, "scores": conditions, "table": 1, "figure": 1, "publication": 1
    }  # fmt: skip


def test_a_choice_without_cells_is_refused(folder: Path) -> None:
    path = folder / "studies" / "braun_losses.yaml"
    path.write_text(path.read_text().replace("braun_snr, braun_corr]", "braun_snr]"))
    with pytest.raises(ConfigError, match="'braun_corr' is trained by no block of the grid"):
        plan(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    SDW: {", "    Noisy: {", "a row is called 'Noisy' already"),
        ("    SDW: {", "    lsd: {", "a row is called 'lsd' already"),
        (
            "complex_mse_amr], recipe: braun }",
            "complex_mse_amr, braun_comp@0.5], recipe: braun, seed: [0, 7] }",
            "braun_comp@0 has no seed 7",
        ),
    ],
)
def test_choices_that_cannot_be(folder: Path, old: str, new: str, message: str) -> None:
    path = folder / "studies" / "braun_losses.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        plan(folder)


def test_a_recipe_that_keeps_its_last_weights_cannot_be_chosen_from(folder: Path) -> None:
    path = folder / "recipes" / "recipes.yaml"
    path.write_text(path.read_text().replace("weight_decay: 1.0e-2 }", "weight_decay: 1.0e-2 }\n      keep: last"))
    with pytest.raises(ConfigError, match="publishes its last weights"):
        plan(folder)


def test_a_row_must_not_be_called_as_the_unprocessed_signals_are(folder: Path) -> None:
    path = folder / "losses" / "x.yaml"
    path.write_text("named:\n  type: lsd\n  label: Noisy\n")
    study = folder / "studies" / "braun_losses.yaml"
    study.write_text(study.read_text().replace("loss: [lsd, plsd", "loss: [lsd, named, plsd"))
    with pytest.raises(ConfigError, match="a row is called 'Noisy'"):
        plan(folder)


def test_the_ends_are_those_that_a_scale_computes(folder: Path) -> None:
    study = folder / "studies" / "braun_losses.yaml"
    text = study.read_text().replace("beta: [0, 0.5, 1]", "beta: [0.3, 0.5, 0.8]")
    for place in ("MSE", "MAE", "Comp", "SNR/SDR", "Corr"):
        text = text.replace(f"{place} beta=0,", f"{place} beta=0.3,").replace(f"{place} beta=1,", f"{place} beta=0.8,")
    study.write_text(text)
    tested = {cell.cell.label for cell in plan(folder).cells if cell.cell.tested}
    assert {"Comp beta=0.3", "Comp beta=0.8"} < tested
    assert "Comp beta=0.5" not in tested

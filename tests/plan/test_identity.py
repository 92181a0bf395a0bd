"""What makes a run new, and what does not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "config")
    return tmp_path / "config"


def plan(folder: Path, study: str = "two_stage", scale: str = "smoke") -> Plan:
    return build_plan(load_config(folder), study, scale, "builtin", Store(folder.parent / "results"))


def runs(found: Plan) -> dict[str, str]:
    """Label -> id of the run that the row ends in."""
    return {cell.cell.label: cell.run.id for cell in found.cells}


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_stage1_is_trained_once_for_two_tables_and_three_recipes(folder: Path) -> None:
    found = plan(folder)
    stage1 = {cell.cell.label: cell for cell in found.cells}["Stage1(MSE)"].run
    joint = [cell for cell in found.cells if cell.cell.model == "two_stage"]
    assert all(cell.chain[0].id == stage1.id for cell in joint)
    assert len(found.nodes.of_kind("run")) == 11
    read = [found.tables[name].parents for name in ("pesq", "proposed_loss")]
    assert stage1.key in read[0]
    assert stage1.key in read[1]


def test_cosmetics_make_nothing_new(folder: Path) -> None:
    before = set(plan(folder).nodes.by_key)
    for path in folder.rglob("*.yaml"):
        data = yaml.safe_load(path.read_text())
        text = yaml.safe_dump(_reversed(data), sort_keys=False, indent=6)
        path.write_text("# a comment\n\n" + text.replace("\n", "\n\n"))
    # A table lists rows and columns in the order it is given: its id may change, what is computed may not.
    display = ("table", "figure", "publication")
    after = set(plan(folder).nodes.by_key)
    assert {key for key in before if not key.startswith(display)} == {
        key for key in after if not key.startswith(display)
    }


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _reversed(part) for key, part in reversed(value.items())}
    return [_reversed(part) for part in value] if isinstance(value, list) else value


def test_one_weight_makes_exactly_its_runs_new(folder: Path) -> None:
    before = runs(plan(folder))
    replace(folder / "losses" / "two_stage.yaml", "complex_mse: 0.02", "complex_mse: 0.03")
    after = runs(plan(folder))
    changed = {label for label in before if before[label] != after[label]}
    assert changed == {"Stage2(-SISNR+0.02*MSE)", "Two-stages(-SISNR+0.02*MSE)"}


def test_an_integer_and_its_float_are_one(folder: Path) -> None:
    before = runs(plan(folder))
    replace(folder / "losses" / "two_stage.yaml", "neg_si_snr: 1.0", "neg_si_snr: 1")
    assert runs(plan(folder)) == before


def test_a_parameter_at_its_default_makes_nothing_new(folder: Path) -> None:
    before = runs(plan(folder))
    text = (folder / "models" / "two_stage.yaml").read_text()
    (folder / "models" / "two_stage.yaml").write_text(
        re.sub(r"(type: stage1\n)", r"\1  label: Stage1\n", text, count=0)
    )
    data = yaml.safe_load((folder / "models" / "two_stage.yaml").read_text())
    data["stage1"]["params"] = {"hidden": 56}
    (folder / "models" / "two_stage.yaml").write_text(yaml.safe_dump(data))
    assert runs(plan(folder)) == before


def test_a_new_snr_makes_one_new_set_and_no_run(folder: Path) -> None:
    before = plan(folder)
    replace(folder / "studies" / "two_stage.yaml", "[-5, 0, 5, 10, 15]", "[-5, 0, 5, 10, 15, 20]")
    after = plan(folder)
    new = [node for key, node in after.nodes.by_key.items() if key not in before.nodes.by_key]
    kinds = [node.kind for node in new]
    assert kinds.count("set") == 1
    assert kinds.count("run") == 0
    assert kinds.count("enhanced") == 11


def test_a_new_metric_makes_scores_new_and_nothing_before(folder: Path) -> None:
    before = plan(folder)
    replace(folder / "studies" / "two_stage.yaml", "stoi, estoi, si_sdr", "stoi, si_sdr")
    replace(folder / "studies" / "two_stage.yaml", "stoi, estoi, pesq_wb", "stoi, pesq_wb")
    after = plan(folder)
    kinds = {node.kind for key, node in after.nodes.by_key.items() if key not in before.nodes.by_key}
    assert kinds == {"scores", "table", "publication"}


def test_seeds_and_scales_are_part_of_a_run(folder: Path) -> None:
    smoke, demo = runs(plan(folder)), runs(plan(folder, scale="demo"))
    assert not set(smoke.values()) & set(demo.values())


def test_the_ends_of_a_mix_are_the_pure_losses(folder: Path) -> None:
    (folder / "losses" / "mix.yaml").write_text(
        "at0:\n  mix: { magnitude: mag_mse, complex: complex_mse, beta: 0.0 }\n"
        "at1:\n  mix: { magnitude: mag_mse, complex: complex_mse, beta: 1.0 }\n"
        "at3:\n  mix: { magnitude: mag_mse, complex: complex_mse, beta: 0.3 }\n"
    )
    (folder / "studies" / "mix.yaml").write_text(
        "mix:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - product: { model: stage1, loss: [at0, at1, at3], recipe: supervised }\n"
        "    - { product: { model: stage1, loss: mag_mse, recipe: supervised }, label: magnitude }\n"
        "    - { product: { model: stage1, loss: complex_mse, recipe: supervised }, label: complex }\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr]\n  select: { by: pesq_nb }\n"
    )
    found = {cell.cell.loss: cell.run.id for cell in plan(folder, "mix").cells}
    assert found["at0"] == found["mag_mse"]
    assert found["at1"] == found["complex_mse"]
    assert len(set(found.values())) == 3
    # and the study shares its run with the other study
    assert found["mag_mse"] == runs(plan(folder))["Stage1(MSE)"]


def test_equal_ids_have_equal_paths(folder: Path) -> None:
    """A node that two plans share must lie where both look for it, whatever they call their corpus."""
    (folder / "corpora" / "other.yaml").write_text("other: { type: builtin }\n")
    store = Store(folder.parent / "results")
    config = load_config(folder)
    first, second = (
        build_plan(config, "two_stage", "smoke", name, store).nodes.by_key for name in ("builtin", "other")
    )
    shared = first.keys() & second.keys()
    assert {key.partition(":")[0] for key in shared} >= {"corpus", "set", "run", "enhanced", "scores", "figure"}
    for key in shared:
        assert store.outputs(first[key]) == store.outputs(second[key])


def test_grid_forms(folder: Path) -> None:
    (folder / "studies" / "forms.yaml").write_text(
        "forms:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
        "    - zip: { model: [stage1, stage2], loss: [mag_mse, complex_mse] }\n"
        "      product: { recipe: supervised, seed: [3, 4] }\n"
        "    - product: { model: [stage1, stage2], loss: [neg_si_snr], recipe: supervised }\n"
        "  exclude:\n    - { model: stage2, loss: neg_si_snr, reason: it diverges }\n"
        "  conditions: { snr_db: [0] }\n  metrics: [si_sdr]\n"
    )
    found = plan(folder, "forms")
    cells = [(c.cell.model, c.cell.loss, c.cell.seed) for c in found.cells]
    assert cells == [
        ("stage1", "mag_mse", 3),
        ("stage2", "complex_mse", 3),
        ("stage1", "mag_mse", 4),
        ("stage2", "complex_mse", 4),
        ("stage1", "neg_si_snr", 0),
    ]
    assert [(e.label, e.reason) for e in found.excluded] == [("Stage2(-SISNR)", "it diverges")]


def test_planning_writes_nothing_and_imports_no_torch(folder: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from sebench.config.load import load_config; from sebench.plan.build import build_plan;"
        "from sebench.artefacts import Store;"
        f"store = Store({str(folder.parent / 'results')!r});"
        f"build_plan(load_config({str(folder)!r}), 'two_stage', 'smoke', None, store);"
        "heavy = {'torch', 'pandas', 'scipy', 'matplotlib', 'librosa'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (folder.parent / "results").exists()


def test_each_scale_of_each_study_can_be_planned() -> None:
    config = load_config(SHIPPED)
    for study in config.sections["studies"]:
        for scale in config.sections["scales"]:
            assert build_plan(config, study, scale, "builtin", Store("nowhere")).cells

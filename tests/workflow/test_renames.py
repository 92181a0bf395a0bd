"""What is called differently is not made again, and what shows its name is found under the new one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from repo import STUDY, Repo

from sebench.artefacts import Node, Store

SHOWN = ("table", "figure", "publication")


def entry(repo: Repo, section: str, old: str, new: str) -> None:
    """Give an entry of `config/` another name."""
    for path in (repo.config / section).glob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if old in content:
            content = {new if name == old else name: value for name, value in content.items()}
            path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
            return
    raise AssertionError(f"no {section} entry {old}")


def first(**axes: Any) -> list[Any]:
    return [{**STUDY["grid"][0], "product": {**STUDY["grid"][0]["product"], **axes}}, STUDY["grid"][1]]


def tables(repo: Repo) -> None:
    found = {f"{name}2": layout for name, layout in STUDY["tables"].items()}
    repo.change_study(tables=found)


def swapped_tables(repo: Repo) -> None:
    (one, other) = STUDY["tables"]
    repo.change_study(tables={one: STUDY["tables"][other], other: STUDY["tables"][one]})


def figures(repo: Repo) -> None:
    repo.change_study(figures={"one_utterance": STUDY["figures"]["spectrograms"]})


def loss(repo: Repo) -> None:
    entry(repo, "losses", "mag_mse", "mine")
    repo.change_study(grid=first(loss=["mine"]))


def loss_label(repo: Repo) -> None:
    repo.edit("config/losses/two_stage.yaml", "label: MSE\n", "label: Mean square\n")
    title, label = "Stage1(MSE)", "Stage1(Mean square)"
    renamed = yaml.safe_load(yaml.safe_dump({key: STUDY[key] for key in ("tables", "figures")}).replace(title, label))
    repo.change_study(**renamed)


def row(repo: Repo) -> None:
    renamed = yaml.safe_load(
        yaml.safe_dump({key: STUDY[key] for key in ("tables", "figures")}).replace("Stage1(MSE)", "First row")
    )
    repo.change_study(grid=[{**STUDY["grid"][0], "label": "First row"}, STUDY["grid"][1]], **renamed)


def recipe(repo: Repo) -> None:
    entry(repo, "recipes", "supervised", "plain")
    repo.change_study(grid=first(recipe="plain"))
    for path in (repo.config / "studies").glob("*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("supervised", "plain"), encoding="utf-8")


def model(repo: Repo) -> None:
    entry(repo, "models", "stage1", "first_stage")
    repo.change_study(grid=first(model="first_stage"))
    alone(repo)


def mixing(repo: Repo) -> None:
    entry(repo, "mixing", "two_stage", "streets")
    repo.change_study(mixing="streets")
    alone(repo)


def stage(repo: Repo) -> None:
    path = repo.config / "recipes" / "recipes.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["supervised"]["stages"][0]["name"] = "only"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    alone(repo)


def alone(repo: Repo) -> None:
    """Other studies and recipes go, which would name the entry as it was."""
    for path in (repo.config / "studies").glob("*.yaml"):
        if path.stem != "tiny":
            path.unlink()
    path = repo.config / "recipes" / "recipes.yaml"
    text = path.read_text(encoding="utf-8").replace("model: stage1", "model: first_stage")
    if (repo.config / "models" / "two_stage.yaml").read_text(encoding="utf-8").count("first_stage"):
        path.write_text(text, encoding="utf-8")


def corpus(repo: Repo) -> None:
    entry(repo, "corpora", "tiny", "my_voices")
    repo.change_study(corpus="my_voices")


def condition_set(repo: Repo) -> None:
    repo.change_study(conditions={"sets": {"mine": {"snr_db": STUDY["conditions"]["snr_db"]}}})
    repo.change_study(figures={})


def scale(repo: Repo) -> None:
    entry(repo, "scales", "smoke", "tiny")
    repo.change_study(scales={"tiny": STUDY["scales"]["smoke"]})
    for path in (repo.config / "studies").glob("*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("    smoke:\n", "    tiny:\n"), encoding="utf-8")


RENAMES: list[Callable[[Repo], None]] = [
    tables,
    swapped_tables,
    figures,
    loss,
    loss_label,
    row,
    recipe,
    model,
    mixing,
    stage,
    corpus,
    condition_set,
    scale,
]


@pytest.fixture
def planned(tmp_path: Path) -> Repo:
    """A repository whose store has a file for everything that the study makes."""
    repo = Repo.create(tmp_path / "repo")
    for node in repo.plan().nodes.by_key.values():
        repo.store.freeze(node)
        for path in repo.store.outputs(node).values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return repo


@pytest.mark.parametrize("rename", RENAMES, ids=[rename.__name__ for rename in RENAMES])
def test_a_rename_leaves_what_was_computed_and_jobs_look_where_the_plan_does(
    planned: Repo, rename: Callable[[Repo], None]
) -> None:
    before = {node.key for node in planned.plan().nodes.by_key.values()}
    rename(planned)
    found = planned.plan("tiny" if rename is scale else "smoke").nodes.by_key
    computed = {node.key for node in found.values() if node.kind not in SHOWN}
    assert computed <= before
    assert [key for key in computed if not planned.store.complete(found[key])] == []
    for node in found.values():
        planned.store.freeze(node)
    fresh = Store(planned.store.root)  # as a job has it
    for node in found.values():
        assert fresh.folder(fresh.load(node.key)) == planned.store.folder(node)
        assert fresh.load(node.key).hints == node.hints


@pytest.mark.slow
def test_a_finished_study_with_renamed_tables_and_figures_is_shown_again_and_nothing_else_is_done(repo: Repo) -> None:
    tables(repo)
    figures(repo)
    done = repo.run()
    assert set(repo.done_jobs()) <= {"table", "figure", "publish"}
    assert "# Quality" in done.out
    names = {path.name for path in repo.place.iterdir() if not path.name.startswith(".")}
    assert {"quality2.md", "size2.md", "one_utterance.png"} <= names
    assert not any(name.startswith(("quality.", "size.", "spectrograms.")) for name in names)
    assert repo.jobs() == []


def test_a_frozen_file_that_says_the_same_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    node = Node("table", "study-old", {"a": [1, 2]}, {"x": "scores:1"}, {"threads": 1})
    store.freeze(node)
    path = store.frozen_path("table", node.id)
    before = path.stat().st_ino
    store.freeze(node)
    assert path.stat().st_ino == before
    folder = store.folder(node)
    folder.mkdir(parents=True)
    (folder / "table.md").write_text("kept")
    renamed = Node("table", "study-new", node.spec, node.parents, node.hints)
    store.freeze(renamed)
    assert Store(tmp_path).load(node.key) == renamed
    assert (store.folder(renamed) / "table.md").read_text() == "kept"
    assert not folder.exists()
    shutil.rmtree(store.folder(renamed))

"""A study on a package's own kinds, one file each and no edit inside sebench, from recordings to table and figure."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import outside
import outside_kinds
import pytest
import torch
from built_once import built_once
from repo import Repo, assert_same, contents

from sebench.config.items import build
from sebench.contracts import discriminator, extractor
from sebench.files import read_json, read_parquet
from sebench.run.steps import make as make_node
from sebench.synthesis.mixture import render_mixture
from sebench.synthesis.store import AudioStore
from sebench.training import contract

STAGE = "adversary.stages:Adversarial"
EXTRACTOR = "adversary.extractors:Envelope"


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    """The study, each of its nodes made by its step, and its package on the path of this process; not to be changed."""

    def make(folder: Path) -> None:
        repo = Repo.create(folder / "repo")
        outside_kinds.install(repo)
        with outside.in_this_process(repo), contextlib.chdir(repo.folder):
            for node in repo.plan().nodes.by_key.values():
                repo.store.freeze(node)
                if node.kind == "corpus":
                    repo.store.set_location(node.id, repo.recordings)
                make_node(node, repo.store, 1)

    repo = Repo(built_once(tmp_path_factory, "outside kinds", make) / "repo")
    with outside.in_this_process(repo):
        yield repo


def test_the_degradation_changed_what_is_heard_and_not_the_target(study: Repo) -> None:
    leaks = set()
    for node in study.nodes("set"):
        index = read_parquet(study.store.outputs(node)["index.parquet"])
        audio = AudioStore.open(study.store, node)
        for position, row in enumerate(index.to_dict("records")):
            (drawn,) = json.loads(row["degradations"])
            assert drawn["type"] == "adversary.degradations:Rectifier"
            leaks.add(drawn["params"]["leak"])
            before = render_mixture(row | {"degradations": ""}, study.recordings)
            expected = np.where(before["noisy"] < 0, drawn["params"]["leak"] * before["noisy"], before["noisy"])
            found = audio.row(position)
            assert found["noisy"] == pytest.approx(expected, abs=1e-6)
            assert np.array_equal(found["clean"], before["clean"])
    assert leaks == {0.25, 0.5}


def test_each_term_of_the_stage_is_a_curve_in_its_history_and_in_the_figure(study: Repo) -> None:
    (run,) = study.nodes("run")
    report = read_json(study.store.outputs(run)["run.json"])
    assert report["status"] == "ok"
    history = read_json(study.store.outputs(run)["history.json"])
    assert history[-1]["step"] == 3
    for row in history:
        assert row["loss"] == pytest.approx(row["fidelity"] + 0.25 * row["adversarial"] + row["features"], rel=1e-5)
        assert min(row[name] for name in ("fidelity", "adversarial", "features", "discriminator_norm")) > 0
        assert 0 < row["discriminator"] < 4
    rows = list(csv.DictReader((study.place / "curves.csv").read_text().splitlines()))
    columns = ("step", "fidelity", "discriminator", "discriminator_norm")
    assert [{name: float(row[name]) for name in columns} for row in rows] == [
        {name: row[name] for name in columns} for row in history
    ]
    assert (study.place / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_column_shows_its_value_beside_the_scores(study: Repo) -> None:
    table = read_json(study.place / "quality.json")
    rows = dict(zip(table["rows"], table["values"], strict=True))
    place = [column["name"] for column in table["columns"]].index("Segments")
    assert rows["Adversarial"][place]["ours"] == 3 * 2
    assert rows["Noisy"][place]["reason"] == "not trained here"
    assert all(value["ours"] is not None for value in rows["Adversarial"])


def test_a_changed_extractor_is_another_run_of_the_same_sets(study: Repo, tmp_path: Path) -> None:
    (before,) = study.nodes("run")
    path = study.folder / "outside" / "adversary" / "extractors.py"
    text = path.read_text()
    try:
        path.write_text(text.replace("square()", "abs()"))
        (after,) = study.nodes("run")
    finally:
        path.write_text(text)
    assert (after.id != before.id, after.parents) == (True, before.parents)


def test_its_networks_hold_the_contracts_of_their_kinds(study: Repo) -> None:
    cpu = torch.device("cpu")
    assert discriminator.broken("frames", lambda: build({"type": "frames", "params": {}}, "discriminator"), cpu) == ""
    assert extractor.broken(EXTRACTOR, lambda: build({"type": EXTRACTOR, "params": {}}, "extractor"), cpu) == ""


@pytest.mark.parametrize(
    "check",
    [pytest.param(c, marks=pytest.mark.slow if c is contract.check_interruption else ()) for c in contract.CHECKS],
    ids=lambda check: check.__name__,
)
def test_its_stage_holds_the_contract_of_all(study: Repo, tmp_path: Path, check: contract.Check) -> None:
    given = {"extractor": {"type": EXTRACTOR, "params": {}}, "discriminator": {"type": "frames", "params": {}}}
    assert check(contract.Subject(STAGE, tmp_path, given)) == ""


@pytest.mark.slow
def test_jobs_of_snakemake_make_the_same(study: Repo, tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "repo")
    outside_kinds.install(repo)
    repo.run()
    assert_same(contents(repo.store), contents(study.store))

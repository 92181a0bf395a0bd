"""A checkout and results under any path that a person has."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo import Repo

from sebench.errors import SebenchError
from sebench.process.cluster import check_folders
from sebench.run.workflow import Workflow, without_braces

CHECKOUT = 'It\'s "my" $b (1), größe'
RESULTS = 'My Drive (1)\'s {stem} "q" $(touch X); #'


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def odd(tmp_path: Path) -> Repo:
    return Repo.create(tmp_path / CHECKOUT / "re po")


@pytest.mark.slow
def test_jobs_run_under_any_path_and_leave_nothing_beside_it(odd: Repo) -> None:
    before = names(odd.folder)
    results = odd.folder.parent / RESULTS / "results"
    odd.environment["DRIVE"] = str(results.parent)
    odd.write("config/config.yaml", "study: [tiny]\nscale: smoke\nresults: ${DRIVE}/results\n")
    odd.run("--snakemake", "--until complexity")
    assert len(list(results.glob("complexity/*/complexity.json"))) == 2
    assert len(list(results.glob("logs/complexity/*.log"))) == 1
    assert names(odd.folder) == before | {".snakemake"}
    assert names(odd.folder.parent) == {RESULTS, "re po"}
    assert names(odd.folder.parent.parent) == {CHECKOUT}


def test_results_with_braces_have_a_name_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert without_braces(Path("a b/results")) == Path("a b/results")
    root = tmp_path / "{stem}" / "results"
    found = without_braces(root)
    assert found == without_braces(root)
    root.mkdir(parents=True)
    (root / "x").touch()
    assert "{" not in str(found)
    assert (found / "x").exists()


def test_a_working_folder_with_braces_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a {b}"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(SebenchError, match=r"a \{b\}: Snakemake takes the braces"):
        Workflow({}, inside_job=True)


@pytest.mark.parametrize("name", ["it's", 'a "b"', "$HOME", "100%", "a`b`", "back\\slash", "{x}"])
def test_what_a_submission_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(SebenchError, match="Slurm's submission"):
        check_folders([Path("/home") / name / "results"])


def test_a_submission_takes_spaces_and_letters() -> None:
    check_folders([Path("/home/My Drive (1)/größe, 2; #3")])

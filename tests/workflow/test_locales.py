"""Terminals and locales that are not UTF-8: no command ends in an error about a character."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from repo import Repo, kill_session

from sebench.locales import plain

#: A POSIX locale, as Python meets it where it is told not to help itself.
POSIX = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A clone without results, whose recordings lie in a folder with an accent."""
    repo = Repo.create(tmp_path_factory.mktemp("locales") / "repo")
    repo.recordings.rename(repo.folder / "Geräusche")
    repo.edit("config/corpora/tiny.yaml", "root: recordings", "root: Geräusche")
    repo.change_study(title="Größe → Zahl")
    return repo


def said(repo: Repo, environment: dict[str, str], *words: str) -> tuple[int, bytes, bytes]:
    process = Repo.popen(
        _with(repo, environment), "sebench", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="latin-1"
    )
    try:
        out, err = process.communicate(timeout=400)
    finally:
        kill_session(process.pid)
    return process.returncode, out.encode("latin-1"), err.encode("latin-1")


def _with(repo: Repo, environment: dict[str, str]) -> Repo:
    made = Repo(repo.folder)
    made.environment = environment
    return made


def test_what_stands_for_a_sign() -> None:
    assert plain("Größe – 5 × 3 → …") == "Gro?e - 5 x 3 -> ..."


@pytest.mark.parametrize(
    ("environment", "encoding", "title"),
    [
        (POSIX, "ascii", "Gro?e -> Zahl"),
        ({"PYTHONIOENCODING": "ascii"}, "ascii", "Gro?e -> Zahl"),
        ({"PYTHONIOENCODING": "latin-1"}, "latin-1", "Größe -> Zahl"),
    ],
    ids=["POSIX", "ascii", "latin-1"],
)
def test_a_plan_in_any_locale(clone: Repo, environment: dict[str, str], encoding: str, title: str) -> None:
    code, out, err = said(clone, environment, "plan")
    assert code == 0, err
    assert out.decode(encoding).startswith(f"tiny: {title}\n")


def test_tables_in_a_posix_locale(clone: Repo) -> None:
    code, out, err = said(clone, POSIX, "table")
    assert code == 0, err
    assert "| Noisy" in out.decode("ascii")
    code, out, err = said(clone, POSIX, "table", "--format", "json", "--table", "quality")
    assert code == 0, err
    assert json.loads(out.decode("utf-8"))["title"] == "Quality"


@pytest.mark.slow
def test_a_run_in_a_posix_locale(clone: Repo, tmp_path: Path) -> None:
    repo = clone.copy(tmp_path / "repo")
    repo.change_study(
        tables={
            "quality": {"title": "Größe – „Güte“", "type": "conditions", "metric": "si_sdr", "extra": []},
        },
        figures={},
    )
    code, out, err = said(repo, POSIX, "run", "-c", "2")
    assert code == 0, out + err
    assert "Größe – „Güte“" in (repo.place / "quality.md").read_text(encoding="utf-8")

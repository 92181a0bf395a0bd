"""A finished store, made once; tests that change something take a copy."""

from __future__ import annotations

from pathlib import Path

import outside
import pytest
from repo import Done, Repo


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repo, Done]:
    """The study, made from nothing by Snakemake, and what Snakemake said."""
    repo = Repo.create(tmp_path_factory.mktemp("finished") / "repo")
    done = repo.snakemake()
    assert done.code == 0, done.text
    return repo, done


@pytest.fixture(scope="session")
def finished(first_run: tuple[Repo, Done]) -> Repo:
    """The finished study; not to be changed."""
    return first_run[0]


@pytest.fixture
def repo(finished: Repo, tmp_path: Path) -> Repo:
    """A copy of the finished study."""
    return finished.copy(tmp_path / "repo")


@pytest.fixture(scope="session")
def extended(finished: Repo, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """The finished study, at one SNR, with three new losses: by an entry alone, an entry point, a dotted path."""
    repo = finished.copy(tmp_path_factory.mktemp("extended") / "repo")
    outside.extend(repo)
    repo.run()
    return repo

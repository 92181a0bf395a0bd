"""A finished store, made once; tests that change something take a copy."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import outside
import pytest
from built_once import built_once
from repo import Done, Repo


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repo, Done]:
    """The study, made from nothing by Snakemake, and what Snakemake said."""

    def build(folder: Path) -> None:
        done = Repo.create(folder / "repo").snakemake()
        assert done.code == 0, done.text
        (folder / "said.json").write_text(json.dumps(asdict(done)))

    folder = built_once(tmp_path_factory, "finished", build)
    return Repo(folder / "repo"), Done(**json.loads((folder / "said.json").read_text()))


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

    def build(folder: Path) -> None:
        repo = finished.copy(folder / "repo")
        outside.extend(repo)
        repo.run()

    repo = Repo(built_once(tmp_path_factory, "extended", build) / "repo")
    outside.put_on_path(repo)
    return repo

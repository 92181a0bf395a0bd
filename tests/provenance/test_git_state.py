"""The commit that provenance names is that of the code that ran, or none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sebench

ASK = "import json; from sebench.artefacts import git_state; print(json.dumps(git_state()))"


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def said(code: Path, **environment: str) -> dict[str, Any]:
    """What the copy of the code in a folder says of itself."""
    variables = {**os.environ, "PYTHONPATH": str(code), **environment}
    done = subprocess.run([sys.executable, "-c", ASK], cwd=code, env=variables, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the code, unpacked inside another repository, which has a commit of its own."""
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    git(thesis, "init", "-q")
    (thesis / ".gitignore").write_text("__pycache__/\n")
    git(thesis, "add", ".gitignore")
    git(thesis, "commit", "-q", "-m", "thesis")
    inner = thesis / "sebench-main"
    (inner / "sebench").mkdir(parents=True)
    for path in Path(sebench.__file__).parent.glob("*.py"):
        shutil.copy(path, inner / "sebench")
    return inner


def test_another_repositorys_commit_is_not_the_codes(code: Path) -> None:
    assert said(code) == {}
    git(code.parent, "add", ".gitignore")
    assert said(code, GIT_DIR=str(code.parent / ".git"), GIT_WORK_TREE=str(code.parent)) == {}, "as within a hook"


def test_a_repository_that_has_the_code_is_named_with_what_changed(code: Path, tmp_path: Path) -> None:
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "with the code")
    commit = git(code, "rev-parse", "HEAD")
    assert said(code) == {"commit": commit, "dirty": False}
    (code.parent / "chapter.tex").write_text("not code")
    assert said(code) == {"commit": commit, "dirty": False}
    (code / "sebench" / "added.py").write_text("x = 1\n")
    assert said(code) == {"commit": commit, "dirty": True}
    (code / "sebench" / "added.py").unlink()
    with (code / "sebench" / "errors.py").open("a") as file:
        file.write("# changed\n")
    assert said(code) == {"commit": commit, "dirty": True}


def test_without_git_there_is_no_commit(code: Path, tmp_path: Path) -> None:
    assert said(code, PATH=str(tmp_path / "nothing")) == {}

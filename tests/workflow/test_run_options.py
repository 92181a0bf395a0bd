"""Options of `sebench run` that Snakemake gets: a mistake ends in one sentence, before anything is planned."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sebench.cli import main
from sebench.errors import SebenchError
from sebench.run.options import snakemake_words


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two profiles and no configuration: what gets as far as planning says so."""
    for name in ("default", "slurm"):
        (tmp_path / "profiles" / name).mkdir(parents=True)
        (tmp_path / "profiles" / name / "config.yaml").write_text("jobs: 1\n")
    (tmp_path / "slurm").symlink_to("profiles/slurm")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-c", "0"), "--cores 0: no number of cores; accepted: 1 or more, or 'all'"),
        (("-c", "-3"), "--cores -3: no number of cores; accepted: 1 or more, or 'all'"),
        (("-c", "two"), "--cores two: no number of cores; accepted: 1 or more, or 'all'"),
        (("-c", ""), "-c: an empty word; accepted: a name or a path"),
        (("-c", "1.5"), "--cores 1.5: no number of cores; accepted: 1 or more, or 'all'"),
        (("--profile", "slrum"), "no Snakemake profile 'slrum'; accepted: slurm; did you mean 'slurm'?"),
        (("--snakemake", "--rerun-incomplet 'x"), '--snakemake "--rerun-incomplet \'x": No closing quotation; '),
        (("--snakemake", "--keep-goin-g"), "Snakemake says: no argument --keep-goin-g; did you mean --keep-going?"),
        (("--snakemake", "--retries many"), "invalid int value: 'many'"),
        (("--snakemake", "-c 0"), "--cores 0: no number of cores; accepted: 1 or more, or 'all'"),
        (("--snakemake", "--jobs 0"), "--jobs 0: no number of cores; accepted: 1 or more, or 'all'"),
    ],
)
def test_mistakes(
    words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sebench", "run", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("sebench: ")
    assert message in said
    assert len(said.splitlines()) == 1


def test_what_is_right_is_handed_on(folder: Path) -> None:
    assert snakemake_words("all", "", "") == []
    assert snakemake_words("2", "slurm", "-n --config 'x=a b'") == ["--profile", "slurm", "-n", "--config", "x=a b"]
    assert snakemake_words("2", str(folder / "profiles" / "slurm"), "--until complexity") == [
        "--profile", str(folder / "profiles" / "slurm"), "--until", "complexity",
    ]  # fmt: skip
    (folder / "home" / "snakemake" / "site").mkdir(parents=True)
    (folder / "home" / "snakemake" / "site" / "config.v9+.yaml").write_text("jobs: 1\n")
    assert snakemake_words("1", "site", "--cores all -j unlimited") == [
        "--profile", "site", "--cores", "all", "-j", "unlimited",
    ]  # fmt: skip
    with pytest.raises(SebenchError, match="accepted: site, slurm"):
        snakemake_words("1", "nothing", "")

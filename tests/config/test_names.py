"""Names that become paths, hidden files beside configuration, and paths that people write."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from sebench.config.entries import SECTIONS
from sebench.config.load import load_config
from sebench.errors import ConfigError, SebenchError
from sebench.files import expanded
from sebench.names import GIVEN, NODE, file_names, in_path, is_name

ROOT = Path(__file__).parents[2]
BAD = [
    "rn$(touch X)",
    "PESQ by SNR",
    "my corpus",
    "a/b",
    "../up",
    ".hidden",
    "-x",
    "größe",
    "a'b",
    "a{b}",
    "a@b",
    "a,b",
    "",
    "x\n",
    "x" * 49,
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path / "config"


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_config(folder)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_is_no_path_is_refused(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("name", ["two_stage", "CHiME-2", "a.b+c", "2024", "_base", "x" * 48])
def test_ordinary_names_are_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_checked_once_with_its_line(folder: Path, section: str) -> None:
    (folder / section).mkdir(exist_ok=True)
    (folder / section / "mine.yaml").write_text('# first\n"rn$(touch X)": { label: x }\n')
    (found,) = problems(folder)
    assert all(part in found for part in ("mine.yaml:2", "'rn$(touch X)'", "`label`"))


@pytest.mark.parametrize("part", ["tables", "figures"])
def test_tables_and_figures_are_checked_too(folder: Path, part: str) -> None:
    path = folder / "studies" / "two_stage.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    shown = content["two_stage"][part]
    shown["PESQ by SNR"] = next(iter(shown.values()))
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (found,) = problems(folder)
    assert all(text in found for text in (f"two_stage.{part}", "'PESQ by SNR'", "`title`"))


def test_a_table_and_a_figure_do_not_share_a_name(folder: Path) -> None:
    path = folder / "studies" / "two_stage.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    study = content["two_stage"]
    name = next(iter(study["tables"]))
    study["figures"] = {name: next(iter(study["figures"].values()))}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (found,) = problems(folder)
    assert f"both would write {name}.csv" in found


def test_hidden_files_are_not_read(folder: Path) -> None:
    before = load_config(folder).sections
    for section in SECTIONS:
        (folder / section).mkdir(exist_ok=True)
        (folder / section / "._x.yaml").write_bytes(b"\x00\x05\x16\x07" + bytes(range(256)))
        (folder / section / ".#x.yaml").symlink_to("ada@host.4711:1700000000")
        (folder / section / "x.yaml~").write_text("mine: {}\n")
        (folder / section / "#x.yaml#").write_text("mine: {}\n")
        (folder / section / ".x.yaml.swp").write_bytes(b"b0VIM")
    after = load_config(folder).sections
    assert {section: list(found) for section, found in after.items()} == {s: list(found) for s, found in before.items()}


def test_long_names_are_cut_in_bytes_and_differ() -> None:
    one, other = "a" * 300 + "x", "a" * 300 + "y"
    assert in_path(one) == in_path(one) != in_path(other)
    assert len(in_path(one).encode()) == NODE
    assert in_path("stage1-mag_mse-s0") == "stage1-mag_mse-s0"
    assert in_path("größe/{x} $(y)") == "gr__e__x____y_"
    names = file_names(["ü" * 150, "ü" * 149 + "a", "a/b", "a_b", "..", "", "Stage2(-SISNR+0.02*MSE)"])
    assert len(set(names.values())) == 7
    assert all(0 < len(name.encode()) <= 207 and "/" not in name and name[0] != "." for name in names.values())
    assert names["Stage2(-SISNR+0.02*MSE)"] == "Stage2(-SISNR+0.02*MSE)"
    assert GIVEN < NODE


def test_home_and_variables_are_filled_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("DATA", "/data set")
    monkeypatch.delenv("NOWHERE", raising=False)
    assert expanded("~/x") == Path("/home/ada/x")
    assert expanded("$DATA/y") == expanded("${DATA}/y") == Path("/data set/y")
    assert expanded("a/~/$") == Path("a/~/$")
    for text in ("$NOWHERE/x", "${NOWHERE}", "~nobody_here/x"):
        with pytest.raises(SebenchError, match=r"NOWHERE|nobody_here"):
            expanded(text)
    Path("$NOWHERE").mkdir()
    assert expanded("$NOWHERE/x") == Path("$NOWHERE/x")


def test_results_of_config_yaml_are_filled_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("NOWHERE", raising=False)
    (folder / "config.yaml").write_text("study: [two_stage]\nresults: ~/sebench_results\n")
    assert load_config(folder).settings.results == "/home/ada/sebench_results"
    (folder / "config.yaml").write_text("study: [two_stage]\nresults: $NOWHERE/results\n")
    (found,) = problems(folder)
    assert "config.yaml:2" in found
    assert "$NOWHERE is not set" in found

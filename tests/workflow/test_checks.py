"""`sebench check loss` and `check model`, `list` and `show`: what they say, and that the docs show that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sebench.checking import check_losses, check_model
from sebench.config.entries import Config
from sebench.config.load import load_config
from sebench.contracts.base import ContractBroken
from sebench.contracts.model import CHECKS
from sebench.errors import SebenchError
from sebench.sections import LISTS, ONE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "adding-a-loss.md"


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(ROOT / "config")


def block(start: str) -> str:
    """The code of the first block of a language that holds a text."""
    found = [text for text in re.findall(r"```\w+\n(.*?)```", DOCS.read_text(), re.S) if start in text]
    return found[0]


def test_the_documented_output_is_the_output(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log_loss.py").write_text(block("class LogMagnitude"))
    monkeypatch.syspath_prepend(str(tmp_path))
    lines = [f"    {line}" for line in check_losses(config, "log_loss:LogMagnitude")]
    shown = re.search(r"    \$ .*sebench check loss log_loss:LogMagnitude\n((?:    .*\n)+)", DOCS.read_text())
    assert shown is not None
    assert shown[1].splitlines() == lines, "\n".join(["docs/adding-a-loss.md must show:", *lines])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("two_stage", "is no loss; there is a model and a mixing and a study of that name"),
        ("pesq_nb", "is no loss; there is a metric of that name"),
        ("sebench.losses.base:Nothing", "no such class"),
        ("sebench.models.fcrn:Fcrn", r"makes a Fcrn, which is no loss: derive it from sebench\.losses\.base\.Loss"),
        ("json:dumps", "no such class"),
        ("json:JSONDecoder", "no type annotation"),
        ("sebench.losses.compose:WeightedSum", "must be keyword-only"),
        ("no_such_module:Loss", "no_such_module"),
        ("nonsense", "no losses entry 'nonsense'"),
        (":", "module '' cannot be imported"),
    ],
)
def test_what_is_no_loss(config: Config, name: str, says: str) -> None:
    with pytest.raises(SebenchError, match=says):
        list(check_losses(config, name))


def test_models(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list(check_model(config, "stage1"))
    assert lines[0] == "stage1"
    assert all(line.startswith(("  ok     ", "  n/a    ")) for line in lines[1:])
    with pytest.raises(SebenchError, match="is no model; there is a loss of that name"):
        list(check_model(config, "mag_mse"))
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "models"))
    lines = check_model(config, "wrong_models:LooksAhead")
    found = [line for _, line in zip(range(1 + len(CHECKS)), lines, strict=False)]
    with pytest.raises(ContractBroken, match="wrong_models:LooksAhead: 3 checks failed"):
        next(lines)
    assert [line for line in found if "BROKEN" in line and "it looks ahead" in line]


def test_help_names_every_section(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from sebench.cli import app

    monkeypatch.setenv("COLUMNS", "300")
    for command, words in (("list", LISTS), ("show", tuple(ONE.values()))):
        with pytest.raises(SystemExit):
            app([command, "--help"])
        shown = capsys.readouterr().out
        assert all(word in shown for word in words), command

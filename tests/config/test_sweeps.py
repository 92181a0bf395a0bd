"""Losses with a sweep: families of entries, and what a person can get wrong about them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan.resolve import resolve_loss

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "config")
    return tmp_path / "config"


def test_a_range_is_a_family_of_named_entries() -> None:
    config = load_config(SHIPPED)
    members = config.members("braun_comp")
    assert [member.entry.mix.beta for member in members] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert [member.name for member in (members[0], members[7])] == ["braun_comp@0", "braun_comp@0.7"]
    assert config.get("losses", "braun_comp@0.3").entry.mix.beta == 0.3
    assert config.get("losses", "braun_comp@0.3").label == "Comp beta=0.3"
    assert config.members("lsd") == [config.get("losses", "lsd")]


def test_words_and_numbers_are_one_line() -> None:
    config = load_config(SHIPPED)
    values = [member.entry.params["compression"] for member in config.members("demucs_stft")]
    assert values == [0.1, 0.3, 0.5, 0.7, 1, 1.1, "log1p"]


def test_the_ends_of_a_mix_are_the_pure_losses() -> None:
    config = load_config(SHIPPED)
    assert resolve_loss(config, "braun_comp@0").tree == resolve_loss(config, "mag_comp").tree
    assert resolve_loss(config, "braun_comp@1").tree == resolve_loss(config, "complex_comp").tree
    assert resolve_loss(config, "braun_mse@0").tree == resolve_loss(config, "braun_mag_mse").tree


MISTAKES = {
    "a family in a sum": ("mine:\n  sum: { braun_comp: 1.0 }\n", ["x.yaml:2", "is a sweep", "braun_comp@0.3"]),
    "a value and a sweep": (
        "mine:\n  type: sdw\n  params: { weight: 0.5 }\n  sweep: { weight: [0.1, 0.2] }\n",
        ["x.yaml:4", "mine.sweep.weight", "weight has a value and is swept"],
    ),
    "a sum swept": ("mine:\n  sum: { lsd: 1.0 }\n  sweep: { lsd: [1, 2] }\n", ["x.yaml:3", "parameter of `type`"]),
    "a mix without beta": ("mine:\n  mix: { magnitude: lsd, complex: plsd }\n", ["x.yaml:2", "a mix needs `beta`"]),
    "beta out of range": (
        "mine:\n  mix: { magnitude: lsd, complex: plsd }\n  sweep: { beta: [0.5, 1.5] }\n",
        ["x.yaml:3", "found 1.5", "accepted: at most 1"],
    ),
    "a parameter out of range": (
        "mine:\n  type: sdw\n  sweep: { weight: [0.5, 2] }\n",
        ["x.yaml", "found 2", "at most 1"],
    ),
    "no such parameter": (
        "mine:\n  type: sdw\n  sweep:\n    wieght: [0.5]\n",
        ["x.yaml:4: mine.sweep.wieght", "no parameter 'wieght'", "did you mean 'weight'"],
    ),
    "a name with @": ("braun_comp@0.3:\n  type: lsd\n", ["x.yaml:1", "the name 'braun_comp@0.3'"]),
    "a misspelt range": (
        "mine:\n  type: sdw\n  sweep: { weight: { from: 0, til: 1, step: 0.5 } }\n",
        ["x.yaml:3: mine.sweep.weight.til: unknown key 'til'; accepted: from, to, step"],
    ),
    "a value twice": ("mine:\n  type: sdw\n  sweep: { weight: [0.5, 0.50] }\n", ["x.yaml:3", "stands twice"]),
    "a range that misses its end": (
        "mine:\n  type: sdw\n  sweep: { weight: { from: 0, to: 1, step: 0.3 } }\n",
        ["x.yaml:3", "whole number of steps"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(folder: Path, name: str) -> None:
    text, expected = MISTAKES[name]
    (folder / "losses" / "x.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    (problem,) = map(str, caught.value.problems)
    for part in expected:
        assert part in problem


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("beta: [0, 0.5, 1]", "beta: [0, 0.55, 1]", ["braun_losses.yaml", "no value 0.55", "0.3"]),
        ("beta: [0, 0.5, 1]", "bta: [0, 0.5, 1]", ["no sweep over 'bta'", "did you mean 'beta'"]),
        ("{ among: braun_mse }", "{ among: lsd }", ["no sweep to choose from", "braun_mse"]),
        ("SDW: { among: braun_sdw }", "SDW: { among: braun_sd }", ["no losses entry 'braun_sd'"]),
        ("beta: [0, 0.5, 1], weight: [0.3, 0.6] }", "beta: [0, 0.5, 1], weight: [0.35] }", ["no value 0.35"]),
        ("snr_db: [3]", "snr_db: [3, 4]", ["4 dB is no test SNR", "-6, -3, 0, 3"]),
        ("select: { by: pesq_nb }", "select: { by: loss }", ["cannot be compared", "METRIC"]),
    ],
)
def test_mistakes_in_a_study(folder: Path, old: str, new: str, expected: list[str]) -> None:
    path = folder / "studies" / "braun_losses.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    (problem,) = map(str, caught.value.problems)
    for part in expected:
        assert part in problem


def test_whole_numbers_can_be_swept(folder: Path) -> None:
    (folder / "losses" / "x.yaml").write_text("mine:\n  type: mag_mse_amr\n  sweep: { order: [8, 16] }\n")
    config = load_config(folder)
    assert [member.entry.params["order"] for member in config.members("mine")] == [8, 16]
    assert resolve_loss(config, "mine@16").tree == resolve_loss(config, "mag_mse_amr").tree


def test_a_scale_that_leaves_nothing_of_a_sweep_is_refused(folder: Path) -> None:
    losses, study = folder / "losses" / "braun.yaml", folder / "studies" / "braun_losses.yaml"
    swept = "complex: complex_comp }\n  sweep: { beta: { from: 0, to: 1, step: 0.1 } }"
    losses.write_text(losses.read_text().replace(swept, swept.replace("{ from: 0, to: 1, step: 0.1 }", "[0.15, 0.25]")))
    with pytest.raises(ConfigError, match="nothing is left of the sweep 'braun_comp'"):
        load_config(folder)
    assert "Comp" in study.read_text()

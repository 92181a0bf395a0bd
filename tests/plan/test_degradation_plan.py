"""Degradations as a study plans them: what enters ids, what is refused, what tables say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.config import items
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan

SHIPPED = Path(__file__).parents[2] / "config"
STUDY = """
s:
  title: t
  corpus: builtin
  mixing: {mixing}
  grid:
    - product: {{ model: braun_gru, loss: {loss}, recipe: plain }}
  metrics: [si_sdr]
  conditions: {{ snr_db: [0, 5] }}
  tables:
    t: {{ title: t, type: conditions, metric: si_sdr }}
"""
MIXING = """
degraded:
  max_seconds: 2
  degradations:
{list}
"""
LIST = """
    - type: codec
      params: { format: { choice: [mp3, opus] }, compression: { uniform: [0.2, 0.8] } }
      probability: 0.5
    - clipping
"""
OUTSIDE = '''
from typing import Annotated

from annotated_types import Ge

from sebench.degradations.base import Degradation


class Delayless(Degradation):
    """Samples divided by a factor"""

    def __init__(self, *, factor: Annotated[float, Ge(1)] = {default}) -> None:
        self.factor = factor

    def degrade(self, signal, sample_rate, rng):
        return signal / self.factor
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "config")
    return tmp_path / "config"


def plan(folder: Path, text: str = LIST, loss: str = "mag_mse", augment: str = "") -> Plan:
    recipe = f"plain:\n  stages:\n    - name: a\n      augment: {augment or '[]'}\n"
    (folder / "recipes" / "x.yaml").write_text(recipe)
    (folder / "mixing" / "x.yaml").write_text(MIXING.format(list=text) if text else "degraded: { max_seconds: 2 }\n")
    (folder / "studies" / "x.yaml").write_text(STUDY.format(mixing="degraded", loss=loss))
    return build_plan(load_config(folder), "s", "smoke", "builtin", Store(folder.parent / "results"))


def mixtures(found: Plan) -> set[str]:
    return {node.id for node in found.nodes.of_kind("mixtures")}


def test_all_that_decides_is_in_the_spec_and_nothing_is_where_there_are_none(folder: Path) -> None:
    specs = [node.spec for node in plan(folder).nodes.of_kind("mixtures")]
    assert len(specs) == 4
    for spec in specs:
        assert "degradations" not in spec["mixing"]
        codec, clipping = spec["degradations"]
        assert codec["item"]["params"] == {
            "format": {"choice": ["mp3", "opus"]},
            "compression": {"uniform": [0.2, 0.8]},
        }
        assert codec["probability"] == 0.5
        assert set(codec["packages"]) == {"soundfile", "soxr"}
        assert clipping["item"] == {"type": "clipping", "version": 1, "params": {"threshold": 0.5, "form": "hard"}}
    assert all("degradations" not in node.spec for node in plan(folder, "").nodes.of_kind("mixtures"))


def test_a_name_and_its_description_in_place_are_the_same(folder: Path) -> None:
    (folder / "degradations").mkdir(exist_ok=True)
    (folder / "degradations" / "mine.yaml").write_text(
        "telephone: { type: butterworth, params: { low_hz: 300, high_hz: { uniform: [3000, 3400] } }, "
        "probability: 0.3 }\n"
    )
    named = plan(folder, "    - telephone\n")
    params = "{ low_hz: 300, high_hz: { uniform: [3000, 3400] } }"
    placed = plan(folder, f"    - {{ type: butterworth, params: {params}, probability: 0.3 }}\n")
    assert mixtures(named) == mixtures(placed)
    assert mixtures(named).isdisjoint(mixtures(plan(folder, f"    - {{ type: butterworth, params: {params} }}\n")))


def test_the_version_of_a_codec_is_part_of_its_mixtures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = mixtures(plan(folder))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.9")
    assert mixtures(plan(folder)).isdisjoint(before)


WRONG = {
    "an unknown name": ("    - codeck\n", "no degradations entry 'codeck'; .*did you mean 'codec'?"),
    "an unknown type": ("    - type: codeck\n", r"x.yaml:\d: degraded.degradations.0.type: no degradation 'codeck'"),
    "a wrong parameter": (
        "    - type: codec\n      params: { formatt: mp3 }\n",
        r"x.yaml:7: degraded.degradations.0.params.formatt: .* no parameter 'formatt'",
    ),
    "a value beyond": (
        "    - type: clipping\n      params: { threshold: { uniform: [0.5, 1.5] } }\n",
        r"x.yaml:7: degraded.degradations.0.params.threshold: found a mapping; accepted: a number above 0, at most 1, "
        "or a distribution",
    ),
    "a distribution upside down": (
        "    - type: clipping\n      params: { threshold: { uniform: [0.9, 0.5] } }\n",
        "threshold: found a mapping; accepted: a number above 0",
    ),
    "a word of a choice": (
        "    - type: codec\n      params: { format: { choice: [mp3, flac] } }\n",
        "'mp3', 'vorbis', 'opus', or a distribution",
    ),
    "whole numbers": (
        "    - type: bit_reduction\n      params: { bits: { uniform: [4.5, 8] } }\n",
        "a whole number at least 2",
    ),
    "corners that do not fit": (
        "    - type: butterworth\n"
        "      params: { low_hz: { uniform: [100, 4000] }, high_hz: { uniform: [3000, 5000] } }\n",
        "low_hz 4000, high_hz 3000 do not fit together; accepted: low_hz < high_hz",
    ),
    "a probability": ("    - type: codec\n      probability: 1.5\n", "probability: found 1.5; accepted: at most 1"),
    "a misspelt key": ("    - type: codec\n      probabilty: 1\n", "did you mean 'probability'?"),
    "a frequency of no set": (
        "    - type: band_limit\n      params: { cutoff_hz: { choice: [4000, 8000] } }\n",
        r"x.yaml:6: degraded.degradations.0: cutoff_hz of up to 8000 Hz for sets of 16000 Hz; accepted: below 8000",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_one_message_with_its_line(folder: Path, what: str) -> None:
    text, message = WRONG[what]
    with pytest.raises(ConfigError) as caught:
        plan(folder, "\n" + text)
    assert len(caught.value.problems) == 1
    assert re.search(message, str(caught.value))


@pytest.mark.parametrize(
    ("loss", "augment", "message"),
    [
        ("component_clean", "", "studies/x.yaml:6: s.grid: loss 'component_clean' needs the noise in stage 'a'"),
        ("mag_mse", "[remix]", "recipes/x.yaml:4: plain.stages.0.augment: remix adds speech and noise anew in stage"),
    ],
)
def test_what_needs_the_noise_says_so_when_it_is_planned(folder: Path, loss: str, augment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        plan(folder, LIST, loss, augment)
    assert len(caught.value.problems) == 1
    assert "mixing/x.yaml:4" in str(caught.value)
    plan(folder, "", loss, augment)


def test_tables_say_what_happens_to_the_mixtures(folder: Path) -> None:
    footer = plan(folder).tables["t"].spec["footer"]
    codec = "codec (format mp3/opus, compression 0.2 to 0.8) of 50 %"
    clipping = "clipping (threshold 0.5, form hard)"
    assert footer["degradations"] == f"training: {codec}, then {clipping}; test: {codec}, then {clipping}"
    assert "degradations" not in plan(folder, "").tables["t"].spec["footer"]


def test_one_from_outside_is_known_by_its_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    found = []
    for number, default in enumerate((2.0, 4.0)):
        (folder / f"outside_degradation{number}.py").write_text(OUTSIDE.replace("{default}", str(default)))
        made = plan(folder, f"    - type: outside_degradation{number}:Delayless\n      params: {{ factor: 3 }}\n")
        found.append(made.nodes.of_kind("mixtures")[0].spec["degradations"][0]["item"])
        made = items.build(found[-1], "degradation")
        assert made.factor == 3
    assert [item["params"] for item in found] == [{"factor": 3.0}] * 2
    assert all(re.fullmatch("[0-9a-f]+", item["code"]) for item in found)
    assert found[0]["code"] != found[1]["code"]

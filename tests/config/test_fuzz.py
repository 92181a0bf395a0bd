"""Whatever stands in a configuration file: it is used, or refused as a mistake of a person, soon; never a traceback."""

from __future__ import annotations

import copy
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sebench.artefacts import Store
from sebench.config import yaml_lines
from sebench.config.load import load_config
from sebench.errors import ConfigError, SebenchError
from sebench.plan.build import build_plan

SHIPPED = Path(__file__).parents[2] / "config"
FILES = sorted(path.relative_to(SHIPPED) for path in SHIPPED.rglob("*.yaml"))
#: Changes of each file; more of them: SEBENCH_FUZZ_ROUNDS=100 pytest tests/config/test_fuzz.py
ROUNDS = int(os.environ.get("SEBENCH_FUZZ_ROUNDS", "1"))
#: What is put in the place of a value.
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**40, 10**30, 0.5, -1e-300, 1e308, "", " ", "none", "a" * 5000, "é\u0301\U0001f600",
    "../x", "a b", "a@b", "os:path", ":", "a:", "os:no_such_class", "{model}", "{", "{0}", "{model.x}", "\n", "\x00",
    [], [[]], {}, [None], [1, 1], ["a", "a"], {"a": None}, {"": ""}, {"uniform": [2, 1]}, {"choice": []},
    {"uniform": 3, "choice": 4}, {"from": 0, "to": 1, "step": 1e-9}, {"from": 0, "to": 1e300, "step": 1}, [[1, 2], [3]],
    {"type": "none"}, {"a": {"b": {"c": {"d": 1}}}}, list(range(3000)), {1: 2}, {0.5: 1},
    {str(i): i for i in range(200)},
]  # fmt: skip
#: A message in pydantic's words, or in Python's, is none for people.
JARGON = re.compile(
    r"function-(?:after|before|wrap)|valid (?:string|dictionary|integer|number|list)|instance of|Entry\b|Layout\b|"
    r"pydantic|NoneType|Input should|did you mean '[^']*,'|<class|Error\b"
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*at, key)
        yield from places(child, (*at, key))


def changed(data: Any, rng: random.Random) -> Any:
    """A document with one thing wrong, or odd."""
    data = copy.deepcopy(data)
    found = list(places(data))
    *way, last = rng.choice(found)
    parent = data
    for key in way:
        parent = parent[key]
    kind = rng.choice(["replace", "replace", "replace", "delete", "rename", "wrap", "move", "copy"])
    if kind == "replace":
        parent[last] = copy.deepcopy(rng.choice(ODD))
    elif kind == "delete":
        del parent[last]
    elif kind == "wrap":
        parent[last] = rng.choice([[parent[last]], {"x": parent[last]}, str(parent[last])])
    elif kind == "rename" and isinstance(parent, dict):
        parent[rng.choice(["x", "", " ", "label", f"{last}s", "é", 7, "a" * 300])] = parent.pop(last)
    elif kind == "copy" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[last]))
    else:
        *other_way, other = rng.choice(found)
        value = data
        for key in (*other_way, other):
            value = value[key]
        parent[last] = copy.deepcopy(value)
    return data


def outcome(folder: Path, study: str, store: Store) -> list[str]:
    """Messages of the mistakes that were found, if any."""
    try:
        config = load_config(folder, strict=False)
        told = [str(problem) for problem in config.problems]
        if study in config.sections["studies"]:
            try:
                build_plan(config, study, "smoke", "builtin", store)
            except ConfigError as error:
                told += [str(problem) for problem in error.problems]
            except SebenchError as error:
                told.append(str(error))
    except ConfigError as error:
        told = [str(problem) for problem in error.problems]
    return told


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_changed_file_is_used_or_refused(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    data = yaml_lines.load(SHIPPED / file).data
    rng = random.Random(str(file))
    study = file.stem if file.parent.name == "studies" else "two_stage"
    for _ in range(ROUNDS):
        text = yaml.safe_dump(changed(data, rng), allow_unicode=True, sort_keys=False)
        (folder / file).write_text(text, encoding="utf-8")
        for message in outcome(folder, study, Store(tmp_path / "results")):
            assert not JARGON.search(message), f"{message}\n{text}"
            assert len(message) < 1000, f"{message}\n{text}"


#: Texts that are no configuration, and some that are: each is read or refused with its line.
TEXTS = {
    "contains itself": "a: &a { b: *a }\n",
    "a list that contains itself": "a: &a [*a]\n",
    "merges itself": "a: &a { <<: *a }\n",
    "many aliases": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh")),
    "nested deeply": "[" * 20_000,
    "a number too large": "a: { type: neg_si_snr, label: 1e999 }\n",
    "5,000 digits": f"a: {'9' * 5000}\n",
    "an object": "a: !!python/object:os.system x\n",
    "an unknown tag": "a: !x y\n",
    "a wrong tag": "a: !!int x\n",
    "a key that is a list": "? [a, b]\n: 1\n",
    "a key that is nothing": "~: 1\n",
    "a control character": "a: \x01\n",
    "a name that is a number": "7: { type: neg_si_snr }\n",
    "two documents": "a: { type: neg_si_snr }\n---\nb: { type: neg_si_snr }\n",
    "a list": "- a\n- b\n",
    "a word": "hello\n",
    "an octal number": "a: { type: component_clean, params: { weight: 010 } }\n",
    "base 60": "a: { type: component_clean, params: { weight: 1:30 } }\n",
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_no_configuration_is_refused_with_its_line(text: str, tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "config")
    (tmp_path / "config" / "losses" / "x.yaml").write_text(TEXTS[text], encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config")
    assert len(caught.value.problems) == 1
    assert re.search(r"x\.yaml:\d+$", caught.value.problems[0].where)

"""What counts as the code of an item from outside: everything that is no part of an installed distribution."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from sebench.config import code, source
from sebench.config.classes import describe
from sebench.config.facts import ITEM_KINDS

LOSS = """
import json
import os
from pathlib import Path

import numpy as np
import torch
from sebench.losses.base import Loss
{imports}

HERE = Path(__file__).parent
TABLE = [1]
TABLE.append(2)


class Mine(Loss):
    def forward(self, estimate, batch):
        return {use}
"""


class Project:
    """A folder of modules of one's own, on the module search path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        source._parse.cache_clear()
        importlib.invalidate_caches()

    def loss(self, imports: str = "", use: str = "0", module: str = "my_loss") -> None:
        self.write(f"{module.replace('.', '/')}.py", LOSS.format(imports=imports, use=use))

    def code(self, module: str = "my_loss") -> code.Code:
        return code.code_of(f"{module}:Mine")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return Project(folder)


USES = {
    "name": ("from helper_mod import scale", "scale(1)"),
    "name as": ("from helper_mod import scale as s", "s(1)"),
    "module": ("import helper_mod", "helper_mod.scale(1)"),
    "module as": ("import helper_mod as h", "h.scale(1)"),
    "star": ("from helper_mod import *", "scale(1)"),
    "through another": ("from between import scale", "scale(1)"),
    "in the function": ("", "__import__('helper_mod').scale(1)"),
    "importlib": ("import importlib", "importlib.import_module('helper_mod').scale(1)"),
    "package": ("import tools.deep.helper", "tools.deep.helper.scale(1)"),
    "relative": ("from tools.deep import same", "same(1)"),
    "in a try": ("try:\n    from helper_mod import scale\nexcept ImportError:\n    scale = None", "scale(1)"),
    "a default": ("from helper_mod import scale", "(lambda x=scale: x)()"),
}


@pytest.mark.parametrize("way", USES)
def test_helpers_are_followed(project: Project, way: str) -> None:
    body = "def scale(x):\n    return FACTOR * x\n\n\nFACTOR = {}\n\n\ndef other():\n    return {}\n"
    project.write("between.py", "from helper_mod import scale\n")
    project.write("tools/__init__.py", "")
    project.write("tools/deep/__init__.py", "from .helper import scale as same\n")
    project.loss(*USES[way])
    name = "tools/deep/helper.py" if way in ("package", "relative") else "helper_mod.py"
    project.write(name, body.format(2, 3))
    before = project.code()
    project.write(name, "# a comment\n" + body.format(2, 3))
    assert project.code().hash == before.hash
    project.write(name, body.format(20, 3))
    after = project.code()
    assert after.hash != before.hash, f"{way}: an edited helper would reuse old results"
    assert name.removesuffix(".py").replace("/", ".") in after.modules
    if way not in ("importlib", "in the function"):  # where the whole module counts
        project.write(name, body.format(20, 4))
        assert project.code().hash == after.hash


@pytest.mark.parametrize(
    "statement", ["TABLE[0] = {}", "TABLE += [{}]", "TABLE.append({})", "for i in [{}]: TABLE[0] = i"]
)
def test_what_changes_a_constant_counts(project: Project, statement: str) -> None:
    found = []
    for value in (1, 2):
        project.write("helper_mod.py", f"TABLE = [0]\n{statement.format(value)}\n")
        project.loss("from helper_mod import TABLE", "TABLE")
        found.append(project.code().hash)
    assert found[0] != found[1]


FILES = {
    "by /": 'np.load(HERE / "data" / "basis.bin")',
    "whole": 'np.load(HERE / "data/basis.bin")',
    "os.path": 'open(os.path.join(os.path.dirname(__file__), "data", "basis.bin"))',
    "formatted": 'open(f"{HERE}/data/basis.bin")',
}


NAMED = {
    "by /": ('DATA = HERE / "data"', 'np.loadtxt(DATA / "basis.bin")'),
    "os.path": ('DATA = os.path.join(os.path.dirname(__file__), "data")', 'open(os.path.join(DATA, "basis.bin"))'),
    "Path": ('DATA = HERE / "data"', 'Path(DATA, "basis.bin").read_text()'),
    "joinpath": ('DATA = HERE.joinpath("data")', 'DATA.joinpath("basis.bin").open()'),
    "two names": ('DATA = HERE / "data"\nNAME = "basis.bin"', "np.load(DATA / NAME)"),
    "parent": ('DATA = HERE / "other" / "more"', 'np.load(DATA.parent.parent / "data" / "basis.bin")'),
}


@pytest.mark.parametrize("way", NAMED)
def test_data_files_by_names_of_the_module_count(project: Project, way: str) -> None:
    names, use = NAMED[way]
    project.write("my_loss.py", LOSS.format(imports="", use=use) + names.replace("HERE", "Path(__file__).parent"))
    project.write("data/basis.bin", "1 2 3")
    before = project.code()
    assert [path.name for path in before.files] == ["basis.bin"]
    assert before.unseen == set()
    project.write("data/basis.bin", "1 2 4 and more")
    assert project.code().hash != before.hash


@pytest.mark.parametrize("way", FILES)
def test_data_files_beside_the_module_count(project: Project, way: str) -> None:
    project.loss(use=FILES[way])
    project.write("data/basis.bin", "1 2 3")
    before = project.code()
    assert [path.name for path in before.files] == ["basis.bin"]
    project.write("data/basis.bin", "1 2 4 and more")
    assert project.code().hash != before.hash


def test_a_data_file_above_the_module_in_its_package(project: Project) -> None:
    project.write("mine/__init__.py", "")
    project.loss(use='np.load(HERE.parent / "data" / "basis.bin")', module="mine.losses.own")
    project.write("mine/data/basis.bin", "1")
    assert [path.name for path in code.code_of("mine.losses.own:Mine").files] == ["basis.bin"]


def test_what_sebench_brings_and_the_standard_library_do_not_count(project: Project) -> None:
    project.loss(use="torch.zeros(json.loads('3')) + np.ones(3) + TABLE[0]")
    found = project.code()
    assert found.packages == set()
    assert found.modules == {"my_loss"}


def test_other_distributions_count_by_name_and_version(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    (site / "extra_losses").mkdir(parents=True)
    (site / "extra_losses" / "__init__.py").write_text("def scale(x):\n    return x\n")
    info = site / "extra_losses-1.0.dist-info"
    info.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(code, "_site_folders", lambda: (site.resolve(),))
    project.loss("import extra_losses", "extra_losses.scale(1)")
    found = []
    for version in ("1.0", "1.1"):
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: extra-losses\nVersion: {version}\n")
        (info / "top_level.txt").write_text("extra_losses\n")
        (info / "RECORD").write_text("extra_losses/__init__.py,,\n")
        code._by_module.cache_clear()
        code._distributions.cache_clear()
        found.append(project.code())
    code._by_module.cache_clear()
    code._distributions.cache_clear()
    assert [each.packages for each in found] == [{"extra-losses 1.0"}, {"extra-losses 1.1"}]
    assert found[0].hash != found[1].hash
    assert all(each.modules == {"my_loss"} for each in found)


def test_what_cannot_be_followed_is_said(project: Project) -> None:
    project.loss("import importlib", "importlib.import_module(batch.name)")
    assert project.code().unseen == {"importlib.import_module(batch.name)"}


OPENED = (
    "open(batch.name)",
    "np.loadtxt(HERE / batch.name)",
    "np.load(os.path.join(HERE, batch.name))",
    "torch.load(file=batch.name)",
    "pd.read_csv(batch.name)",
    "(HERE / batch.name).open()",
    "sorted(HERE.glob('*.csv'))",
)


@pytest.mark.parametrize("call", OPENED)
def test_files_by_names_made_at_run_time_are_said(project: Project, call: str) -> None:
    project.loss("import pandas as pd", call)
    assert project.code().unseen == {call.removeprefix("sorted(").removesuffix(")" if "sorted" in call else "")}


def test_a_long_text_is_no_file(project: Project) -> None:
    project.loss("import json", f'json.loads("{"long " * 2000}")')
    assert project.code().files == set()


def test_what_opens_no_file_of_unknown_name_is_not_said(project: Project) -> None:
    project.loss("import pickle", "json.load(batch), pickle.load(batch), open('given.txt'), batch.load(1)")
    assert project.code().unseen == set()


REGISTRY = "ALL = {}\n\n\ndef register(f):\n    ALL[f.__name__] = f\n    return f\n"


@pytest.mark.parametrize(
    ("head", "decorator", "counts"),
    [
        (REGISTRY, "register", True),
        ("from keeper import register, ALL\n", "register", True),
        ("import keeper\nfrom keeper import ALL\n", "keeper.register", True),
        ("import functools\nALL = {}\n", "functools.cache", False),
        ("import torch\nALL = {}\n", "torch.no_grad()", False),
        ("from keeper import *\nALL = {}\n", "register", True),
    ],
)
def test_what_a_decorator_registers_counts(project: Project, head: str, decorator: str, counts: bool) -> None:
    project.write("keeper.py", REGISTRY)
    project.loss("import reg", 'reg.ALL["a"]()')
    found = []
    for value in (1, 2):
        body = f"\n\n@{decorator}\ndef a():\n    return {value}\n"
        project.write("reg.py", head + body)
        found.append(project.code().hash)
    assert (found[0] != found[1]) == counts


def test_a_class_that_another_module_hands_on(project: Project) -> None:
    project.loss(module="elsewhere", use="1")
    project.write("front.py", "from elsewhere import Mine\n")
    before = code.code_of("front:Mine").hash
    project.loss(module="elsewhere", use="2")
    assert code.code_of("front:Mine").hash != before


def test_modules_that_import_all_of_each_other(project: Project) -> None:
    project.write("one.py", "from two import *\n")
    project.write("two.py", "from one import *\n\n\ndef scale(x):\n    return x\n")
    project.loss("from one import scale, missing", "scale(1) + missing")
    assert project.code().modules == {"my_loss", "two"}


def test_nothing_is_imported(project: Project) -> None:
    project.write("helper_mod.py", "raise SystemExit\n\n\ndef scale(x):\n    return x\n")
    project.loss("from helper_mod import scale", "scale(1)")
    project.code()
    assert not {"helper_mod", "my_loss"} & sys.modules.keys()


def test_a_base_class_by_its_module(project: Project) -> None:
    project.write("bases.py", 'class Base:\n    source = "ours"\n    needs_views = ("gain",)\n')
    project.write("my_loss.py", "import bases\n\n\nclass Mine(bases.Base):\n    pass\n")
    assert describe(ITEM_KINDS["loss"], "my_loss", "Mine", builtin=False).facts.needs_views == ("gain",)

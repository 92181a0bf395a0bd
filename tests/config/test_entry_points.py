"""Installed packages with a mistake: an error for what names their items, and for nothing else."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sebench.artefacts import Store
from sebench.catalogue import rows
from sebench.config import items
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan.build import build_plan
from sebench.plan.nodes import CorpusMissing
from sebench.plan.summary import summarise

SHIPPED = Path(__file__).parents[2] / "config"
LOSS = (
    "from sebench.losses.base import Loss\n\n\nclass Mine(Loss):\n    '''Mine.'''\n\n"
    "    def __init__(self, *, a: float = 1.0) -> None:\n        super().__init__()\n"
)
CORPUS = "from sebench.corpora.builtin import Builtin\n\n\nclass Mine(Builtin):\n    '''Mine.'''\n"
STUDY = (
    "s:\n  title: t\n  corpus: builtin\n  mixing: two_stage\n  grid:\n"
    "    - product: { model: stage1, loss: LOSS, recipe: supervised }\n"
    "  metrics: [si_sdr]\n  conditions: { snr_db: [0] }\n"
)
MODULES = {
    "ep_fine": LOSS,
    "ep_no_python": "class (\n",
    "ep_no_import": f"import ep_that_nobody_has\n{LOSS}",
    "ep_odd": LOSS.replace("'''Mine.'''", "'''Mine.'''\n\n    requires = 3"),
    "ep_corpus": f"import ep_that_nobody_has\n{CORPUS}",
}
POINTS = """\
[sebench.losses]
ep_fine = ep_fine:Mine
ep_no_module = ep_nowhere:Mine
ep_no_class = ep_fine:Mien
ep_no_python = ep_no_python:Mine
ep_no_import = ep_no_import:Mine
ep_odd = ep_odd:Mine
mag_mse = ep_fine:Mine

[sebench.corpora]
ep_no_corpus = ep_nowhere:Mine
ep_no_import = ep_corpus:Mine

[sebench.metrics]
ep_no_metric = ep_nowhere:Mine
"""
Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package of a name with entry points, as pip leaves it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def one(name: str, points: str) -> None:
        facts = site / f"{name.replace('-', '_')}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(points)
        for module, source in MODULES.items():
            (site / f"{module}.py").write_text(source)
        importlib.invalidate_caches()
        items.registered.cache_clear()

    yield one
    items.registered.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "config"))


def test_they_block_what_names_them_alone(folder: Path, tmp_path: Path, install: Install) -> None:
    install("ep-broken", POINTS)
    (folder / "losses" / "x.yaml").write_text("ours:\n  type: ep_no_module\nfine:\n  type: ep_fine\n")
    (folder / "studies" / "x.yaml").write_text(STUDY.replace("LOSS", "ours"))
    (folder / "studies" / "y.yaml").write_text(STUDY.replace("LOSS", "ep_no_class").replace("s:", "by_name:", 1))
    config = load_config(folder, strict=False)
    store = Store(tmp_path / "results")
    assert build_plan(config, "two_stage", "smoke", None, store).cells
    told = {str(problem) for problem in config.problems}
    of = "of an installed package's entry point, ep"
    assert told == {
        f"{folder}/losses/x.yaml:2: ours.type: loss 'ep_no_module' {of}_nowhere:Mine (ep-broken): loss "
        "ep_nowhere:Mine: no source of a module 'ep_nowhere' on the module search path",
        f"{folder}/studies/y.yaml:6: by_name.grid.0.product.loss.0: loss 'ep_no_class' {of}_fine:Mien (ep-broken): "
        "loss ep_fine:Mien: no such class in the source; it has Mine",
    }
    with pytest.raises(ConfigError, match=r"losses/x\.yaml:2"):
        build_plan(config, "s", "smoke", None, store)
    assert config.get("losses", "fine").entry.type == "ep_fine"


def test_they_are_listed_with_the_reason(folder: Path, install: Install) -> None:
    install("ep-broken", POINTS)
    config = load_config(folder, strict=False)
    found = {section: {n: why for n, form, why in rows(config, section) if form == "unusable"} for section in
             ("losses", "corpora", "metrics")}  # fmt: skip
    losses = found["losses"]
    assert set(losses) == {
        "ep_no_module", "ep_no_class", "ep_no_python", "ep_no_import", "ep_odd", "mag_mse (ep_fine:Mine)",
    }  # fmt: skip
    assert "no source of a module 'ep_nowhere'" in losses["ep_no_module"]
    assert "ep_no_python.py:1: no Python: invalid syntax" in losses["ep_no_python"]
    assert "cannot be imported: ModuleNotFoundError: No module named 'ep_that_nobody_has'" in losses["ep_no_import"]
    assert "`requires` is 3; accepted: a tuple of words" in losses["ep_odd"]
    assert "sebench has sebench.losses.spectral:MagnitudeMse of that name" in losses["mag_mse (ep_fine:Mine)"]
    assert set(found["corpora"]) == {"ep_no_corpus"}, "a corpus needs an entry"
    assert set(found["metrics"]) == {"ep_no_metric"}
    assert ("ep_fine", "ep_fine", "Mine.") in list(rows(config, "losses"))
    (folder / "corpora" / "x.yaml").write_text("c:\n  type: ep_no_import\n")
    listed = {name: form for name, form, _ in rows(load_config(folder), "corpora")}
    assert listed["c"] == "unusable"
    assert listed["builtin"] == "builtin"


def test_a_name_of_sebench_is_not_taken(install: Install) -> None:
    install("ep-broken", POINTS)
    assert items.registry("loss")["mag_mse"].builtin


def test_a_name_that_two_packages_register(install: Install) -> None:
    install("ep-one", "[sebench.losses]\nep_twice = ep_fine:Mine\nep_fine = ep_fine:Mine\n")
    install("ep-two", "[sebench.losses]\nep_twice = ep_odd:Mine\n")
    assert "ep_fine" in items.registry("loss")
    with pytest.raises(items.ItemError, match=r"'ep_twice' .*ep_fine:Mine \(ep-one\).*several of one name"):
        items.find("loss", "ep_twice")


def test_what_cannot_be_imported_is_one_error_where_it_is_built(install: Install) -> None:
    install("ep-broken", POINTS)
    with pytest.raises(
        items.ItemError, match="loss 'ep_no_import': ep_no_import:Mine cannot be imported: ModuleNotFound"
    ):
        items.build({"type": "ep_no_import", "params": {}}, "loss")


def test_a_study_with_a_mistake_does_not_stop_the_plan_of_another(folder: Path, tmp_path: Path) -> None:
    """Mistakes that show when it is planned, too: `sebench plan` looks for runs that other studies share."""
    (folder / "studies" / "x.yaml").write_text(STUDY.replace("LOSS", "nothing"))
    late = "  tables:\n    t: { title: t, type: metrics, metrics: [si_sdr], rows: [Nobody] }\n"
    (folder / "studies" / "y.yaml").write_text(STUDY.replace("s:", "late:", 1).replace("LOSS", "mag_mse") + late)
    config, store = load_config(folder, strict=False), Store(tmp_path / "results")
    plan = build_plan(config, "two_stage", "smoke", None, store)
    assert list(summarise(config, plan, None, store, 2))


def test_a_corpus_with_a_mistake_does_not_hide_that_another_is_missing(folder: Path, tmp_path: Path) -> None:
    """The hint lists corpora that can be used instead."""
    text = "c:\n  type: sebench.corpora.builtin:Nobody\n  root: x\nd:\n  type: folder\n  root: y\n"
    (folder / "corpora" / "x.yaml").write_text(text)
    config = load_config(folder, strict=False)
    assert [str(p).partition(": ")[2][:7] for p in config.problems] == ["c.type:"]
    with pytest.raises(CorpusMissing, match=r"`--corpus builtin` \(needs no files\)"):
        build_plan(config, "two_stage", "smoke", "d", Store(tmp_path / "results"))

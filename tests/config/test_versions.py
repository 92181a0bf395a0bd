"""Guarantee 9: code that changed without its version is found here, not by a reader of the table."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sebench.config import code as codes
from sebench.config import items, source, versions
from sebench.config.code import code_of
from sebench.config.facts import STAGE
from sebench.files import write_json


def test_every_version_belongs_to_its_code() -> None:
    found = list(versions.stale())
    assert not found, "\n".join(
        ["decide for each whether results change (then raise its version), then `sebench versions --update`:", *found]
    )


def test_every_algorithm_and_builtin_item_is_in_the_lock() -> None:
    names = versions.current()
    assert {f"algorithm {name}" for name in versions.ALGORITHMS} <= set(names)
    assert {"loss neg_si_snr", "model two_stage", "metric pesq_nb", "corpus builtin"} <= set(names)


def test_changed_code_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = versions.current()
    now["loss neg_si_snr"] = {**now["loss neg_si_snr"], "code": "0" * 16}
    del now["model stage1"]
    write_json(tmp_path / "lock", now)
    monkeypatch.setattr(versions, "LOCK", tmp_path / "lock")
    assert list(versions.stale()) == [
        f"loss neg_si_snr: the code changed and the version ({now['loss neg_si_snr']['version']}) did not",
        "model stage1: is new",
    ]


# What rings for which algorithm, in a copy of the source


TIMES = itertools.count(1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "sebench"
    shutil.copytree(Path(versions.__file__).parents[1], folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def stale_after(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], set[str]]]:
    """Algorithms whose hash a change of one file makes another; the file is put back."""
    monkeypatch.setattr(source, "search_folders", lambda top: [tree] if top == "sebench" else [])
    texts: dict[Path, str] = {}

    def write(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(0, next(TIMES)))  # what was parsed is known by the file's time

    def hashes() -> dict[str, str]:
        stages = {f"stage {item.type}": code_of(item.path, *STAGE.also).hash for item in items.registry(STAGE).values()}
        return stages | {name: versions.code(algorithm) for name, algorithm in versions.ALGORITHMS.items()}

    def changed(file: str, old: str, new: str) -> set[str]:
        path = tree / file
        text = texts.setdefault(path, path.read_text(encoding="utf-8"))
        assert text.count(old) >= 1, f"{file} has no {old!r}"
        before = hashes()
        write(path, text.replace(old, new, 1))
        return {name for name, code in hashes().items() if code != before[name]}

    yield changed
    for place, text in texts.items():
        write(place, text)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("process/lease.py", "WAIT_SECONDS = 3600.0", "WAIT_SECONDS = 60.0"),
        ("training/progress.py", "INTERVAL_SECONDS = 1.0", "INTERVAL_SECONDS = 9.0"),
        ("artefacts.py", '    "snakemake",\n', '    "snakemake",\n    "dvc",\n'),
        ("process/cluster.py", " + ", " - "),
        ("stages/supervised.py", "every parameter of the model is frozen", "all is frozen"),
        ("training/stage.py", 'log.info("measuring', 'log.info("now measuring'),
        ("synthesis/plan.py", "the corpus's splits are not separate", "splits overlap"),
        ("training/step.py", "held.generation - 1", "held.generation + 1"),
        ("scoring/step.py", 'log.info("%s: computed %s"', 'log.info("%s computed: %s"'),
    ],
)
def test_what_changes_no_result_rings_for_nothing(
    stale_after: Callable[[str, str, str], set[str]], file: str, old: str, new: str
) -> None:
    assert stale_after(file, old, new) == set()


@pytest.mark.parametrize(
    ("algorithm", "file", "old", "new"),
    [
        ("mixtures", "synthesis/plan.py", "spare = _samples(noise) - samples", "spare = _samples(noise) + samples"),
        ("set", "synthesis/mixture.py", 'noise_level - row["snr_db"]', 'noise_level + row["snr_db"]'),
        ("published set", "synthesis/mixture.py", '"noise": noisy - speech', '"noise": noisy + speech'),
        ("separation", "corpora/separation.py", "if a != b", "if a == b"),
        ("stage supervised", "stages/supervised.py", "values.mean().backward()", "(-values.mean()).backward()"),
        ("stage predictor", "stages/predictor.py", "mean_of([(p - m) ** 2", "mean_of([(p + m) ** 2"),
        ("stage alternating", "stages/alternating.py", "1.0 / self.epoch_steps", "-1.0 / self.epoch_steps"),
        ("choice", "training/choice.py", "max if spec.higher_is_better", "min if spec.higher_is_better"),
        ("enhanced", "enhancement/step.py", "if not np.isfinite", "if np.isfinite"),
        ("scores", "scoring/step.py", "    if estimate is None", "    if estimate is not None"),
        ("predictions", "enhancement/predictions.py", "if math.isfinite", "if not math.isfinite"),
        ("complexity", "models/complexity.py", '"flops_per_second": 2 *', '"flops_per_second": -2 *'),
        ("table", "tables/text.py", "entry.low < 0", "entry.low > 0"),
        ("column score", "columns/score.py", "(m - mean) ** 2", "(m + mean) ** 2"),
        ("column agreement", "columns/agreement.py", "(v - mean) ** 2", "(v + mean) ** 2"),
        ("column complexity", "columns/complexity.py", "ours=float(content)", "ours=-float(content)"),
        ("figure spectrograms", "figures/spectrograms.py", "RANGE_DB = 70.0", "RANGE_DB = -70.0"),
        ("figure sweep", "figures/sweep.py", '["high"] - entry["mean"]', '["high"] + entry["mean"]'),
        ("figure distributions", "figures/distributions.py", "spec.exponent - 1.0", "spec.exponent + 1.0"),
        ("figure scatter", "figures/scatter.py", "[low - edge", "[low + edge"),
        ("figure epochs", "figures/epochs.py", "(x % 2 == 1)", "(x % 2 != 1)"),
    ],
)
def test_a_sign_in_a_kernel_rings_for_its_algorithm(
    stale_after: Callable[[str, str, str], set[str]], algorithm: str, file: str, old: str, new: str
) -> None:
    assert stale_after(file, old, new) == {algorithm}


def test_what_several_algorithms_share_rings_for_all(stale_after: Callable[[str, str, str], set[str]]) -> None:
    stages = {f"stage {name}" for name in items.registry(STAGE)}
    assert stale_after("training/optimisers.py", "= ", "= -") == stages


CODE = '''
"""Module."""
from {package}.helpers import scale

OFFSET = 1.0


class Loss:
    """Docstring."""

    name = "x"
    source = "paper"

    def forward(self, value):
        # a comment
        return scale(value) + OFFSET
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / f"outside_{tmp_path.name.replace('-', '_')}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "helpers.py").write_text("def scale(value):\n    return 2 * value\n\n\ndef other():\n    return 1\n")
    (folder / "losses.py").write_text(CODE.format(package=folder.name))
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def code(package: Path) -> str:
    source._parse.cache_clear()
    return codes.code_hash(f"{package.name}.losses", "Loss")


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("losses.py", "# a comment", "# another comment", True),
        ("losses.py", '"""Docstring."""', '"""Another."""', True),
        ("losses.py", "return scale(value) + OFFSET", "return (scale( value )\n                + OFFSET)", True),
        ("losses.py", 'source = "paper"', 'source = "another paper"', True),
        ("helpers.py", "return 1", "return 7", True),  # not used by the loss
        ("losses.py", "+ OFFSET", "- OFFSET", False),
        ("losses.py", "OFFSET = 1.0", "OFFSET = 2.0", False),
        ("helpers.py", "2 * value", "3 * value", False),  # used, in another module of the package
    ],
)
def test_what_changes_the_hash(package: Path, file: str, old: str, new: str, same: bool) -> None:
    before = code(package)
    path = package / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert (code(package) == before) == same

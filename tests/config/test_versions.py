"""Guarantee 9: code that changed without its version is found here, not by a reader of the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from sebench.config import code as codes
from sebench.config import source, versions
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

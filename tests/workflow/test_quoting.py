"""Nothing that has a name reaches a shell as it is: walked over all rules, DVC's stages and our own code."""

from __future__ import annotations

import ast
import re
import shlex

import pytest
import yaml
from repo import ROOT

RULES = sorted([ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")])
#: What follows a directive, up to the next line that is indented as it is or less.
DIRECTIVE = r"^( +)shell:(.*(?:\n(?:\1 +.*|\s*))*)"
BY_SHELL = ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput")
INTERPOLATED = re.compile(r"(?<!\{)\{([^{}]+)\}")


def shell_lines(text: str) -> list[str]:
    """The strings of every `shell:` of a Snakefile, each joined."""
    found = (match[2] for match in re.finditer(DIRECTIVE, text, re.MULTILINE))
    return ["".join(ast.literal_eval(part) for part in re.findall(r'f?"(?:[^"\\]|\\.)*"', block)) for block in found]


def unquoted(line: str) -> list[str]:
    return [name for name in INTERPOLATED.findall(line) if not name.endswith(":q")]


def test_every_shell_line_quotes_every_name() -> None:
    lines = {path.name: shell_lines(path.read_text(encoding="utf-8")) for path in RULES}
    own = {path.name: len(re.findall(r"^rule \w+", path.read_text(), re.MULTILINE)) for path in RULES}
    assert sum(map(len, lines.values())) == sum(own.values()) - 1 > 0  # `all` has no shell; `use rule` inherits
    assert {(name, line): unquoted(line) for name, found in lines.items() for line in found if unquoted(line)} == {}
    assert all("{log:q}" in line and "{params.results:q}" in line for found in lines.values() for line in found)


def test_the_walk_sees_what_is_not_quoted() -> None:
    text = 'rule a:\n    output:\n        "x",\n    shell:\n        "run {wildcards.stem:q} "\n        "> {log}"\n'
    assert [unquoted(line) for line in shell_lines(text)] == [["log"]]


def test_rules_run_nothing_but_shell_lines() -> None:
    for path in RULES:
        assert not re.search(r"^ +(run|script|notebook|wrapper):|\bshell\(", path.read_text(), re.MULTILINE), path


def test_dvc_quotes_the_names_of_its_stages() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in stages.items():
        words = shlex.split(stage["cmd"].replace("${item.study}", "two words"))
        assert [word for word in words if "two" in word] == [word for word in words if "two words" in word], name
        assert set(re.findall(r"\$\{[^}]*\}", stage["cmd"])) <= {"${item.study}"}, name


def test_no_code_of_ours_goes_through_a_shell() -> None:
    found = []
    for path in sorted((ROOT / "sebench").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                by_shell = any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in node.keywords)
                if by_shell or called in BY_SHELL:
                    found.append(f"{path}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize(
    "value", ["010", "true", "{x}", "a: b", "It's", '"q"', "'", "1_000", "nan", "#", "größe 😀", "$b"]
)
def test_snakemake_is_given_settings_as_they_are(value: str) -> None:
    from snakemake.cli import parse_config

    from sebench.run.driver import _pairs

    assert parse_config(_pairs({"results": value})) == {"results": value}

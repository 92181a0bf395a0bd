"""Whether two stores hold the same results: score files by their readable names, published tables by study and file.

Ids are not compared: they change with the version of anything behind them, and the results need not.

    python benchmarks/compare_stores.py OLD/results NEW/results
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

SCORE = ["mixture", "metric", "value", "status"]


def scores(root: Path) -> dict[str, list[str]]:
    """Readable name of a score file -> what the files of that name hold, sorted."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in root.glob("scores/*/scores.parquet"):
        # A mixture's own id follows its set's: its place says which it is.
        rows = pd.read_parquet(path).assign(mixture=lambda frame: frame["index"])[SCORE]
        rows = rows.sort_values(["metric", "mixture"])
        found[path.parent.name.rpartition("-")[0]].append(rows.to_json(orient="values", double_precision=15))
    return {name: sorted(texts) for name, texts in found.items()}


def tables(root: Path) -> dict[str, list[str]]:
    """Study and file of a published table -> its numbers, as text."""
    found = {}
    for path in root.glob("tables/*/*.json"):
        if path.parent.name != "by-id" and not path.name.endswith(".provenance.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            shown = {key: content[key] for key in ("rows", "columns", "values", "claims") if key in content}
            found[f"{path.parent.name}/{path.name}"] = [json.dumps(shown, sort_keys=True)]
    return found


def differences(old: dict[str, list[str]], new: dict[str, list[str]]) -> Iterator[str]:
    """What is not the same, a line each."""
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{name}: in the first store only"
        elif name not in old:
            yield f"{name}: in the second store only"
        elif old[name] != new[name]:
            yield f"{name}: differs"


def main() -> int:
    """Compare, print, and exit with 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    roots = parser.parse_args()
    wrong = 0
    for what, read in (("score files", scores), ("tables", tables)):
        old, new = read(roots.old), read(roots.new)
        found = list(differences(old, new))
        same = sum(old[name] == new.get(name) for name in old)
        print(f"{what}: {same} of {len(old.keys() | new.keys())} are the same")
        print("".join(f"  {line}\n" for line in found), end="")
        wrong += len(found) or not old
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

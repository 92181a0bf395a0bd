"""Two stores are compared by what their results are called and hold, not by ids."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "compare_stores.py"


def store(root: Path, ids: str, value: float, shown: float) -> Path:
    """A store of one score file and one table."""
    scores = root / "scores" / f"noisy-x-{ids}" / "scores.parquet"
    table = root / "tables" / "study-smoke-builtin" / "pesq.json"
    for path in (scores, table):
        path.parent.mkdir(parents=True)
    row = {"mixture": ids, "index": 0, "metric": "stoi", "value": value, "status": "ok"}
    pd.DataFrame([row]).to_parquet(scores)
    content = {"rows": ["Noisy"], "columns": [], "values": [[shown]], "claims": [], "footer": [["id", ids]]}
    table.write_text(json.dumps(content))
    return root


@pytest.mark.parametrize(
    ("value", "shown", "told"),
    [(0.5, 1.0, ""), (0.5000001, 1.0, "noisy-x: differs"), (0.5, 1.1, "study-smoke-builtin/pesq.json: differs")],
)
def test_stores(tmp_path: Path, value: float, shown: float, told: str) -> None:
    old = store(tmp_path / "old", "aaaaaaaaaa", 0.5, 1.0)
    new = store(tmp_path / "new", "bbbbbbbbbb", value, shown)
    done = subprocess.run([sys.executable, SCRIPT, old, new], capture_output=True, text=True, check=False)
    assert done.returncode == bool(told), done.stderr
    assert told in done.stdout
    assert done.stdout.count("differs") == bool(told)

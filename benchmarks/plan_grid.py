"""Loading config/, expanding a grid of 1,000 cells, and parsing the Snakefile: seconds.

    python benchmarks/plan_grid.py

Runs in a temporary copy of the repository; nothing is computed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUDY = """
thousand:
  title: a large grid
  corpus: builtin
  mixing: two_stage
  grid:
    - product: {{ model: stage2, loss: [{losses}], recipe: supervised, seed: [{seeds}] }}
  conditions: {{ snr_db: [-5, 0, 5, 10, 15] }}
  metrics: [pesq_nb, stoi, si_sdr]
"""
CHILD = """
import sys, time
start = time.perf_counter()
from sebench.config.load import load_config
config = load_config("config")
loaded = time.perf_counter()
from sebench.artefacts import Store
from sebench.plan.build import build_plan
plan = build_plan(config, "thousand", "demo", None, Store("results"))
planned = time.perf_counter()
assert "torch" not in sys.modules
print(len(plan.cells), len(plan.nodes.by_key), loaded - start, planned - loaded)
"""
JOB = """
import time
start = time.perf_counter()
from sebench.run.workflow import Workflow
Workflow({"results": "results"}, inside_job=True)
print(time.perf_counter() - start)
"""


def prepare(folder: Path, cells: int = 1000) -> None:
    """A repository with a study of so many cells: up to 100 losses, and seeds."""
    losses_count = min(100, cells)
    for name in ("Snakefile", "workflow", "profiles", "config"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    losses = [f"mix{i}" for i in range(losses_count)]
    (folder / "config/losses/mixes.yaml").write_text(
        "".join(
            f"mix{i}:\n  label: mix{i}\n"
            f"  mix: {{ magnitude: mag_mse, complex: complex_mse, beta: {(i + 1) / (losses_count + 1):.5f} }}\n"
            for i in range(losses_count)
        )
    )
    text = STUDY.format(losses=", ".join(losses), seeds=", ".join(map(str, range(cells // losses_count))))
    (folder / "config/studies/thousand.yaml").write_text(text)


def child(code: str, folder: Path) -> list[float]:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        best = min((child(CHILD, folder) for _ in range(3)), key=lambda row: row[2] + row[3])
        print(f"{best[0]:.0f} cells, {best[1]:.0f} nodes (best of 3, fresh processes)")
        print(f"  load and check config/   {best[2]:.2f} s, imports included")
        print(f"  expand the grid          {best[3]:.2f} s")
        job = min(child(JOB, folder)[0] for _ in range(3))
        print(f"  the same inside a job    {job:.2f} s")
        start = time.perf_counter()
        command = [sys.executable, "-m", "snakemake", "-n", "-q", "all", "--config", "study=thousand"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        print(f"  snakemake -n, everything {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()

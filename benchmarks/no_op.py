"""A finished study, asked for again: seconds of `snakemake` and of `sebench run`.

    python benchmarks/no_op.py [STUDY [SCALE [CORPUS]]]     (after `make demo`: no arguments)

Runs in the repository's root on what is in results/; computes nothing where the study is complete.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def timed(*command: str) -> tuple[float, str]:
    """Seconds of wall time and what was printed, best of three."""
    best, text = float("inf"), ""
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=True)
        best, text = min(best, time.perf_counter() - start), done.stdout + done.stderr
    return best, text


def main() -> None:
    study, scale, corpus = (sys.argv[1:] + ["two_stage", "demo", "builtin"][len(sys.argv) - 1 :])[:3]
    pairs = [f"study={study}", f"scale={scale}", f"corpus={corpus}"]
    seconds, text = timed("snakemake", "--config", *pairs)
    if "Nothing to be done" not in text:
        sys.exit(f"{study} at {scale} on {corpus} is not complete: run it first")
    print(f"snakemake --config {' '.join(pairs)}: {seconds:.1f} s, nothing to be done")
    seconds, _ = timed("sebench", "run", study, "--scale", scale, "--corpus", corpus)
    print(f"sebench run {study} --scale {scale} --corpus {corpus}: {seconds:.1f} s, nothing to do, tables printed")


if __name__ == "__main__":
    main()

"""What the orchestration costs: Snakemake, the rules and Slurm around the work itself.

    python benchmarks/orchestration.py growth [LARGEST]      planning, dry-running 100, 1,000, 5,000, 10,000 cells
    python benchmarks/orchestration.py overhead              a small study on this machine, from nothing and finished
    python benchmarks/orchestration.py overhead --slurm      the same through a Slurm (tests/workflow/slurm.py start)
    python benchmarks/orchestration.py store [RESULTS]       of the last `sebench run` in a store: after `make demo`

Overhead of a run: (wall time x slots - time inside sebench commands) / time inside, where the time inside is what each
`sebench step` process lived, by its own log, times the cores that it was granted, and slots is how many cores there
are. `growth` and `overhead` happen in temporary folders; their results are written to benchmarks/orchestration/. What
`store` prints is of this machine, which has to have nothing else to do.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plan_grid

ROOT = Path(__file__).parents[1]
OUT = Path(__file__).parent / "orchestration"
INSIDE = re.compile(r"done ([0-9.]+) s after this process started")


def command(*words: str, folder: Path) -> float:
    """Seconds of wall time of `python -m words...`, which must succeed."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - start


def growth(largest: int) -> None:
    rows = []
    for cells in (100, 1000, 5000, 10000):
        if cells > largest:
            break
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            plan_grid.prepare(folder, cells)
            _, nodes, loading, planning = plan_grid.child(plan_grid.CHILD, folder)
            in_job = plan_grid.child(plan_grid.JOB, folder)[0]
            dry = command("snakemake", "-n", "-q", "all", "--config", "study=thousand", folder=folder)
        rows.append([cells, int(nodes), round(loading, 3), round(planning, 3), round(in_job, 3), round(dry, 2)])
        print(
            f"{cells:>6} cells, {int(nodes):>7} nodes: load config {loading:.2f} s, plan {planning:.2f} s, "
            f"in a job {in_job:.3f} s, snakemake -n {dry:.1f} s",
            flush=True,
        )
    OUT.mkdir(exist_ok=True)
    names = ["cells", "nodes", "load_seconds", "plan_seconds", "in_job_seconds", "dry_run_seconds"]
    with (OUT / "growth.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    plot(rows)


def plot(rows: list[list[float]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    cells = [row[0] for row in rows]
    for index, label in ((5, "snakemake -n"), (3, "expand the grid"), (2, "load config/"), (4, "inside a job")):
        axes.loglog(cells, [row[index] for row in rows], "o-", label=label)
    axes.set(xlabel="cells", ylabel="seconds", title="Planning a study (11 artefacts, 2 jobs a cell)")
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    figure.savefig(OUT / "growth.png", dpi=120)
    print(f"wrote {OUT.relative_to(ROOT)}/growth.csv and growth.png")


def overhead(slurm: bool) -> None:
    sys.path.insert(0, str(ROOT / "tests" / "workflow"))
    from repo import Repo

    slots = len(os.sched_getaffinity(0))  # the nodes of the Slurm for tests are this machine too
    if slurm:
        os.environ["SEBENCH_DEVICE"] = "cpu"  # its GPUs are null devices
    words = ["snakemake", "--profile", "slurm"] if slurm else ["snakemake", "-c", str(slots)]
    with tempfile.TemporaryDirectory(dir=ROOT if slurm else None, prefix=".orchestration-") as name:
        repo = Repo.create(Path(name) / "repo")
        wall = command(*words, folder=repo.folder)
        logs = [path.read_text(encoding="utf-8") for path in repo.folder.glob("results/logs/*/*.log")]
        inside = [float(match[1]) for text in logs if (match := INSIDE.search(text))]
        again = command(*words, folder=repo.folder)
    jobs, work = len(inside), sum(inside)
    row = {
        "where": "slurm" if slurm else "local",
        "slots": slots,
        "jobs": jobs,
        "wall_seconds": round(wall, 1),
        "inside_seconds": round(work, 1),
        "overhead": round((wall * slots - work) / work, 2),
        "slot_seconds_per_job": round((wall * slots - work) / jobs, 2),
        "finished_again_seconds": round(again, 1),
    }
    print("\n".join(f"{key:>24}  {value}" for key, value in row.items()))
    OUT.mkdir(exist_ok=True)
    with (OUT / f"overhead-{row['where']}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([list(row), list(row.values())])


def store(results: Path) -> None:
    """The overhead of the last run of Snakemake in a store: from its first log line to its last."""
    text = (results / "logs" / "snakemake.log").read_text(encoding="utf-8")
    lines = re.findall(r"^\[(\w{3} \w{3} +\d+ [\d:]+ \d{4})\]$", text, re.MULTILINE)
    moments = [time.mktime(time.strptime(line)) for line in lines]
    slots, jobs, inside = len(os.sched_getaffinity(0)), 0, 0.0
    for block in re.findall(r"^(?:local)?rule \w+:\n((?: +.*\n)+)", text, re.MULTILINE):
        log = re.search(r"^ +log: (.+?)$", block, re.MULTILINE)
        if log is not None:  # rule `all` has none
            cores = re.search(r"^ +threads: (\d+)$", block, re.MULTILINE)
            seconds = INSIDE.findall((results.parent / log[1]).read_text(encoding="utf-8"))
            jobs += 1
            inside += float(seconds[-1]) * int(cores[1] if cores else 1) if seconds else 0.0
    wall = moments[-1] - moments[0]
    models = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    print(f"{jobs} jobs, {wall:.0f} s on {slots} cores ({models[0] if models else 'unknown'})")
    ratio = (wall * slots - inside) / inside
    print(f"inside steps: {inside:.0f} core-seconds; (wall x slots - inside) / inside: {ratio:.3f}")


def main() -> None:
    match sys.argv[1:]:
        case ["growth"]:
            growth(10000)
        case ["growth", largest]:
            growth(int(largest))
        case ["overhead"]:
            overhead(False)
        case ["overhead", "--slurm"]:
            overhead(True)
        case ["store"]:
            store(ROOT / "results")
        case ["store", results]:
            store(Path(results))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()

"""What a plan would cost: time and disk, from this store's own past runs where there are any."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping
from statistics import median

from sebench.artefacts import Node, Store
from sebench.files import read_json
from sebench.kinds import KINDS, SAMPLE_RATE

#: Before a job's own clock starts: Python and its imports; those that compute with torch take longer.
START_SECONDS, START_WITH_TORCH = 2.0, 4.0
#: Snakemake: to start and plan, and for each job.
DRIVER_SECONDS, DRIVER_PER_JOB = 10.0, 0.3
#: A machine is seldom this one alone: by how much more an estimate may be wrong, from jobs of its own kind here, and
#: from elsewhere.
MEASURED, UNMEASURED = 1.5, 3.0
#: Of files beside audio.
SMALL_BYTES = 2e5


def units(node: Node) -> float:
    """How much work a node is: steps of a run, utterances of the rest."""
    return KINDS[node.kind].units(node.spec, node.hints)


class Costs:
    """Estimates from the provenance of what this store already holds.

    Args:
        nodes: any nodes; the complete ones are read.
    """

    def __init__(self, nodes: list[Node], store: Store) -> None:
        seen: dict[str, list[float]] = defaultdict(list)
        for node in nodes:
            path = store.folder(node) / "provenance.json"
            if node.kind != "publication" and path.exists():
                wall = float(read_json(path).get("seconds", 0.0))
                seconds = wall * int(node.hints.get("threads", 1))  # all of its cores, as if one did the work
                for key in {_like(node), node.kind}:
                    seen[key].append(seconds / (units(node) or 1.0))
        self.seen = {key: median(values) for key, values in seen.items()}
        self.jobs = sum(len(values) for key, values in seen.items() if key in KINDS)

    def work(self, node: Node) -> float:
        """Estimated seconds of one core, without the start of a process."""
        for key in (_like(node), node.kind):
            if key in self.seen:
                return self.seen[key] * (units(node) or 1.0)
        kind = KINDS[node.kind]
        return kind.fixed_seconds + kind.unit_seconds * units(node)

    def seconds(self, *nodes: Node) -> float:
        """Estimated seconds of one core for a job that makes these nodes."""
        start = START_WITH_TORCH if any(KINDS[node.kind].torch for node in nodes) else START_SECONDS
        return start + sum(map(self.work, nodes))

    def duration(self, todo: list[Node], cores: int, made_in: Mapping[str, Node] | None = None) -> tuple[float, float]:
        """Seconds until all is there on this machine: at least, and at most.

        No order of jobs takes less than the work shared out evenly, or than the longest chain of jobs that wait for
        each other; one that leaves no core idle needlessly takes no longer than both together.

        Args:
            todo: nodes to be made.
            cores: of this machine.
            made_in: the batch that a node is made in (`sebench.plan.batches`), by the node's key; the others have a
                job of their own.
        """
        if not todo:
            return 0.0, 0.0
        jobs: dict[str, list[Node]] = defaultdict(list)
        job_of = {node.key: (made_in or {}).get(node.key, node).key for node in todo}
        for node in todo:
            jobs[job_of[node.key]].append(node)

        @functools.cache
        def ends(job: str) -> float:
            before = {job_of[key] for node in jobs[job] for key in node.parents.values() if key in job_of} - {job}
            threads = min(max(int(node.hints.get("threads", 1)) for node in jobs[job]), cores)
            return max(map(ends, before), default=0.0) + self.seconds(*jobs[job]) / threads

        even, chain = sum(self.seconds(*nodes) for nodes in jobs.values()) / cores, max(map(ends, jobs))
        driver = DRIVER_SECONDS + DRIVER_PER_JOB * len(jobs)
        unmeasured = any(node.kind not in self.seen for node in todo if node.kind != "publication")
        factor = UNMEASURED if unmeasured else MEASURED
        return driver + max(even, chain), factor * (driver + even + chain * (1 - 1 / cores))

    def basis(self, todo: list[Node]) -> str:
        """What the estimate is made from, in words."""
        absent = sorted({node.kind for node in todo if node.kind not in self.seen and node.kind != "publication"})
        here = f"{self.jobs} finished job{'' if self.jobs == 1 else 's'} of this store"
        if not absent:
            return f"from {here}"
        other = "two x86-64 cores elsewhere"
        return (
            f"from {here}; {', '.join(absent)}: from {other}"
            if self.jobs
            else f"from {other}: nothing is finished here"
        )


def _like(node: Node) -> str:
    if node.kind == "run":
        stage = node.spec["stage"]
        return f"run {stage['kind']} {node.spec['model']['type']} {stage['batch_size']} {stage['segment_seconds']}"
    return node.kind


def disk_bytes(node: Node) -> float:
    """Estimated bytes of a node: audio counts, the rest is small."""
    rate = node.spec.get("sample_rate", node.hints.get("sample_rate", SAMPLE_RATE))
    return KINDS[node.kind].unit_bytes * units(node) * rate / SAMPLE_RATE or SMALL_BYTES

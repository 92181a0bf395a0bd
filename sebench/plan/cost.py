"""What a plan would cost: time and disk, from this store's own past runs where there are any."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from sebench.artefacts import Node, Store
from sebench.files import read_json

#: Seconds per unit where nothing has been measured here yet: (fixed, per unit). Measured on two x86-64 cores.
DEFAULTS = {
    "corpus": (60.0, 0.0),
    "mixtures": (2.0, 0.002),
    "set": (2.0, 0.02),
    "run": (4.0, 0.2),
    "choice": (1.0, 0.0),
    "enhanced": (3.5, 0.03),
    "scores": (2.5, 0.3),
    "predictions": (3.5, 0.03),
    "complexity": (5.0, 0.0),
    "table": (2.0, 0.0),
    "figure": (4.0, 0.0),
    "publication": (0.5, 0.0),
}
SECONDS_PER_UTTERANCE = 4.0
BYTES_PER_SAMPLE = 4


def units(node: Node) -> float:
    """How much work a node is: steps of a run, utterances of the rest."""
    if node.kind == "run":
        return float(node.spec["stage"]["steps"])
    if node.kind == "mixtures":
        return float(node.spec["count"])
    return float(node.hints.get("count", 0))


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

    def seconds(self, node: Node) -> float:
        """Estimated seconds of one core."""
        start = 2.0 if node.kind in ("run", "enhanced", "complexity") else 1.0
        for key in (_like(node), node.kind):
            if key in self.seen:
                return start + self.seen[key] * (units(node) or 1.0)
        fixed, per_unit = DEFAULTS[node.kind]
        return fixed + per_unit * units(node)


def _like(node: Node) -> str:
    if node.kind == "run":
        stage = node.spec["stage"]
        return f"run {stage['kind']} {node.spec['model']['type']} {stage['batch_size']} {stage['segment_seconds']}"
    return node.kind


def disk_bytes(node: Node) -> float:
    """Estimated bytes of a node: audio counts, the rest is small."""
    rate = 16000
    if node.kind == "set":
        return units(node) * SECONDS_PER_UTTERANCE * rate * BYTES_PER_SAMPLE * 2
    if node.kind == "enhanced":
        return units(node) * SECONDS_PER_UTTERANCE * rate * BYTES_PER_SAMPLE
    return 2e5

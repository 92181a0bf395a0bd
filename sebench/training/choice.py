"""The best value of a sweep, by what the validation of its runs measured: nothing is computed anew.

A choice is a run by proxy. What is made from it (enhanced sets, scores, tables) names the choice as its parent, so that
no id depends on which value won, and all that can win is planned.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from typing import Any

from sebench.artefacts import Node, Store, candidate
from sebench.config.specs import ChoiceSpec
from sebench.errors import DataError
from sebench.files import read_json, write_json

#: (value, seed) -> name and run.json of a run.
Reports = Mapping[tuple[str, int], tuple[str, Mapping[str, Any]]]


def run(node: Node, store: Store, threads: int = 1) -> None:
    """Write choice.json: every value with its validation, and the best one.

    A value's validation is the mean over seeds and validation utterances; a value with a failed run does not take part.

    Args:
        node: of kind `choice`; its spec has the values and the seeds, its parents are their runs.
        store: where these are.
        threads: granted; one is used.
    """
    del threads
    started = time.time()
    spec = ChoiceSpec.of(node.spec)
    runs = {place: store.parent(node, candidate(*place)) for place in product(spec.values, spec.seeds)}
    reports = {place: (run.stem, read_json(store.outputs(run)["run.json"])) for place, run in runs.items()}
    write_json(store.outputs(node)["choice.json"], decide(spec, reports))
    store.write_provenance(node, started)


def decide(spec: ChoiceSpec, reports: Reports) -> dict[str, Any]:
    """Every value with its validation, and the best one: the content of choice.json.

    Args:
        spec: of the choice.
        reports: of the runs of all values and seeds.
    """
    entries = [_entry(spec, reports, value) for value in spec.values]
    able = [entry for entry in entries if entry["mean"] is not None]
    best = (max if spec.higher_is_better else min)(able, key=lambda entry: entry["mean"], default=None)
    return {
        "axis": spec.axis,
        "by": spec.by,
        "higher_is_better": spec.higher_is_better,
        "chosen": best["value"] if best else None,
        "candidates": entries,
    }


def chosen_run(node: Node, store: Store, seed: int) -> tuple[Node | None, str]:
    """The run of a choice for a seed; None and the reason where no value could be chosen.

    Raises:
        DataError: the choice is not made yet.
    """
    path = store.outputs(node)["choice.json"]
    if not path.exists():
        raise DataError(f"{path}: the choice is not made yet")
    found = read_json(path)
    if found["chosen"] is None:
        reasons = (entry["reason"] for entry in found["candidates"] if entry["reason"])
        return None, f"no {found['axis']} could be chosen: {next(reasons, 'nothing was validated')}"
    return store.parent(node, candidate(found["chosen"], seed)), ""


def _entry(spec: ChoiceSpec, reports: Reports, value: str) -> dict[str, Any]:
    from sebench.statistics.bootstrap import mean_interval

    means: list[float] = []
    scores: dict[int, list[float]] = defaultdict(list)
    reason = ""
    for seed in spec.seeds:
        stem, report = reports[value, seed]
        if report["status"] != "ok":
            reason = reason or f"run {stem} failed: {report['reason']}"
        elif report["valid"] is None:
            reason = reason or f"run {stem}: no validation utterance has a value"
        else:
            means.append(float(report["valid"]))
            for i, score in enumerate(report["valid_scores"]):
                scores[i].extend([] if score is None else [float(score)])
    interval = mean_interval([sum(found) / len(found) for found in scores.values() if found])
    return {
        "value": value,
        "mean": None if reason else sum(means) / len(means),
        "low": None if reason or interval is None else interval.low,
        "high": None if reason or interval is None else interval.high,
        "utterances": sum(bool(found) for found in scores.values()),
        "reason": reason,
    }

"""How a study's stages were trained, in words for a footer: what a step is, and among how many weights was chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sebench.artefacts import Node
from sebench.config import items
from sebench.config.schema import StudyAmounts

if TYPE_CHECKING:
    from sebench.plan.plan import Plan


def selection(plan: Plan, by: str) -> str:
    """Among how many validations the published weights of each kind of stage were chosen, and by what.

    Args:
        by: what supervised stages are validated by: a metric, or their loss.
    """
    counts: dict[str, dict[tuple[str, str], dict[int, None]]] = defaultdict(lambda: defaultdict(dict))
    for run in plan.nodes.of_kind("run"):
        stage = run.spec["stage"]
        counts[stage["kind"]][_frame(stage, by)][_validations(stage)] = None
    kinds = {
        kind: ", or ".join(f"{before} {_counted(found)} {after}" for (before, after), found in frames.items())
        for kind, frames in counts.items()
    }
    chosen, on = next(iter(kinds.values())), " on"
    if len(kinds) > 1:
        chosen, on = "; ".join(f"{kind} stages: {text}" for kind, text in kinds.items()), "; all on"
    return (
        f"{chosen}{on} {_alternatives(_counts(plan, 'valid'))} utterances of the validation split; "
        "the test split is never looked at before scoring"
    )


def steps(plan: Plan) -> str:
    """What a training step of each kind of stage reads."""
    batches: dict[str, dict[str, None]] = defaultdict(dict)
    for run in plan.nodes.of_kind("run"):
        batches[run.spec["stage"]["kind"]][_batch(plan, run)] = None
    kinds: dict[str, list[str]] = defaultdict(list)
    for kind, found in batches.items():
        kinds[_alternatives(found)].append(kind)
    told = [f"{batch} ({' and '.join(which)} stages)" for batch, which in kinds.items()]
    return f"steps of {' and of '.join(told if len(kinds) > 1 else kinds)}"


def amounts(plan: Plan) -> str:
    """How much the rows were trained on, how often, and tested on."""
    trained = _alternatives(_counts(plan, "train"))
    tested = _alternatives(dict.fromkeys(_count(plan, rendered) for rendered in plan.conditions.values()))
    return f"{trained} training mixtures, {steps(plan)}, {_seeds(plan)}, {tested} test mixtures per condition"


def in_effect(plan: Plan, changes: StudyAmounts) -> StudyAmounts:
    """A study's changes at a scale, without SNRs and a length that nothing which was made has."""
    snrs = {plan.nodes[rendered.parents["mixtures"]].spec["snr_db"] for rendered in plan.conditions.values()}
    lengths = {_longest(plan, rendered) for rendered in plan.nodes.of_kind("set")}
    return changes.model_copy(
        update={
            "snr_db": [snr for snr in changes.snr_db or [] if snr in snrs] or None,
            "max_seconds": changes.max_seconds if changes.max_seconds in lengths else None,
        }
    )


def steps_by_recipe(plan: Plan) -> str:
    """Steps of each recipe, stage after stage: rows of one table need not have had the same training."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for planned in plan.cells:
        chain = " + ".join(str(run.spec["stage"]["steps"]) for run in planned.chain)
        found[planned.cell.recipe][chain] = None
    return "; ".join(f"{recipe} {_alternatives(chains)}" for recipe, chains in found.items())


def _seeds(plan: Plan) -> str:
    """How many seeds a row has: those of its runs."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for planned in plan.cells:
        seeds[planned.cell.label].add(planned.run.spec["seed"])
    counts = sorted({len(found) for found in seeds.values()})
    return f"{_alternatives(counts)} seed{'' if counts == [1] else 's'}"


def _counts(plan: Plan, role: str) -> dict[int, None]:
    """Mixtures in the sets that the runs read in a role, each number once."""
    sets = dict.fromkeys(run.parents[role] for run in plan.nodes.of_kind("run"))
    return dict.fromkeys(_count(plan, plan.nodes[key]) for key in sets)


def _count(plan: Plan, rendered: Node) -> int:
    return int(plan.nodes[rendered.parents["mixtures"]].spec["count"])


def _frame(stage: Mapping[str, Any], by: str) -> tuple[str, str]:
    """What stands before and after the number of validations."""
    if stage["keep"] == "last":
        return "last of", f"by {_measure(stage, by)}"
    may_stop = stage["schedule"]["type"] == "halve_on_plateau" and stage["schedule"]["stop_lr"] is not None
    after = f"by {_measure(stage, by)}"
    if stage["kind"] == "alternating":
        after += ", those after the model's own epochs"
    return f"best of{' at most' if may_stop else ''}", after


def _measure(stage: Mapping[str, Any], by: str) -> str:
    return {"supervised": by, "predictor": "squared error", "alternating": "loss"}[stage["kind"]]


def _validations(stage: Mapping[str, Any]) -> int:
    """Those whose weights compete; in an alternation only the model's epochs do, every other one from the first on."""
    validations = -(-stage["steps"] // stage["validate_every"])
    return -(-validations // 2) if stage["kind"] == "alternating" and stage["keep"] == "best" else int(validations)


def _batch(plan: Plan, run: Node) -> str:
    stage = run.spec["stage"]
    if stage["segment_seconds"] is not None:
        return f"{stage['batch_size']} x {stage['segment_seconds']:g} s"
    longest = _longest(plan, plan.nodes[run.parents["train"]])
    limit = "" if longest is None else f" of at most {longest:g} s"
    return f"{stage['batch_size']} whole utterances{limit}"


def _longest(plan: Plan, rendered: Node) -> float | None:
    """Seconds to which utterances of a set are cut; published mixtures are not."""
    corpus = items.find("corpus", plan.nodes[rendered.parents["corpus"]].spec["item"]["type"])
    assert corpus is not None
    mixing = plan.nodes[rendered.parents["mixtures"]].spec["mixing"]
    return None if corpus.paired else mixing["max_seconds"]


def _counted(validations: Iterable[int]) -> str:
    found = list(validations)
    return f"{_alternatives(found)} validation{'' if found == [1] else 's'}"


def _alternatives(found: Iterable[object]) -> str:
    return " or ".join(map(str, found))

"""What a table says about how its numbers were made: computed from the nodes that it shows, not from the configuration.

Names (of study, scale, corpora, recipes and rows) and what the study leaves out are the plan's.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sebench.artefacts import Node
from sebench.config import items
from sebench.config.annotations import EntryOf, OptimiserOf
from sebench.config.facts import METRIC, STAGE, ModelFacts, StageFacts
from sebench.config.schema import SCHEDULE_KEYS
from sebench.config.specs import ChoiceSpec, EnhancedSpec, MixturesSpec
from sebench.metrics.base import metric_name, way_to_score
from sebench.plan.plan import Evaluations
from sebench.plan.tables import parents_read


def footer(plan: Evaluations, spec: Mapping[str, Any], left_out: Iterable[str]) -> dict[str, str]:
    """The footer of one table.

    Args:
        spec: the table's, without its footer.
        left_out: what the study names and does not have here.
    """
    shown = _shown(plan, spec)
    entry = plan.study.entry
    corpora = {name: node.id for name, node in plan.corpus_nodes.items() if node.key in shown.nodes}
    told = {
        "study": plan.study.name,
        "source": entry.source,
        "scale": plan.scale,
        "corpus": ", ".join(corpora),
        "corpus ids": ", ".join(dict.fromkeys(corpora.values())),
        "networks": _networks(shown),
        "selection": _selection(shown),
        "amounts": _amounts(shown),
        "steps": _by_recipe(shown, lambda stage: str(stage["steps"])),
        "learning rates": _by_recipe(shown, _rates),
        "schedules": _by_recipe(shown, _schedule),
        "predictors hear": _alternatives(filter(None, (_heard(run.spec["stage"]) for run in shown.of_kind("run")))),
        "utterances": _lengths(shown),
        "degradations": "; ".join(_degradations(shown)),
        "sample rates": "; ".join(_rates_of_rows(shown, spec)),
        "test SNRs": ", ".join(f"{snr_db:g} dB" for snr_db in _test_snrs(shown)),
        "sweeps": _sweeps(shown),
        "external models": "; ".join(_external(shown, spec)),
        "left out": "; ".join(left_out),
    }
    return {key: text for key, text in told.items() if text}


@dataclass(frozen=True)
class Shown:
    """What stands behind a table.

    Args:
        nodes: what the table reads and what that was made from, in the plan's order.
        seeds: how many each row has, each number once.
        chains: recipe -> chains of stages that rows end in.
    """

    nodes: Mapping[str, Node]
    seeds: Mapping[int, None]
    chains: Mapping[str, list[tuple[Node, ...]]]

    def of_kind(self, *kinds: str) -> list[Node]:
        """All nodes of some kinds."""
        return [node for node in self.nodes.values() if node.kind in kinds]

    def mixtures(self, rendered: str) -> MixturesSpec:
        """What the plan of a rendered set says."""
        return MixturesSpec.of(self.nodes[self.nodes[rendered].parents["mixtures"]].spec)

    def sets(self, role: str, *kinds: str) -> list[str]:
        """Rendered sets that nodes of some kinds read in a role, each once."""
        return list(dict.fromkeys(node.parents[role] for node in self.of_kind(*kinds)))


def _shown(plan: Evaluations, spec: Mapping[str, Any]) -> Shown:
    behind: set[str] = set()
    wanted = parents_read(spec)
    while wanted:
        key = wanted.pop()
        if key not in behind:
            behind.add(key)
            wanted.extend(plan.nodes[key].parents.values())
    nodes = {key: node for key, node in plan.nodes.by_key.items() if key in behind}
    counts: dict[int, None] = {}
    ends: dict[str, None] = {}
    for row in spec["rows"]:
        for cells in (row["cells"], *row["groups"].values()):
            trained = [found for cell in cells for found in _trained(nodes, cell)]
            counts.update({len({seed for _, seed in trained}): None} if trained else {})
            ends.update({key: None for node, _ in trained for key in _runs(node)})
    return Shown(nodes, counts, _chains(plan, nodes, ends))


def _trained(nodes: Mapping[str, Node], cell: Mapping[str, Any]) -> Iterator[tuple[Node, int]]:
    """The run or the choice of a cell and its seed; nothing where the table shows no score of what is trained here."""
    if cell["run"] in nodes:
        yield nodes[cell["run"]], nodes[cell["run"]].spec["seed"]
        return
    for enhanced in _enhanced(nodes, cell):
        if "seed" in enhanced.spec:
            yield nodes[enhanced.parents["run"]], enhanced.spec["seed"]


def _enhanced(nodes: Mapping[str, Node], cell: Mapping[str, Any]) -> Iterator[Node]:
    """The enhanced sets whose scores a cell shows."""
    for key in cell["scores"].values():
        if key in nodes and "enhanced" in nodes[key].parents:
            yield nodes[nodes[key].parents["enhanced"]]


def _runs(node: Node) -> Iterable[str]:
    """A run, or those that a choice is among."""
    return node.parents.values() if node.kind == "choice" else [node.key]


def _chains(plan: Evaluations, nodes: Mapping[str, Node], ends: Iterable[str]) -> dict[str, list[tuple[Node, ...]]]:
    """Recipe -> the stages that rows end in, first stage first. A row of a predictor may end before its recipe does."""
    whole: dict[str, list[tuple[str, tuple[Node, ...]]]] = defaultdict(list)
    begun: dict[str, list[tuple[str, tuple[Node, ...]]]] = defaultdict(list)
    for planned in plan.cells:
        for place, run in enumerate(planned.chain, 1):
            chain = tuple(stage for stage in planned.chain[:place] if stage.key in nodes)
            (whole if place == len(planned.chain) else begun)[run.key].append((planned.cell.recipe, chain))
    found: dict[str, list[tuple[Node, ...]]] = defaultdict(list)
    for end in ends:
        for recipe, chain in whole[end] or begun[end]:
            found[recipe].append(chain)
    return found


def _by_recipe(shown: Shown, told: Callable[[Mapping[str, Any]], str]) -> str:
    """A fact of each stage: rows of one table need not have had the same training."""
    found: dict[str, dict[str, None]] = {}
    for recipe, chains in shown.chains.items():
        texts = (" + ".join(filter(None, (told(run.spec["stage"]) for run in chain))) for chain in chains)
        found[recipe] = dict.fromkeys(filter(None, texts))
    return "; ".join(f"{recipe} {_alternatives(texts)}" for recipe, texts in found.items() if texts)


def _rates(stage: Mapping[str, Any]) -> str:
    own = f"{stage['optimiser']['lr']:g}"
    marks = {name: param.mark for name, param in _kind(stage).params.items()}
    others = (f"{m.network} {stage[name]['lr']:g}" for name, m in marks.items() if isinstance(m, OptimiserOf))
    return _with(own, others)


def _schedule(stage: Mapping[str, Any]) -> str:
    schedule = stage["schedule"]
    read = [key for key, types in SCHEDULE_KEYS.items() if schedule["type"] in types and schedule[key]]
    return _with(schedule["type"], (f"{key} {schedule[key]:g}" for key in read))


def _heard(stage: Mapping[str, Any]) -> str:
    return {"": "", "both": "noisy and enhanced speech", "enhanced": "enhanced speech"}[stage.get("hears", "")]


def _networks(shown: Shown) -> str:
    """All that were trained or counted, with the parameters that are not the defaults."""
    found = (
        _item(kind, node.spec[name])
        for node in shown.of_kind("run", "complexity")
        for name, kind in _networks_of(node.spec).items()
    )
    return "; ".join(dict.fromkeys(found))


def _networks_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Networks of a run or of a count of operations, by name: the kind of item that each is."""
    marks = {name: param.mark for name, param in _kind(spec["stage"]).params.items()} if "stage" in spec else {}
    return {"model": "model", **{name: m.kind for name, m in marks.items() if isinstance(m, EntryOf) and name in spec}}


def _kind(stage: Mapping[str, Any]) -> items.Item[StageFacts]:
    """The kind of a stage."""
    return items.get(STAGE, stage["kind"])


def _item(kind: str, item: Mapping[str, Any]) -> str:
    found = items.get(kind, item["type"])
    told = [f"{name}={value}" for name, value in item["params"].items() if value != found.params[name].default]
    if isinstance(found.facts, ModelFacts) and found.facts.input_rate is not None:
        told.append(f"hears {found.facts.input_rate} Hz")
    return _with(metric_name(item) if kind == "metric" else item["type"], told)


def _selection(shown: Shown) -> str:
    """Among how many validations the published weights of each kind of stage were chosen, and by what."""
    counts: dict[str, dict[tuple[str, str], dict[int, None]]] = defaultdict(lambda: defaultdict(dict))
    for run in shown.of_kind("run"):
        stage = run.spec["stage"]
        counts[stage["kind"]][_frame(stage)][_validations(stage)] = None
    if not counts:
        return ""
    kinds = {
        kind: ", or ".join(f"{before} {_counted(found)} {after}" for (before, after), found in frames.items())
        for kind, frames in counts.items()
    }
    chosen, on = next(iter(kinds.values())), " on"
    if len(kinds) > 1:
        chosen, on = "; ".join(f"{kind} stages: {text}" for kind, text in kinds.items()), "; all on"
    valid = _alternatives(shown.mixtures(key).count for key in shown.sets("valid", "run"))
    return f"{chosen}{on} {valid} utterances of the validation split; the test split is never looked at before scoring"


def _frame(stage: Mapping[str, Any]) -> tuple[str, str]:
    """What stands before and after the number of validations."""
    if stage["keep"] == "last":
        return "last of", f"by {_measure(stage)}"
    may_stop = stage["schedule"]["type"] in SCHEDULE_KEYS["stop_lr"] and stage["schedule"]["stop_lr"] is not None
    after = f"by {_measure(stage)}"
    if compared := _kind(stage).facts.compared:
        after += f", {compared}"
    return f"best of{' at most' if may_stop else ''}", after


def _measure(stage: Mapping[str, Any]) -> str:
    by = stage["validate_by"]
    return _kind(stage).facts.measure if isinstance(by, str) else _item("metric", by["metric"])


def _validations(stage: Mapping[str, Any]) -> int:
    """Those whose weights compete; the kind of stage says of how many the first."""
    validations = -(-stage["steps"] // stage["validate_every"])
    return -(-validations // _kind(stage).facts.compares_every) if stage["keep"] == "best" else int(validations)


def _amounts(shown: Shown) -> str:
    """How much the rows were trained on, how often, and tested on."""
    runs = shown.of_kind("run")
    told = []
    if runs:
        counts = (run.spec["stage"].get("mixtures", shown.mixtures(run.parents["train"]).count) for run in runs)
        seeds = _alternatives(sorted(shown.seeds))
        told = [
            f"{_alternatives(counts)} training mixtures",
            _steps(shown),
            f"{seeds} seed{'' if seeds == '1' else 's'}",
        ]
    tested = [shown.mixtures(key).count for key in shown.sets("set", "scores", "predictions")]
    return ", ".join(told + ([f"{_alternatives(tested)} test mixtures per condition"] if tested else []))


def _steps(shown: Shown) -> str:
    """What a training step of each kind of stage reads."""
    batches: dict[str, dict[str, None]] = defaultdict(dict)
    for run in shown.of_kind("run"):
        batches[run.spec["stage"]["kind"]][_batch(shown, run)] = None
    kinds: dict[str, list[str]] = defaultdict(list)
    for kind, found in batches.items():
        kinds[_alternatives(found)].append(kind)
    told = [f"{batch} ({' and '.join(which)} stages)" for batch, which in kinds.items()]
    return f"steps of {' and of '.join(told if len(kinds) > 1 else kinds)}"


def _batch(shown: Shown, run: Node) -> str:
    stage = run.spec["stage"]
    if stage["segment_seconds"] is not None:
        return f"{stage['batch_size']} x {stage['segment_seconds']:g} s"
    longest = _longest(shown, run.parents["train"])
    limit = "" if longest is None else f" of at most {longest:g} s"
    return f"{stage['batch_size']} whole utterances{limit}"


def _longest(shown: Shown, rendered: str) -> float | None:
    """Seconds to which utterances of a set are cut; published mixtures are not."""
    published = shown.nodes[rendered].hints["published"]
    return None if published else shown.mixtures(rendered).draws.max_seconds


def _lengths(shown: Shown) -> str:
    lengths = dict.fromkeys(_longest(shown, rendered.key) for rendered in shown.of_kind("set"))
    told = ("whole" if longest is None else f"at most {longest:g} s" for longest in lengths)
    return "" if set(lengths) == {None} else _alternatives(told)


def _test_snrs(shown: Shown) -> list[float]:
    snrs = (shown.mixtures(key).snr_db for key in shown.sets("set", "scores", "predictions"))
    return [snr_db for snr_db in dict.fromkeys(snrs) if snr_db is not None]


def _rates_of_rows(shown: Shown, spec: Mapping[str, Any]) -> Iterator[str]:
    """At which rate each row was scored, and by which metrics at another, where one is not at 16 kHz."""
    rows: dict[int, dict[str, None]] = defaultdict(dict)
    metrics: dict[str, None] = {}
    for row in spec["rows"]:
        for cell in itertools.chain(row["cells"], *row["groups"].values()):
            for node in (shown.nodes[key] for key in cell["scores"].values() if key in shown.nodes):
                rate = int(shown.nodes[node.parents["set"]].spec["sample_rate"])
                rows[rate][row["label"]] = None
                metrics.update({text: None for item in node.spec["metrics"] for text in _other_rate(item, rate)})
    if set(rows) - {16000}:
        yield from (f"{rate} Hz: {', '.join(labels)}" for rate, labels in rows.items())
        yield from metrics


def _other_rate(item: Mapping[str, Any], rate: int) -> Iterator[str]:
    facts = items.get(METRIC, item["type"]).facts
    if way_to_score(facts, rate) == "down":
        yield f"{metric_name(item)} of signals at {rate} Hz: resampled to {facts.sample_rate} Hz"


def _degradations(shown: Shown) -> Iterator[str]:
    """What happens to the mixtures of sets, by use, where anything does."""
    for use, role, kinds in (("training", "train", ("run",)), ("test", "set", ("scores", "predictions"))):
        found = dict.fromkeys(_degraded(shown.mixtures(key)) for key in shown.sets(role, *kinds))
        if set(found) != {"none"}:
            yield from (f"{use}: {text}" for text in ([" or ".join(found)] if found else []))


def _degraded(mixtures: MixturesSpec) -> str:
    told = []
    for each in mixtures.degradations:
        item = each["item"]
        share = "" if each["probability"] == 1 else f" of {100 * each['probability']:g} %"
        changed = (f"{name} {_drawn(value)}" for name, value in item["params"].items() if value is not None)
        told.append(_with(item["type"], changed) + share)
    return ", then ".join(told) or "none"


def _drawn(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    ((form, values),) = value.items()
    return (" to " if form == "uniform" else "/").join(map(str, values))


def _sweeps(shown: Shown) -> str:
    found = (ChoiceSpec.of(choice.spec) for choice in shown.of_kind("choice"))
    return "; ".join(dict.fromkeys(f"{choice.axis} {', '.join(choice.values)}" for choice in found))


def _external(shown: Shown, spec: Mapping[str, Any]) -> Iterator[str]:
    """Rows whose models were not trained here, each once."""
    for row in spec["rows"]:
        cells = itertools.chain(row["cells"], *row["groups"].values())
        found = (EnhancedSpec.of(enhanced.spec).external for cell in cells for enhanced in _enhanced(shown.nodes, cell))
        model = next(filter(None, found), None)
        if model is not None:
            file = f"file with SHA-256 {model['sha256'][:12]}..."
            yield f"{row['label']}: {model['type']}, {file}, as published, not trained on this corpus"


def _counted(validations: Iterable[int]) -> str:
    found = _alternatives(validations)
    return f"{found} validation{'' if found == '1' else 's'}"


def _with(what: str, details: Iterable[str]) -> str:
    told = ", ".join(details)
    return f"{what} ({told})" if told else what


def _alternatives(found: Iterable[object]) -> str:
    return " or ".join(dict.fromkeys(map(str, found)))

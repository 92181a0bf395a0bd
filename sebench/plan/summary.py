"""`sebench plan`: what would run. Nothing is run and nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sebench.artefacts import Node, Store
from sebench.config.entries import Config
from sebench.corpora.align import aligned_pairs
from sebench.errors import SebenchError
from sebench.files import read_json
from sebench.kinds import KINDS
from sebench.plan.batches import batches
from sebench.plan.build import build_plan
from sebench.plan.cost import Costs, disk_bytes
from sebench.plan.displays import left_out, not_shown
from sebench.plan.nodes import adapter_of
from sebench.plan.outside import outside_code
from sebench.plan.packages import missing_packages
from sebench.plan.plan import Plan

if TYPE_CHECKING:
    import pandas as pd


def shared_runs(config: Config, plan: Plan, corpus: str | None, store: Store) -> dict[str, list[str]]:
    """Run key -> other studies that need the same run at this scale."""
    shared: dict[str, list[str]] = {}
    for name in config.sections["studies"]:
        if name == plan.study.name:
            continue
        try:
            other = build_plan(config, name, plan.scale, corpus, store)
        except SebenchError:  # what is wrong with it is no matter of this plan
            continue
        for node in other.nodes.of_kind("run"):
            if node.key in plan.nodes.by_key:
                shared.setdefault(node.key, []).append(name)
    return shared


def summarise(config: Config, plan: Plan, corpus: str | None, store: Store, cores: int) -> Iterator[str]:
    """The plan in lines."""
    nodes = list(plan.nodes.by_key.values())
    complete = {node.key for node in nodes if store.complete(node)}
    shared = shared_runs(config, plan, corpus, store)
    yield f"{plan.study.name}: {plan.study.entry.title}"
    yield f"scale {plan.scale}, corpus {', '.join(dict.fromkeys(plan.corpora.values()))}"
    yield ""
    labels = (*(planned.cell.label for planned in plan.cells), *plan.choices, *plan.external)
    width = max(map(len, labels)) + 2
    states: Counter[str] = Counter()
    members = Counter(run.key for planned in plan.cells for run in planned.chain)
    for run in plan.nodes.of_kind("run"):
        if members[run.key] > 1:
            state = "done" if run.key in complete else "new"
            about = f"{run.stem}  trained once for {members[run.key]} cells"
            yield f"  {'shared stage':<{width}} seed {run.spec['seed']}  {state:<9}{about}"
    for planned in plan.cells:
        work = [*planned.chain, *planned.in_order()]
        trained = all(run.key in complete for run in planned.chain)
        state = "done" if all(node.key in complete for node in work) else "to score" if trained else "new"
        states[state] += 1
        others = sorted({name for run in planned.chain for name in shared.get(run.key, [])})
        note = f"shared with {', '.join(others)}" if others else ""
        states["shared"] += bool(others)
        own = [run.stem for run in planned.chain if members[run.key] == 1]
        chain = " -> ".join(["...", *own] if len(own) < len(planned.chain) and own else own or [planned.run.stem])
        note += "" if planned.cell.tested else f"{', ' if note else ''}trained for a choice only"
        yield f"  {planned.cell.label:<{width}} seed {planned.cell.seed}  {state:<9}{chain}  {note}".rstrip()
    for label, choice in plan.choices.items():
        values = ", ".join(choice.node.spec["values"])
        work = [node for made in choice.by_seed.values() for node in made.in_order()]
        state = "done" if all(node.key in complete for node in (choice.node, *work)) else "new"
        yield f"  {label:<{width}}         {state:<9}the best {choice.node.spec['axis']} of {values}, by validation"
    for label, row in plan.external.items():
        work = list(row.in_order())
        state = "done" if all(node.key in complete for node in work) else "new"
        made_of = f"external model {row.item['type']}, file {row.item['sha256'][:12]}"
        yield f"  {label:<{width}}         {state:<9}{made_of}: not trained"
    for line in left_out(plan, hints=True):
        yield f"  left out: {line}"
    for name in plan.study.entry.tables:
        if name not in plan.tables:
            yield f"  left out: table {name}: none of its test sets is there"
    for line in (*missing_packages(config, plan), *not_shown(config, plan)):
        yield f"  {line}"
    yield ""
    to_score = f"{states['to score']} trained and to be scored, " if states["to score"] else ""
    yield f"cells: {states['new']} new, {to_score}{states['done']} done, {states['shared']} shared with other studies"
    yield "artefacts:"
    costs = Costs(nodes, store)
    disk = 0.0
    for kind in KINDS.values():
        of_kind = plan.nodes.of_kind(kind.name)
        new_nodes = [node for node in of_kind if node.key not in complete]
        if not of_kind:
            continue
        time = sum(map(costs.work if kind.batches else costs.seconds, new_nodes))
        disk += sum(disk_bytes(node) for node in new_nodes)
        yield f"  {kind.word:<22}{len(new_nodes):>5} to do of {len(of_kind):<5} about {_duration(time)} of one core"
    todo = [node for node in nodes if node.key not in complete]
    made_in = batches(todo, plan.nodes.by_key.__getitem__, store)
    jobs = {made_in.get(node.key, node).key: node for node in todo}
    sent = sum(not KINDS[node.kind].local for node in jobs.values())
    yield f"jobs: {len(jobs)}; submissions: {sent} on a cluster (snakemake --profile slurm)"
    yield f"disk: about {disk / 1e6:,.0f} MB more"
    if todo:
        least, most = costs.duration(todo, cores, made_in)
        yield f"time: {_duration(least)} to {_duration(most)} on {cores} cores, {costs.basis(todo)}"
    else:
        yield "time: none, all is there"
    yield from outside_code(nodes)
    yield from dealt(plan, config)
    yield from separation(plan, store)


def separation(plan: Plan, store: Store) -> Iterator[str]:
    """Guarantee 3 as far as it can be checked now: where a manifest is there; and what its corpus left out."""
    manifests: dict[str, tuple[str, pd.DataFrame]] = {}
    for node in plan.nodes.of_kind("corpus"):
        path = store.outputs(node)["manifest.parquet"]
        if not path.exists():
            yield f"split separation of {node.stem}: checked when its manifest is made"
            continue
        from sebench.corpora.manifest import read_manifest
        from sebench.corpora.separation import repetitions, separation_problems

        manifest = read_manifest(path)
        manifests[node.key] = (node.stem, manifest)
        problems = separation_problems(manifest)
        if problems:
            raise SebenchError(f"{node.stem}: the splits overlap:\n  " + "\n  ".join(problems))
        sound = ", sound" if "sound" in manifest else " (by bytes alone)"
        yield f"split separation of {node.stem}: no speaker, file{sound} or room in two splits"
        yield from (f"  note: {line}" for line in repetitions(manifest))
    if plan.separation is not None and manifests.keys() >= set(plan.separation.parents.values()):
        from sebench.corpora.separation import refuse_crossing

        refuse_crossing(plan.separation, manifests)
        yield "separation across corpora: no test file or sound of one is in training or validation of another"
    yield from said_of_files(plan.nodes.of_kind("corpus"), store)


def said_of_files(corpora: Sequence[Node], store: Store) -> Iterator[str]:
    """How many pairs of each corpus were made equally long, how many files it left out, and where they are listed."""
    for node in corpora:
        if text := aligned_pairs(node, store):
            yield f"{node.stem}: {text}"
        path = store.outputs(node)["rejected.json"]
        if path.exists() and (count := len(read_json(path))):
            yield f"{node.stem}: {count} {'file' if count == 1 else 'files'} left out, listed with reasons in {path}"


def dealt(plan: Plan, config: Config) -> Iterator[str]:
    """Which speakers, kinds and rooms went where, of each corpus that dealt them itself."""
    for name in dict.fromkeys(plan.corpora.values()):
        adapter, root = adapter_of(config, name)
        if root is None:
            continue
        for (role, split), groups in adapter.dealt(root).items():
            more = f", and {len(groups) - 12} more" if len(groups) > 12 else ""
            yield f"{name}: {role} dealt to {split}: {', '.join(groups[:12])}{more}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

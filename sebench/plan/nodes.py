"""From cells to nodes: corpora, mixture plans, rendered sets, chains of runs, enhanced sets, score files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sebench.artefacts import Node, Store, candidate, canonical
from sebench.config import items
from sebench.config.annotations import EntryOf, OptimiserOf
from sebench.config.entries import SECTION_OF, Config, Named
from sebench.config.facts import CORPUS, LOSS, METRIC, NETWORKS
from sebench.config.schema import Amounts, Optimiser, StageAmounts, StageEntry, StudyAmounts
from sebench.config.specs import (
    ChoiceSpec,
    ComplexitySpec,
    CorpusSpec,
    EnhancedSpec,
    MixturesSpec,
    RunSpec,
    ScoresSpec,
    SetSpec,
    StageSpec,
)
from sebench.config.versions import version
from sebench.corpora.separation import USES
from sebench.errors import ConfigError, Problem, SebenchError, nearest
from sebench.files import expanded
from sebench.names import in_path
from sebench.plan.grid import Cell, length, warmup
from sebench.plan.plan import Drawn
from sebench.plan.rates import rate_of
from sebench.plan.resolve import identity, metric_identity, resolve_loss

#: Bytes of what a name says of one item, and of a run's network and loss: the rest of a name still fits.
PART, RUN = 48, 150


class CorpusUnfit(ConfigError):
    """A corpus with mixtures of its own has none at the SNRs that a study tests."""


class CorpusMissing(SebenchError):
    """A corpus that a person must provide is not where the configuration says."""


def corpus_root(config: Config, named: Named) -> Path | None:
    """The folder of a corpus that has one.

    Raises:
        CorpusMissing: no root is set, or it is no folder.
    """
    entry = named.entry
    item = items.get(CORPUS, entry.type)
    if not item.facts.needs_root:
        return None
    from_env = os.environ.get(entry.root_env) if entry.root_env else None
    root = from_env or entry.root
    hint = f"set `root:` at {named.where('root')}" + (f" or the variable {entry.root_env}" if entry.root_env else "")
    hint += _other_corpora(config, named.name)
    if not root:
        raise CorpusMissing(f"corpus {named.name!r} has no root folder: {hint}")
    path = expanded(root, f"corpus {named.name!r}: root")
    if not path.is_dir():
        raise CorpusMissing(f"corpus {named.name!r}: {path} is no folder: {hint}. {item.facts.source}")
    return path.resolve()


def _other_corpora(config: Config, name: str) -> str:
    """Corpora that need nothing published: what to use instead of one that is not here, in words for a hint."""
    usable = {n: named for n, named in config.sections["corpora"].items() if not config.faults("corpora", n)}
    found = {other: items.find(CORPUS, named.entry.type) for other, named in usable.items()}
    told = [
        f"`--corpus {other}` (needs no files)" for other, item in found.items() if item and not item.facts.needs_root
    ]
    own = [other for other, named in usable.items() if named.entry.type == "folder"]
    told += [f"`--corpus {other}` (a folder of your own)" for other in own]
    told = [text for text in told if f" {name}`" not in text]
    return f"; or use {' or '.join(told)}" if told else ""


def corpus_node(config: Config, store: Store, name: str) -> Node:
    """The corpus as a node; a recorded one is fingerprinted."""
    import importlib

    named = config.get("corpora", name)
    described = identity("corpus", named.entry)
    item = items.get(CORPUS, named.entry.type)
    root = corpus_root(config, named)
    fingerprint = ""
    if root is not None:
        from sebench.corpora.fingerprint import fingerprint as fingerprint_of

        adapter = items.build(described, "corpus")
        fingerprint = fingerprint_of(root, adapter.files(root), store.root / "state" / "fingerprints.json")
    packages = {package: importlib.metadata.version(package) for package in item.facts.packages}
    slug = in_path(item.type if item.builtin else item.cls, PART)
    spec = CorpusSpec(
        item=described,
        fingerprint=fingerprint,
        packages=packages,
        strict=named.entry.strict,
        align=named.entry.align,
    )
    return Node("corpus", slug, spec.mapping(), hints={"root": str(root) if root else "", "threads": _all_cores()})


def check_published_snrs(
    config: Config, study: Named, corpus: str, snr_db: Sequence[float], keys: Sequence[str]
) -> None:
    """Refuse test SNRs at which a corpus with mixtures of its own has none.

    Args:
        snr_db: that are asked for.
        keys: of the study, under which they stand.

    Raises:
        CorpusUnfit: names the SNRs that it has.
    """
    adapter, root = adapter_of(config, corpus)
    if root is None or not adapter.paired:
        return
    published = adapter.published_snr_db(root, "test")
    absent = [asked for asked in snr_db if all(abs(asked - snr) >= 0.05 for snr in published)]
    if absent:
        found = f"{', '.join(f'{snr:g}' for snr in absent)} dB, and corpus {corpus!r} has no test mixtures there"
        accepted = ", ".join(f"{snr:g}" for snr in published) or "none: its test mixtures are published sets"
        key = ".".join((study.name, *keys, "snr_db"))
        raise CorpusUnfit([Problem(study.where(*keys, "snr_db"), key, found, accepted)])


def part_of(config: Config, corpus: str, parts: Sequence[str], where: str, key: str) -> str | None:
    """The first of some published test sets that a corpus brings; None where it brings none and need not.

    Args:
        where: file and line that ask for them.
        key: the key there.

    Raises:
        CorpusUnfit: the corpus has mixtures of its own, and none of these sets; names those that it has.
    """
    if not parts:
        return None
    adapter, root = adapter_of(config, corpus)
    published = () if root is None else tuple(adapter.published_parts(root))
    found = next((part for part in parts if part in published), None)
    if found is None and adapter.paired:
        text = f"{', '.join(map(repr, parts))}, and corpus {corpus!r} has no such published test set"
        raise CorpusUnfit([Problem(where, key, text, ", ".join(published) or "none", nearest(parts[0], published))])
    return found


def adapter_of(config: Config, corpus: str) -> tuple[Any, Path | None]:
    """The adapter of a corpus, and where its files lie, if it has any."""
    named = config.get("corpora", corpus)
    return items.build(identity("corpus", named.entry), "corpus"), corpus_root(config, named)


def _all_cores() -> int:
    """Cores that this process may use: in a job, those that were granted."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def mixtures_node(
    corpus: Node,
    mixing: Mapping[str, Any],
    split: str,
    count: int,
    snr_db: float | None = None,
    part: str | None = None,
    degradations: Sequence[Mapping[str, Any]] = (),
) -> Node:
    """The plan of one set of mixtures.

    Args:
        snr_db: of all of them; None: what `mixing` draws, or what published mixtures have.
        part: a published test set of the corpus, with all the SNRs that it has.
        degradations: of what is mixed, complete descriptions.
    """
    spec = MixturesSpec(
        version=version("mixtures"),
        split=split,
        count=count,
        seed=0,
        seconds=None,
        snr_db=snr_db,
        part=part,
        mixing=dict(mixing),
        degradations=list(map(dict, degradations)),
    )
    conditions = ([f"snr{snr_db:g}"] if snr_db is not None else []) + ([in_path(part, PART)] if part else [])
    name = "-".join([corpus.name, f"{split}{count}", *conditions])
    return Node("mixtures", name, spec.mapping(), {"corpus": corpus.key}, {"threads": 1})


def is_published(config: Config, corpus: str, split: str, part: str | None) -> bool:
    """Whether a corpus's mixtures of a split are its own files, which are rendered as they are."""
    if part is not None:
        return True
    adapter, root = adapter_of(config, corpus)
    return root is not None and adapter.paired and bool(adapter.published_snr_db(root, split))


def set_node(mixtures: Node, sample_rate: int, published: bool = False) -> Node:
    """The rendered set of a mixture plan.

    Args:
        published: its mixtures are files of the corpus. How mixtures are made here has a version of its own, so that a
            change of it leaves these sets, and what was trained on them, as they are.
    """
    spec = SetSpec(version=version("published set" if published else "set"), sample_rate=sample_rate)
    parents = {"mixtures": mixtures.key, "corpus": mixtures.parents["corpus"]}
    hints = {"threads": _all_cores(), "count": mixtures.spec["count"], "published": published}
    return Node("set", f"{mixtures.name}-{sample_rate // 1000}k", spec.mapping(), parents, hints)


def separation_node(trained: Sequence[Node], tested: Sequence[Node]) -> Node | None:
    """The comparison of what is tested with what other corpora give to training; None where there is no other corpus.

    Args:
        trained: corpora, in any order and number.
        tested: corpora, the same.
    """
    if not tested or len({corpus.key for corpus in (*trained, *tested)}) < 2:
        return None
    uses = zip(USES, (trained, tested), strict=True)
    parents = {f"{use} {corpus.id}": corpus.key for use, corpora in uses for corpus in corpora}
    name = "-".join(sorted({corpus.name for corpus in (*trained, *tested)}))
    return Node("separation", name, {"version": version("separation")}, parents, {"threads": 1})


def stage_spec(
    config: Config, stage: StageEntry, amounts: Amounts, select_by: str, changes: StudyAmounts, rows: int
) -> StageSpec:
    """A stage with all its amounts.

    Args:
        changes: what the study changes at this scale.
        rows: of the training set.
    """
    own = changes.stages.get(stage.name, StageAmounts())
    lr_factor = changes.lr_factor * own.lr_factor
    steps, validate_every = length(stage, amounts, own, rows)
    item = stage.item
    by_loss = select_by == "loss" or not item.facts.by_metric
    schedule = {**stage.schedule.model_dump(), "warmup_steps": warmup(stage, amounts)}
    if own.patience is not None:
        schedule["patience"] = own.patience
    if schedule["stop_lr"] is not None:
        schedule["stop_lr"] *= lr_factor
    params: dict[str, Any] = {}
    for name, param in item.params.items():
        value = getattr(own, name, None) or getattr(stage, name)
        if isinstance(param.mark, OptimiserOf):
            params[name] = _optimiser(value, lr_factor)
        elif not isinstance(param.mark, EntryOf):
            params[name] = value
        elif param.mark.kind not in NETWORKS:
            params[name] = _described(config, param.mark.kind, value)
    # Without the stage's name: two recipes that train the same thing share the run.
    return StageSpec(
        kind=item.type if item.builtin else item.path,
        steps=steps,
        batch_size=amounts.batch_size,
        segment_seconds=amounts.segment_seconds if stage.utterances == "segments" else None,
        optimiser=_optimiser(stage.optimiser, lr_factor),
        schedule=schedule,
        clip_norm=stage.clip_norm,
        augment=list(stage.augment),
        validate_every=validate_every,
        validate_by="loss" if by_loss else {"metric": dict(metric_identity(config, select_by))},
        keep=stage.keep,
        precision=stage.precision,
        threads=amounts.threads,
        devices=amounts.devices if item.facts.devices else 1,
        freeze=sorted(stage.freeze),
        mixtures=own.mixtures,
        **params,
    )


def _described(config: Config, kind: str, name: str) -> Mapping[str, Any]:
    """What a stage gets of an entry that it names and does not train."""
    if kind == METRIC:
        return metric_identity(config, name)
    if kind == LOSS:
        return resolve_loss(config, name).tree
    return identity(kind, config.get(SECTION_OF[kind], name).entry)


def _optimiser(optimiser: Optimiser, lr_factor: float) -> dict[str, Any]:
    return {**optimiser.model_dump(), "lr": optimiser.lr * lr_factor}


def run_nodes(
    config: Config,
    cell: Cell,
    amounts: Amounts,
    select_by: str,
    data: Mapping[str, Mapping[str, Drawn]],
    changes: StudyAmounts,
) -> list[Node]:
    """The chain of runs that a cell ends in, first stage first.

    Args:
        data: role that a stage trains on -> its sets "train" and "valid", at every rate that is needed.
        changes: what the study changes at this scale.
    """
    chain: dict[str, Node] = {}
    for stage in config.get("recipes", cell.recipe).entry.stages:
        model_name = stage.model or cell.model
        networks = {"model": identity("model", config.get("models", model_name).entry, changes.models.get(model_name))}
        for name, (mark, entry) in stage.own(EntryOf).items():
            if mark.kind in NETWORKS:
                section = SECTION_OF[mark.kind]
                changed = getattr(changes, section, {}).get(entry)
                networks[name] = identity(mark.kind, config.get(section, entry).entry, changed)
        drawn = data[stage.data or next(iter(data))]
        sets = {use: drawn[use].at(rate_of(networks["model"])) for use in ("train", "valid")}
        parents = {"train": sets["train"].key, "valid": sets["valid"].key}
        parents.update({f"init:{module}": chain[source].key for module, source in stage.init.items()})
        settings = stage_spec(config, stage, amounts, select_by, changes, sets["train"].hints["count"])
        facts = stage.item.facts
        slugs = [_slug(networks[name]) for name in dict.fromkeys([*facts.publishes, *networks])]
        loss = resolve_loss(config, stage.loss or cell.loss) if facts.takes_loss else None
        if loss is not None:
            slugs.append(loss.slug)
        spec = RunSpec(
            version=facts.version,
            code=None if stage.item.builtin else stage.item.code,
            stage=settings,
            loss={} if loss is None else dict(loss.tree),
            seed=cell.seed,
            init={module: f"init:{module}" for module in sorted(stage.init)},
            **networks,
        )
        hints = {"label": cell.label, "stage": stage.name, "threads": settings.threads * settings.devices}
        name = f"{in_path('-'.join(slugs), RUN)}-s{cell.seed}"
        chain[stage.name] = Node("run", name, spec.mapping(), parents, hints)
    return list(chain.values())


def _slug(item: Mapping[str, Any]) -> str:
    return str(item["type"]).rpartition(":")[2]


def choice_node(axis: str, by: Mapping[str, Any], runs: Mapping[tuple[str, int], Node], label: str) -> Node:
    """The best value of a sweep, of those whose runs are given.

    Args:
        axis: the parameter that is swept.
        by: what validation measures (name, higher_is_better).
        runs: (value, seed) -> run.
    """
    spec = ChoiceSpec(
        version=version("choice"),
        axis=axis,
        by=by["name"],
        higher_is_better=by["higher_is_better"],
        values=list(dict.fromkeys(value for value, _ in runs)),
        seeds=sorted({seed for _, seed in runs}),
    )
    parents = {candidate(value, seed): run.key for (value, seed), run in runs.items()}
    return Node("choice", f"best-{in_path(axis, PART)}", spec.mapping(), parents, {"label": label, "threads": 1})


def enhanced_node(run: Node, rendered: Node, seed: int | None = None) -> Node:
    """A test set passed through a trained run.

    Args:
        run: a run, or a choice of one.
        seed: of a choice's runs.
    """
    name = f"{run.name}-{rendered.name.partition('-test')[2] or rendered.name}"
    parents = {"run": run.key, "set": rendered.key}
    if seed is not None:
        name = f"{run.name}-s{seed}-{rendered.name.partition('-test')[2] or rendered.name}"
        # any of them can be the one whose weights are read
        parents |= {role: run.parents[role] for role in (candidate(v, seed) for v in run.spec["values"])}
    hints = {"threads": 1, "count": rendered.hints["count"], "sample_rate": rendered.spec["sample_rate"]}
    return Node("enhanced", name, EnhancedSpec(version=version("enhanced"), seed=seed).mapping(), parents, hints)


def external_node(item: Mapping[str, Any], file: Path, rendered: Node) -> Node:
    """A test set passed through a model that others trained.

    Args:
        item: its identity, with the SHA-256 of its file.
        file: where that lies here; no part of any id.
    """
    name = f"{in_path(_slug(item), PART)}_{item['sha256'][:6]}-{rendered.name.partition('-test')[2] or rendered.name}"
    spec = EnhancedSpec(version=version("enhanced"), external=dict(item))
    rate = rendered.spec["sample_rate"]
    hints = {"threads": 1, "count": rendered.hints["count"], "sample_rate": rate, "file": str(file)}
    return Node("enhanced", name, spec.mapping(), {"set": rendered.key}, hints)


def scores_node(metrics: Iterable[Mapping[str, Any]], rendered: Node, enhanced: Node | None) -> Node:
    """The scores of an enhanced set, or of the unprocessed mixtures; each metric once."""
    rate = rendered.spec["sample_rate"]
    scored = (_at(metric, rate) for metric in metrics)
    distinct = {canonical(metric): metric for metric in scored}.values()
    ordered = sorted(distinct, key=lambda metric: (str(metric["type"]), str(metric.get("name", ""))))
    parents = {"set": rendered.key}
    if enhanced is not None:
        parents["enhanced"] = enhanced.key
    name = enhanced.name if enhanced is not None else f"noisy-{rendered.name}"
    # A process pool pays where a job is long; many short jobs fill the cores by themselves.
    # The noisy row has all cores: nothing is trained before it is scored.
    threads = _all_cores() if enhanced is None else max(1, min(_all_cores(), rendered.hints["count"] // 100))
    hints = {"threads": threads, "noisy": enhanced is None, "count": rendered.hints["count"]}
    return Node("scores", name, ScoresSpec(version=version("scores"), metrics=ordered).mapping(), parents, hints)


def _at(metric: Mapping[str, Any], sample_rate: int) -> dict[str, Any]:
    """A metric of signals of a rate: said where it is not the metric's own, as it is scored in another way there."""
    own = items.get(METRIC, metric["type"]).facts.sample_rate == sample_rate
    return dict(metric) if own else {**metric, "sample_rate": sample_rate}


def complexity_node(model: Mapping[str, Any]) -> Node:
    """Parameters and operations of a model."""
    name = str(model["type"]).rpartition(":")[2]
    spec = ComplexitySpec(version=version("complexity"), model=dict(model))
    return Node("complexity", name, spec.mapping(), hints={"threads": 1})

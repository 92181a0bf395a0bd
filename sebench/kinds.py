"""The kinds of nodes: what each is, in one table. Everything that depends on a node's kind reads it here.

Of what lies above this module there are names only, `module` or `module:function` of sebench.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

#: What stands in for lengths that only the recordings tell, where the space of audio is estimated.
_SECONDS_PER_UTTERANCE, _BYTES_PER_SAMPLE = 4.0, 4
#: Hz; what `unit_bytes` of audio is for.
SAMPLE_RATE = 16000
_SIGNAL = _SECONDS_PER_UTTERANCE * SAMPLE_RATE * _BYTES_PER_SAMPLE

_Content = Mapping[str, Any]


@dataclass(frozen=True)
class Algorithm:
    """What has a version (`sebench.config.versions`).

    Args:
        version: of its results.
        starts: what decides them, as `sebench`'s `module:name`: its code counts, and all that it refers to, but for
            the modules of `code.INFRASTRUCTURE`.
        apart: what has a version of its own instead, where it is defined.
    """

    version: int
    starts: tuple[str, ...]
    apart: tuple[str, ...] = ()


def _counted(spec: _Content, hints: _Content) -> float:
    del spec
    return float(hints.get("count", 0))


@dataclass(frozen=True)
class Kind:
    """One kind of node.

    Args:
        name: as in "kind:id".
        folder: under `results/`, with one folder a node.
        outputs: the files that Snakemake is told of; small and final, all else is in `results/state/`.
        step: module whose `run(node, store, threads)` makes one.
        word: several of them, for people.
        spec, parents: what is hashed, for docs/architecture.md.
        rule: of the workflow, and the folder of its logs; "" where only batches make them.
        batches: kinds of the batches that make them.
        batch: whether it is itself a batch (`sebench.plan.batches`): the job that makes several missing nodes.
        algorithm: whose version its spec holds; None where that depends on the kind of stage or figure.
        priority: of its jobs: the higher, the earlier.
        local: whether the driver makes it itself: seconds of work on small files.
        memory_mb, minutes: that a job asks for, at its first try.
        torch: whether its step imports torch.
        fixed_seconds, unit_seconds: of one core where nothing was measured yet, without the start of its process; on
            two x86-64 cores.
        units: how much work a node is, from its spec and hints.
        unit_bytes: on the disk.
        whole: `module:function` of (node, store): whether what other steps read of its state is there. "" where none
            read it; such files may be deleted, and are made again for who needs them.
    """

    name: str
    folder: str
    outputs: tuple[str, ...]
    step: str
    word: str
    spec: str
    parents: str
    rule: str = ""
    batches: tuple[str, ...] = ()
    batch: bool = False
    algorithm: Algorithm | None = None
    priority: int = 0
    local: bool = False
    memory_mb: int = 2000
    minutes: int = 20
    torch: bool = False
    fixed_seconds: float = 0.0
    unit_seconds: float = 0.0
    units: Callable[[_Content, _Content], float] = _counted
    unit_bytes: float = 0.0
    whole: str = ""


#: The folder under `results/` with the markers of batches.
JOBS = "jobs"


def _batch(name: str, rule: str, word: str, priority: int) -> Kind:
    return Kind(
        name=name,
        folder=f"{JOBS}/{name}",
        outputs=("made.json",),
        step="run.batch",
        rule=rule,
        word=word,
        spec="`pieces` (keys), `generation`",
        parents="-",
        batch=True,
        priority=priority,
    )


#: In the order of the work; last the batches.
_ALL = (
    Kind(
        name="corpus",
        folder="corpora",
        outputs=("manifest.parquet", "rejected.json"),
        step="corpora.step",
        rule="corpus",
        word="corpora",
        spec="`item` (type, version or code hash, params), `fingerprint`, `packages`; where they are set `strict` and "
        "`align`",
        parents="-",
        priority=100,
        minutes=60,
        fixed_seconds=58.0,
        whole="corpora.step:is_whole",
    ),
    Kind(
        name="mixtures",
        folder="mixtures",
        outputs=("mixtures.parquet",),
        step="synthesis.plan",
        word="mixture plans",
        spec="`split`, `count`, `seed`, `seconds`, `snr_db`, `part`, `mixing` (resolved entry), `version`; where there "
        "are any `degradations` (items, whose parameters may be distributions, with probability and packages)",
        parents="`corpus`",
        algorithm=Algorithm(1, ("synthesis.plan:plan_mixtures",)),
        memory_mb=1000,
        minutes=10,
        fixed_seconds=0.1,
        unit_seconds=0.002,
        units=lambda spec, hints: float(spec["count"]),
        batches=("data", "test_data"),
    ),
    Kind(
        name="set",
        folder="sets",
        outputs=("index.parquet",),
        step="synthesis.render",
        word="rendered sets",
        spec="`version` (published mixtures have one of their own), `sample_rate`",
        parents="`mixtures`, `corpus`",
        algorithm=Algorithm(3, ("synthesis.render:render_mixture",), ("synthesis.mixture:published",)),
        minutes=60,
        fixed_seconds=0.1,
        unit_seconds=0.02,
        unit_bytes=2 * _SIGNAL,
        whole="synthesis.render:is_whole",
        batches=("data", "test_data"),
    ),
    Kind(
        name="separation",
        folder="separations",
        outputs=("separation.json",),
        step="corpora.separation",
        rule="separate",
        word="comparisons of corpora",
        spec="`version`",
        parents="`trained ID` and `tested ID`: the corpora that a study trains on and tests on, where these are "
        "several",
        algorithm=Algorithm(1, ("corpora.separation:crossing_problems",)),
        priority=100,
    ),
    Kind(
        name="run",
        folder="runs",
        outputs=("run.json", "history.json", "checkpoint.safetensors"),
        step="training.step",
        rule="train",
        word="training runs",
        spec="`stage`, `model`, `loss`, `seed`, `init`, `version`; other networks under the names "
        "of the parameters that name them (`predictor`); of a kind of stage from outside `code`",
        parents="`train`, `valid`, and one `init:SUBMODULE` for each entry of `init`",
        priority=10,
        memory_mb=4000,
        minutes=720,
        torch=True,
        unit_seconds=0.2,
        units=lambda spec, hints: float(spec["stage"]["steps"]),
    ),
    Kind(
        name="choice",
        folder="choices",
        outputs=("choice.json",),
        step="training.choice",
        rule="choose",
        word="choices",
        spec="`axis`, `by`, `higher_is_better`, `values`, `seeds`, `version`",
        parents="the runs of all values and seeds",
        algorithm=Algorithm(1, ("training.choice:decide",)),
        priority=15,
        local=True,
    ),
    Kind(
        name="enhanced",
        folder="enhanced",
        outputs=("index.parquet",),
        step="enhancement.step",
        word="enhanced sets",
        spec="`version`; of a choice `seed`; of an external model `external` (item with `sha256`)",
        parents="`run` (a run or a choice), `set`; of a choice also the runs that can win; of an external model `set` "
        "alone",
        algorithm=Algorithm(1, ("enhancement.step:outputs", "enhancement.step:entry", "enhancement.external:outputs")),
        torch=True,
        fixed_seconds=0.1,
        unit_seconds=0.03,
        unit_bytes=_SIGNAL,
        whole="enhancement.estimates:is_whole",
        batches=("evaluation",),
    ),
    Kind(
        name="scores",
        folder="scores",
        outputs=("scores.parquet",),
        step="scoring.step",
        word="score files",
        spec="`metrics` (list of items with implementation and version), `version`",
        parents="`set`, and `enhanced` unless the unprocessed mixture is scored",
        algorithm=Algorithm(1, ("scoring.step:score", "scoring.step:assemble")),
        fixed_seconds=0.5,
        unit_seconds=0.3,
        batches=("evaluation", "noisy"),
    ),
    Kind(
        name="predictions",
        folder="predictions",
        outputs=("predictions.parquet",),
        step="enhancement.predictions",
        word="predictions",
        spec="`version`",
        parents="`run` (of a predictor), `set`, and `enhanced` unless the unprocessed mixture is judged",
        algorithm=Algorithm(1, ("enhancement.predictions:predicted",)),
        torch=True,
        fixed_seconds=0.1,
        unit_seconds=0.03,
        batches=("prediction",),
    ),
    Kind(
        name="complexity",
        folder="complexity",
        outputs=("complexity.json",),
        step="models.complexity",
        word="complexities",
        spec="`model`, `version`",
        parents="-",
        algorithm=Algorithm(1, ("models.complexity:complexity",)),
        minutes=10,
        torch=True,
        fixed_seconds=1.0,
        batches=("sizes",),
    ),
    Kind(
        name="table",
        folder="tables/by-id",
        outputs=("table.json", "table.md", "table.csv", "table.tex"),
        step="tables.step",
        rule="table",
        word="tables",
        spec="`layout`, `rows`, `columns`, `choices`, `published`, `claims`, `footer`, `title`, `version`",
        parents="all score, prediction, complexity, run and choice nodes that it reads, each under its own key",
        algorithm=Algorithm(5, ("tables.step:build_table", "tables.step:WRITERS")),
        local=True,
        memory_mb=1000,
        minutes=10,
    ),
    Kind(
        name="figure",
        folder="figures/by-id",
        outputs=("figure.png", "figure.svg", "figure.csv"),
        step="figures.step",
        rule="figure",
        word="figures",
        spec="`figure` (its kind), `title`, `version`, and what the kind needs",
        parents="sets, enhanced nodes, choices, runs, scores or predictions that it shows",
        local=True,
        minutes=10,
        fixed_seconds=2.0,
    ),
    # The readable copy of a study's current tables; its marker carries the id, so a change back is seen as one.
    Kind(
        name="publication",
        folder="tables",
        outputs=(".current-{id}",),
        step="tables.publication",
        rule="publish",
        word="publications",
        spec="`place`",
        parents="every table and figure of the study",
        local=True,
    ),
    _batch("test_data", "render_test", "the missing test sets of a corpus, with their mixture plans", 80),
    _batch("noisy", "score_noisy", "the missing scores of a corpus's unprocessed mixtures", 100),
    _batch("data", "render", "a set for training or validation, with its mixture plan", 50),
    _batch("evaluation", "evaluate", "the missing enhanced sets and scores of a run, all conditions", 30),
    _batch("prediction", "predict", "the missing predictions of a run", 20),
    _batch("sizes", "complexity", "the missing complexities", 0),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})

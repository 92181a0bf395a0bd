"""What every kind of stage must hold, built-in or from outside: plain functions, usable in tests of one's own.

Beside the loop that trains, and not in `sebench.contracts`: it needs that loop, which itself tests networks by theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sebench.artefacts import Node, Store
from sebench.config import items
from sebench.config.annotations import EntryOf, OptimiserOf
from sebench.config.facts import DISCRIMINATOR, LOSS, LOSS_PART, STAGE, StageFacts
from sebench.config.specs import RunSpec
from sebench.contracts.base import ContractBroken, Verdict, judged
from sebench.errors import RestartNeeded, SebenchError
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.files import read_json, write_json, write_parquet
from sebench.models.base import Model
from sebench.process.interrupt import Interruption
from sebench.process.lease import Lease
from sebench.seeding import generator
from sebench.training import step
from sebench.training.checkpoint import Checkpoint, Checkpoints, load_weights, read, write
from sebench.training.device import pick_device, repeatable
from sebench.training.engine import Engine
from sebench.training.kinds import build_stage, kind_of, networks_of
from sebench.training.stage import Stage, begin_step, build_model, build_network, snapshot
from sebench.training.team import ALONE

RATE = 16000
#: Of the training set: the last minibatch of an epoch over whole utterances is smaller than the others.
UTTERANCES, BATCH_SIZE, STEPS, VALIDATE_EVERY = 5, 2, 9, 3
#: What a parameter has for a value that no type of ours takes.
NO_VALUE = [[{"no": "value"}]]
#: The submodule of the model that does not train, where a kind can leave parts of it alone.
FROZEN = "front"


class _Front(nn.Module):
    """A short context of each sample; its dropout and its running mean depend on what came before."""

    def __init__(self) -> None:
        super().__init__()
        self.context = nn.Conv1d(1, 4, 5, padding=2)
        self.normalise = nn.BatchNorm1d(4)
        self.dropout = nn.Dropout(0.3)

    def forward(self, noisy: Tensor) -> Tensor:
        found: Tensor = self.dropout(torch.tanh(self.normalise(self.context(noisy[:, None]))))
        return found


class SmallModel(Model):
    """A gain per sample, in two parts: the model that stages are tested with."""

    views = ("waveform",)
    sample_rate = 16000
    causal = False
    submodules = ("front",)

    def __init__(self) -> None:
        super().__init__()
        self.front = _Front()
        self.back = nn.Conv1d(4, 1, 1)

    def forward(self, batch: Batch) -> Estimate:
        """A gain between 0 and 1 on each sample."""
        return Estimate(batch, waveform=torch.sigmoid(self.back(self.front(batch.noisy)))[:, 0] * batch.noisy)


MODEL = {"type": f"{__name__}:SmallModel", "params": {}}
METRIC = {"type": "si_sdr", "params": {"zero_mean": True}, "implementation": "sebench si_sdr"}
OPTIMISER = {"type": "adam", "lr": 0.02, "weight_decay": 0.01, "betas": [0.9, 0.999]}
#: Small entries of networks and metrics, by kind; of another kind the first that is registered, with its defaults.
ENTRIES: Mapping[str, Mapping[str, Any]] = {
    "model": MODEL,
    "metric": METRIC,
    "predictor": {
        "type": "pesqnet",
        "params": {
            "channels": 2, "kernels": 3, "widths": [1, 2], "hidden": 3, "dense": [4], "block": 4, "block_hop": 4,
            "window_length": 64, "hop": 32, "n_fft": 64,
        },
    },
    DISCRIMINATOR: {"type": "stft", "params": {}},
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A kind of stage under test.

    Args:
        kind: its name, or `package.module:Class`.
        folder: empty; stores of tiny runs are made in it.
        params: keys of a recipe's stage; what is not given has its default, entries and optimisers small ones.
    """

    kind: str
    folder: Path
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def item(self) -> items.Item[StageFacts]:
        """What the planner knows of it."""
        return items.get(STAGE, self.kind)

    @functools.cached_property
    def trained(self) -> tuple[Store, Node]:
        """A run of it that nothing interrupted."""
        store = Store(self.folder / "trained")
        node = self.run(store)
        step.run(node, store)
        return store, node

    def run(self, store: Store, bad: str = "", **changes: Any) -> Node:
        """A run of a few steps over short tones in noise, frozen, and the runs that it starts from, finished.

        Args:
            store: where they are made.
            bad: "train" or "valid": that set has an utterance with infinite samples.
            changes: of the stage.
        """
        facts = self.item.facts
        sets = {
            name: rendered(store, name, count, seed, 1 if name == bad else None)
            for name, count, seed in (("train", UTTERANCES, 1), ("valid", 3, 2))
        }
        stage = {
            "kind": self.kind,
            "steps": STEPS,
            "batch_size": BATCH_SIZE,
            "segment_seconds": None if facts.whole_epochs else 0.12,
            "optimiser": OPTIMISER,
            "schedule": {
                "type": "constant",
                "warmup_steps": 2,
                "final_factor": 0.0,
                "patience": 1,
                "stop_lr": None,
            },
            "clip_norm": 1.0,
            "validate_every": VALIDATE_EVERY,
            "validate_by": {"metric": METRIC} if facts.by_metric else "loss",
            "keep": "best",
            "precision": "32-true",
            "threads": 1,
            "devices": 1,
            "augment": [],
            "freeze": [FROZEN] if facts.parts else [],
        }
        roles = sorted({*facts.needs, *facts.starts})
        spec: dict[str, Any] = {
            "version": facts.version,
            "model": MODEL,
            "loss": self._loss(),
            "seed": 0,
            "init": {role: f"init:{role}" for role in roles},
            "stage": {**stage, **changes},
        }
        networks = networks_of(self.item)
        for name in self.item.params:
            beside = name in networks
            given = self.params[name] if name in self.params else self._value(name)
            (spec if beside else spec["stage"])[name] = given
        checked = RunSpec.of(spec)
        parents = {f"init:{role}": parent(store, checked, role) for role in roles}
        keys = {role: node.key for role, node in (sets | parents).items()}
        node = Node("run", "contract", spec, keys)
        store.freeze(node)
        return node

    def _loss(self) -> dict[str, Any]:
        """By the target, and by every loss that passes the estimate through a network that the stage offers."""
        offered = set(self.item.facts.offers)
        through = [
            loss.type for loss in items.registry(LOSS).values() if loss.facts.uses and offered >= set(loss.facts.uses)
        ]
        parts = [{"weight": 1.0, "loss": {"item": {"type": name}}} for name in ("mag_mse", *through)]
        return {"sum": parts} if through else parts[0]["loss"]  # type: ignore[return-value]

    def _value(self, name: str) -> Any:
        param = self.item.params[name]
        if isinstance(param.mark, OptimiserOf):
            return OPTIMISER
        if isinstance(param.mark, EntryOf):
            return ENTRIES.get(param.mark.kind) or {"type": next(iter(items.registry(param.mark.kind))), "params": {}}
        if param.required:
            raise SebenchError(f"{self.kind}: parameter {name!r} has no default: a kind is tested with its defaults")
        return param.default


Check = Callable[[Subject], str]


def rendered(store: Store, name: str, count: int, seed: int, bad: int | None = None) -> Node:
    """A rendered set of short tones in noise; row `bad` holds infinite samples."""
    mixtures = Node("mixtures", name, {"seed": seed, "count": count, "bad": bad})
    node = Node("set", name, {"version": 1, "sample_rate": RATE}, {"mixtures": mixtures.key})
    random = generator("tiny", seed)
    rows, pieces, position = [], [], 0
    for i in range(count):
        samples = 1600 + 320 * i
        time = np.arange(samples) / RATE
        speech = 0.3 * np.sin(2 * np.pi * (200 + 100 * i) * time) * np.sin(2 * np.pi * 4 * time)
        noise = 0.1 * random.standard_normal(samples)
        if i == bad:
            noise[samples // 2 :] = np.inf
        pieces += [speech.astype("<f4"), noise.astype("<f4")]
        rows.append(
            {
                "mixture": f"{name}-{i}",
                "index": i,
                "samples": samples,
                "shard": 0,
                "speech_offset": position,
                "noise_offset": position + samples,
                "dry_offset": -1,
            }
        )
        position += 2 * samples
    store.state(node).mkdir(parents=True, exist_ok=True)
    np.concatenate(pieces).tofile(store.state(node) / "shard-00000.f32")
    write_parquet(store.outputs(node)["index.parquet"], pd.DataFrame(rows))
    store.freeze(mixtures)
    store.freeze(node)
    return node


def network_of(spec: RunSpec, role: str) -> str:
    """The network that starts from where `init` says: the product, one of its own name, or else the model."""
    kind = kind_of(spec)
    if role == "":
        return kind.facts.publishes[0]
    return role if role in networks_of(kind) else "model"


def fresh(spec: RunSpec, network: str, seed: int) -> nn.Module:
    """An untrained network of a run."""
    if network == "model":
        return build_model(spec.model, seed)
    found: nn.Module = build_network(networks_of(kind_of(spec))[network], spec.networks[network], seed)
    return found


def parent(store: Store, spec: RunSpec, role: str) -> Node:
    """A finished run with fresh weights of the network that starts from it, other ones than the run's own."""
    node = Node("run", "parent", {"contract": role})
    files = store.outputs(node)
    files["run.json"].parent.mkdir(parents=True, exist_ok=True)
    weights = snapshot(fresh(spec, network_of(spec, role), spec.seed + 1))
    write(files["checkpoint.safetensors"], Checkpoint(weights, {"format": 1}))
    write_json(files["history.json"], [])
    write_json(files["run.json"], {"status": "ok"})
    store.freeze(node)
    return node


class _Watch(Interruption):
    """Notes at which step the loop asks whether it is to stop; says so the `at`th time."""

    def __init__(self, at: int | None = None) -> None:
        super().__init__()
        self.at = at
        self.steps: list[int] = []
        self.engine: Engine | None = None

    @property
    def requested(self) -> bool:
        """Whether it is time."""
        assert self.engine is not None
        self.steps.append(self.engine.step)
        self.name = "a request" if len(self.steps) - 1 == self.at else ""
        return bool(self.name)


def _attempt(store: Store, node: Node, watch: _Watch) -> None:
    """Train as a step does, to the end or until `watch` says so."""
    with (
        repeatable(RunSpec.of(node.spec).stage.threads),
        Lease(store.state(node)).acquire() as held,
        step.labels_of(node, store, f"{node.id}-{held.generation}") as labels,
    ):
        context = step.context_of(node, store, pick_device(), ALONE, labels)
        stage = build_stage(context)
        spec = context.spec
        watch.engine = Engine(stage, spec.seed, spec.stage, Checkpoints(held), watch, context.initial)
        watch.engine.train()


def moments(asked: list[int]) -> dict[str, int]:
    """Where to interrupt: after a step of the first epoch and one of the second, and within a validation.

    Args:
        asked: the step at which the loop asked each time, of a run that nothing interrupted.
    """
    found = {f"after step {at}": asked.index(at) for at in (VALIDATE_EVERY - 1, VALIDATE_EVERY + 1) if at in asked}
    # one ask follows the step itself, the others come from the validation
    validating = [i for i in range(2, len(asked)) if 0 < asked[i] == asked[i - 1] == asked[i - 2]]
    return found | {f"in the validation after step {asked[i]}": i for i in validating[:1]}


def check_interruption(subject: Subject) -> str:
    """Interrupted after a step and in a validation, and resumed: bit for bit what comes out uninterrupted."""
    store, node = subject.trained
    expected = {name: path.read_bytes() for name, path in store.outputs(node).items()}
    watch = _Watch()
    other = Store(subject.folder / "watched")
    _attempt(other, subject.run(other), watch)
    found = moments(watch.steps)
    _require(any("validation" in moment for moment in found), "its validation never asks whether to pause")
    for moment, at in found.items():
        other = Store(subject.folder / moment.replace(" ", "-"))
        again = subject.run(other)
        try:
            _attempt(other, again, _Watch(at))
        except RestartNeeded:
            step.run(again, other)
        else:
            raise ContractBroken(f"{moment} it did not stop where it was asked to")
        for name, path in other.outputs(again).items():
            _require(path.read_bytes() == expected[name], f"interrupted {moment}, another {name}")
    return ""


def check_frozen(subject: Subject) -> str:
    """What is frozen does not move by a bit, in a step or in a validation, and what is trained does."""
    store = Store(subject.folder / "frozen")
    node = subject.run(store)
    facts = subject.item.facts
    with repeatable(1), step.labels_of(node, store, "contract") as labels:
        context = step.context_of(node, store, pick_device(), ALONE, labels)
        stage = build_stage(context)
        loaded = {}
        for role, (_, weights) in context.initial.items():
            network = _network_with(stage, weights)
            _require(network is not None, f"no network of it starts with the weights that `init` has for {role!r}")
            assert network is not None
            loaded[role] = network, weights
        begun = {name: tensor.clone() for name, tensor in stage.published().items()}
        stage.prepare(lambda: None)
        for number in range(STEPS):
            before = _states(stage)
            begin_step(stage, 0, number, 1.0)
            stage.step(number)
            _unmoved(before, _frozen(stage), f"step {number}")
            if (number + 1) % VALIDATE_EVERY == 0:
                before = _states(stage)
                stage.validate(number + 1, lambda: None)
                _unmoved(before, _states(stage), f"the validation after step {number + 1}")
        for role, (network, weights) in loaded.items():
            if network_of(RunSpec.of(node.spec), role) not in facts.trains:
                same = _holds(network, weights)
                _require(same, f"what starts from {role!r} moved, and is no network that `trains` names")
        published = Checkpoint(stage.published())
    for name in facts.publishes:
        weights, first = _weights(published, facts, name), _weights(Checkpoint(begun), facts, name)
        still = {key for key in first if torch.equal(weights[key], first[key])}
        if name in facts.trains:
            _require(len(still) < len(first), f"{name} did not move, and `trains` names it")
        if name == "model" and facts.parts:
            moved = {key for key in first if key.startswith(f"{FROZEN}.")} - still
            _require(not moved, f"`freeze` names a part of the model, and it moved: {', '.join(sorted(moved))}")
    return ""


def check_published(subject: Subject) -> str:
    """Each network that `publishes` names loads from the published checkpoint, which needs no other file."""
    store, node = subject.trained
    facts = subject.item.facts
    report = read_json(store.outputs(node)["run.json"])
    _require(report["status"] == "ok", f"it failed: {report['reason']}")
    found = read(store.outputs(node)["checkpoint.safetensors"])
    published = {name: value for name, value in found.meta.items() if name in facts.publishes}
    spec = RunSpec.of({**node.spec, **published})
    for name in facts.publishes:
        load_weights(fresh(spec, name, 5), _weights(found, facts, name), f"its {name}")
    names = {name for name in found.tensors if "/" in name and name.partition("/")[0] not in facts.publishes}
    _require(not names, f"a checkpoint with weights of no network that `publishes` names: {', '.join(sorted(names))}")
    return ""


def check_parameters(subject: Subject) -> str:
    """Its parameters are checked: a wrong type, one that there is not."""
    for name, param in subject.item.params.items():
        try:
            param.validate(NO_VALUE)
        except ValueError:
            continue
        raise ContractBroken(f"parameter {name!r} takes {NO_VALUE}: annotate it with what it takes")
    spec = RunSpec.of(subject.run(Store(subject.folder / "parameters")).spec)
    params = {name: (spec.stage.own | spec.own)[name] for name in subject.item.params}
    made = items.build({"type": subject.kind, "params": params}, STAGE)
    _require(isinstance(made, Stage), f"makes a {type(made).__name__}: derive it from {Stage.__module__}.Stage")
    try:
        items.build({"type": subject.kind, "params": {**params, "no_such_parameter": 1}}, STAGE)
    except items.ItemError:
        return ""
    raise ContractBroken("a parameter that it does not have is no error")


def check_not_finite(subject: Subject) -> str:
    """A value that is not finite, in training or in validation, is a failure that the run records, with its reason."""
    for bad in ("train", "valid"):
        store = Store(subject.folder / f"not-finite-{bad}")
        node = subject.run(store, bad)
        step.run(node, store)
        report = read_json(store.outputs(node)["run.json"])
        where = f"infinite samples in the set {bad!r}"
        _require(report["status"] == "failed", f"{where}: status {report['status']}")
        _require("not finite" in report["reason"], f"{where}: the reason is {report['reason']!r}")
        tensors = read(store.outputs(node)["checkpoint.safetensors"]).tensors
        wrong = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
        _require(not wrong, f"{where}: published weights that are not finite: {', '.join(wrong)}")
    return ""


def check_history(subject: Subject) -> str:
    """Its history has the columns that `tells` names, those of the loop, and parts of a loss, and no others."""
    store, node = subject.trained
    found = {name: None for row in read_json(store.outputs(node)["history.json"]) for name in row}
    known = subject.item.facts.columns
    more = [name for name in found if name not in known and not name.startswith(LOSS_PART)]
    _require(not more, f"`tells` does not name {', '.join(more)}")
    return ""


CHECKS: tuple[Check, ...] = (
    check_parameters,
    check_published,
    check_history,
    check_interruption,
    check_frozen,
    check_not_finite,
)


def verdicts(subject: Subject) -> Iterator[Verdict]:
    """The verdict of each check on a kind of stage."""
    return judged(CHECKS, subject)


def _weights(checkpoint: Checkpoint, facts: StageFacts, network: str) -> dict[str, Tensor]:
    return checkpoint.product if network == facts.publishes[0] else checkpoint.group(network)


def _networks(stage: Stage) -> list[nn.Module]:
    """All modules of a stage that have parameters, saved or not."""
    values = (*vars(stage).values(), *stage.modules.values())
    found = {id(value): value for value in values if isinstance(value, nn.Module)}
    return [module for module in found.values() if any(True for _ in module.parameters())]


def _network_with(stage: Stage, weights: Mapping[str, Tensor]) -> nn.Module | None:
    parts = (part for network in _networks(stage) for part in network.modules())
    return next((part for part in parts if _holds(part, weights)), None)


def _holds(module: nn.Module, weights: Mapping[str, Tensor]) -> bool:
    state = module.state_dict()
    return set(state) == set(weights) and all(torch.equal(state[name].cpu(), weights[name]) for name in state)


#: (a network's place in the stage, the path of a tensor in it) -> a copy of the tensor.
_State = dict[tuple[int, str], Tensor]


def _states(stage: Stage) -> _State:
    return {
        (place, name): tensor.detach().clone()
        for place, network in enumerate(_networks(stage))
        for name, tensor in network.state_dict().items()
    }


def _frozen(stage: Stage) -> _State:
    """Parameters without a gradient, and all that belongs to a part that has no other ones."""
    found: _State = {}
    for place, network in enumerate(_networks(stage)):
        for path, part in network.named_modules():
            parameters = list(part.parameters())
            if parameters and not any(parameter.requires_grad for parameter in parameters):
                start = f"{path}." if path else ""
                found.update({(place, start + name): tensor for name, tensor in part.state_dict().items()})
        still = {name: parameter for name, parameter in network.named_parameters() if not parameter.requires_grad}
        found.update({(place, name): parameter.detach() for name, parameter in still.items()})
    return found


def _unmoved(before: _State, after: _State, during: str) -> None:
    for key, tensor in after.items():
        _require(torch.equal(before[key], tensor), f"{key[1]} is frozen and moved in {during}")


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise ContractBroken(found)

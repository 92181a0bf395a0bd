"""Artefacts and where they lie: the nodes of the DAG, their frozen files, and the store under `results/`.

A node is anything that is computed: a manifest, a mixture plan, a rendered set, a run, an enhanced set, a score
file, a table. Its id is a hash of its spec and of its parents' ids. The driver freezes each node to
`results/frozen/<kind>/<id>.yaml`; jobs read that file by id and nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from sebench.errors import DataError
from sebench.files import read_json, write_json, write_text
from sebench.kinds import KINDS
from sebench.names import in_path

ID_LENGTH = 10


def canonical(value: Any) -> str:
    """JSON with sorted keys and no white space: what is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_id(value: Any) -> str:
    """The id of a JSON-able description."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:ID_LENGTH]


@dataclass(frozen=True)
class Node:
    """One artefact.

    Args:
        kind: a key of `sebench.kinds.KINDS`.
        name: readable, and a function of `spec` alone (two studies that share a node must agree on its path).
        spec: everything that determines the content, JSON-able; hashed.
        parents: role -> "kind:id", e.g. {"train": "set:3fa9c1d2ab"}; hashed.
        hints: what a job needs but the content does not depend on (labels, threads, memory); not hashed.
    """

    kind: str
    name: str
    spec: Mapping[str, Any]
    parents: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def id(self) -> str:
        """Hash of kind, spec and parents."""
        return content_id({"kind": self.kind, "spec": self.spec, "parents": self.parents})

    @functools.cached_property
    def key(self) -> str:
        """'kind:id', as in `parents`."""
        return f"{self.kind}:{self.id}"

    @functools.cached_property
    def stem(self) -> str:
        """The folder's name: readable name, then id."""
        return f"{in_path(self.name)}-{self.id}"


def candidate(value: str, seed: int) -> str:
    """The role of a sweep's run among the parents of a choice, and of what is made from the choice."""
    return f"{value} seed {seed}"


class Store:
    """The layout of `results/`.

    Args:
        root: the `results` folder.
    """

    def __init__(self, root: Path | str = "results") -> None:
        self.root = Path(root)
        self._planned: dict[str, Node] = {}

    def plan(self, nodes: Mapping[str, Node]) -> None:
        """Let `load` find these nodes by 'kind:id' although they are not frozen: for who looks before a driver ran."""
        self._planned.update(nodes)

    def make_folders(self) -> None:
        """Make the folder of every kind of results."""
        for kind in KINDS.values():
            if not kind.batch:
                (self.root / kind.folder).mkdir(parents=True, exist_ok=True)

    def stems(self, kind: str) -> list[str]:
        """Names of the folders of a kind, sorted."""
        return sorted(path.name for path in (self.root / KINDS[kind].folder).glob("*-*"))

    def folder(self, node: Node) -> Path:
        """Where the node's declared outputs and its provenance lie."""
        return self.root / KINDS[node.kind].folder / self.folder_name(node)

    def folder_name(self, node: Node) -> str:
        """Name of that folder."""
        return node.name if node.kind == "publication" else node.stem

    def outputs(self, node: Node) -> dict[str, Path]:
        """Declared outputs by file name."""
        return {name: self.folder(node) / name.format(id=node.id) for name in KINDS[node.kind].outputs}

    def state(self, node: Node) -> Path:
        """Large or changing files of the node (audio, checkpoints, leases); never declared to Snakemake."""
        return self.root / "state" / f"{node.kind}-{node.id}"

    def complete(self, node: Node) -> bool:
        """Whether every declared output is there; of a publication, also every copy that its marker lists."""
        paths = list(self.outputs(node).values())
        if not all(path.exists() for path in paths):
            return False
        if node.kind != "publication":
            return True
        return all((self.folder(node) / name).exists() for name in paths[0].read_text(encoding="utf-8").splitlines())

    def missing(self, nodes: Collection[Node]) -> list[Node]:
        """Those that are not complete. Each kind's folder is read once, which is faster than a look for each node."""
        there: dict[str, set[str]] = {}
        for kind in {node.kind for node in nodes}:
            folder = self.root / KINDS[kind].folder
            there[kind] = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        return [node for node in nodes if self.folder_name(node) not in there[node.kind] or not self.complete(node)]

    def frozen_path(self, kind: str, node_id: str) -> Path:
        """The file that holds a node for the jobs."""
        return self.root / "frozen" / kind / f"{node_id}.yaml"

    def freeze(self, node: Node) -> None:
        """Write the node's frozen file, unless it says the same already.

        The name and the hints are the plan's, not those of the first plan that had a node of this id: a table is
        called differently after its key was renamed, and a job must look for it where the plan does. What lies under
        an earlier name moves.
        """
        path = self.frozen_path(node.kind, node.id)
        named = {"kind": node.kind, "id": node.id, "name": node.name}
        head = _dumped({**named, "parents": dict(node.parents), "hints": dict(node.hints)})
        if path.exists():
            frozen = path.read_text(encoding="utf-8")
            if frozen.startswith(f"{head}spec:"):
                return
            before = Node(node.kind, str(yaml.load(frozen, Loader=_Loader)["name"]), node.spec, node.parents)
            if node.kind != "publication" and self.folder(before).is_dir() and not self.folder(node).exists():
                self.folder(before).rename(self.folder(node))
        write_text(path, head + _dumped({"spec": dict(node.spec)}))

    def load(self, key: str) -> Node:
        """Read a node back from 'kind:id'.

        Raises:
            DataError: no such frozen file, or its content does not hash to its name.
        """
        kind, _, node_id = key.partition(":")
        path = self.frozen_path(kind, node_id)
        if key in self._planned:
            return self._planned[key]
        if not path.exists():
            raise DataError(f"{path}: no frozen file for {key}; `snakemake` or `sebench run` writes it")
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
        node = Node(content["kind"], content["name"], content["spec"], content["parents"], content["hints"])
        if node.id != node_id:
            raise DataError(f"{path}: content hashes to {node.id}, not to {node_id}: the file was edited")
        return node

    def knows(self, key: str) -> bool:
        """Whether `load` finds this key."""
        return key in self._planned or self.frozen_path(*key.split(":")).exists()

    def load_stem(self, kind: str, stem: str) -> Node:
        """Read a node back from its folder's name (or any text that ends in '-' and its id)."""
        return self.load(f"{kind}:{stem.rpartition('-')[2]}")

    def parent(self, node: Node, role: str) -> Node:
        """The parent in that role."""
        return self.load(node.parents[role])

    def ancestors(self, node: Node, kind: str) -> list[Node]:
        """All nodes of a kind that a node is made from, directly or not, as far as the store knows them."""
        found: dict[str, Node] = {}
        waiting, seen = list(node.parents.values()), set()
        while waiting:
            key = waiting.pop()
            if key in seen or not self.knows(key):
                continue
            seen.add(key)
            parent = self.load(key)
            if parent.kind == kind:
                found[key] = parent
            waiting += parent.parents.values()
        return [found[key] for key in sorted(found)]

    # Corpus roots differ from person to person: they are no part of any id and are kept beside the store.

    def location_path(self, corpus_id: str) -> Path:
        """The file that says where this person's copy of a corpus lies."""
        return self.root / "locations" / f"{corpus_id}.json"

    def set_location(self, corpus_id: str, root: Path) -> None:
        """Remember where a corpus lies."""
        path = self.location_path(corpus_id)
        value = {"root": str(root)}
        if not path.exists() or read_json(path) != value:
            write_json(path, value)

    def set_python_path(self, folders: Sequence[str]) -> None:
        """Remember where this person's own modules lie (`python_path:`), for steps, which do not read `config/`."""
        path = self.root / "locations" / "python_path.json"
        if folders or path.exists():
            write_json(path, {"folders": list(folders)})

    def python_path(self) -> list[str]:
        """Folders with modules of this person's own."""
        path = self.root / "locations" / "python_path.json"
        return list(read_json(path)["folders"]) if path.exists() else []

    def location(self, corpus: Node) -> Path:
        """Root folder of a corpus: the user's, or the folder in `state/` for a corpus that is generated."""
        path = self.location_path(corpus.id)
        return Path(read_json(path)["root"]) if path.exists() else self.state(corpus) / "audio"

    def write_provenance(self, node: Node, started: float, **extra: Any) -> None:
        """What does not determine the content but a reader wants to know: packages, machine, times, commit."""
        write_json(
            self.folder(node) / "provenance.json",
            {**_environment(), "seconds": round(time.time() - started, 3), "started": _iso(started), **extra},
        )


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _dumped(value: Mapping[str, Any]) -> str:
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


_PACKAGES = [
    "sebench",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "soundfile",
    "soxr",
    "pyroomacoustics",
    "espeakng-loader",
    "pesq",
    "pystoi",
    "snakemake",
    "lightning-fabric",
    "safetensors",
]


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


@functools.cache
def _environment() -> dict[str, Any]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": sys.version.split()[0],
        "packages": versions,
        "machine": {"processor": _processor(), "system": platform.platform(), "host": platform.node()},
        "git": git_state(),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def git_state() -> dict[str, Any]:
    """Commit of the code, and whether it was changed since; empty where git does not have it.

    The code is this package, wherever it lies. A repository around it that does not track it (a thesis in which a ZIP
    was unpacked, a checkout that holds the environment) says nothing about it.
    """
    package = Path(__file__).parent
    # Within a hook, git's own variables name the repository of that hook.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def ask(*words: str) -> str:
        command = ["git", "-C", str(package), *words]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=True, env=environment
        )
        return done.stdout.strip()

    try:
        ask("ls-files", "--error-unmatch", "--", Path(__file__).name)
        changed = ask("status", "--porcelain", "--untracked-files=no", ":/")
        added = ask("status", "--porcelain", "--", ".")
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(changed or added)}
    except (OSError, subprocess.CalledProcessError):
        return {}

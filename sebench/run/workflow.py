"""What the Snakefile is made of: the plan in the driver, frozen nodes inside a job, and Snakemake's input functions.

Only the driver reads `config/`. A finished artefact has no inputs, so that nothing that happens to its inputs'
modification times makes it again (see docs/architecture.md, 'What Snakemake does to that').
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sebench.artefacts import Node, Store, content_id
from sebench.config import own_code
from sebench.errors import SebenchError
from sebench.external.place import set_file
from sebench.files import expanded
from sebench.kinds import JOBS, KINDS
from sebench.plan.batches import batches
from sebench.process import cluster

logger = logging.getLogger("sebench")

#: Less than this free says that a failure may be a full disk, which cannot be told in a log on it.
FULL_BYTES = 1_000_000
BRACES = frozenset("{}")

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _told(function: _Function) -> _Function:
    """The function with its signature on it: Snakemake asks for that many times a job, and finds it slowly."""
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return function


def without_braces(root: Path) -> Path:
    """A name of a folder that has no braces, in which Snakemake would look for wildcards: itself, or a link to it."""
    if not BRACES & set(str(root)):
        return root
    link = Path(".snakemake") / "sebench" / content_id(str(root.absolute()))
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        link.symlink_to(root.absolute(), target_is_directory=True)
    return link


class Workflow:
    """The DAG as the Snakefile sees it.

    Args:
        config: Snakemake's configuration: study, scale, corpus, results, config_dir.
        inside_job: whether this process runs one job on behalf of a driver elsewhere.
        remote: whether that job is a cluster's.
    """

    def __init__(self, config: Mapping[str, Any], inside_job: bool, remote: bool = False) -> None:
        self.config = dict(config)
        if BRACES & set(str(Path.cwd())):
            raise SebenchError(
                f"{Path.cwd()}: Snakemake takes the braces in this folder's name for wildcards; work in a folder "
                "without them (results may lie under any name)"
            )
        self.store = Store(expanded(str(config.get("results") or "results"), "results"))
        self.results = without_braces(self.store.root)
        self.inside_job = inside_job
        if remote:
            cluster.enter_job()
        # Jobs call `python`: the one that runs Snakemake, also where its environment was not activated.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        os.environ["PYTHONUTF8"] = "1"  # a job's log is UTF-8 in any locale
        self.nodes: dict[str, Node] = {}
        self._before: dict[str, list[Node]] = {}  # key of a node -> what it waits for, of each plan that has it
        self._missing: dict[str, Node] = {}
        self._made_in: dict[str, Node] = {}  # key of a missing node -> its batch
        self.batches: dict[str, Node] = {}
        if not inside_job:
            from sebench.plan.build import plan_from_settings

            self.plans = plan_from_settings(self.config, self.store)
            for plan in self.plans:
                self.nodes.update(plan.nodes.by_key)
                for node in plan.nodes.by_key.values():
                    if (before := plan.waits_for(node)) is not None:
                        self._before.setdefault(node.key, []).append(before)
            self._missing = {node.key: node for node in self.store.missing(self.nodes.values())}
            self._made_in = batches(self._missing.values(), self.nodes.__getitem__, self.store)
            self.batches = {batch.key: batch for batch in self._made_in.values()}
            if any(word.partition("=")[0] == "--report" for word in sys.argv):
                self._refuse_report()

    def _refuse_report(self) -> None:
        """Say what a report of an unfinished study lacks: Snakemake names a file that it did not find, or nothing.

        Raises:
            SebenchError: something is not made yet.
        """
        if self._missing:
            missing = list(self._missing.values())
            raise SebenchError(
                f"--report shows a finished study, and {len(missing)} of {len(self.nodes)} artefacts are not made yet "
                f"({missing[0].kind} {missing[0].stem}, ...): first the same command without --report; until then, "
                "`sebench table` shows what there is"
            )

    def _outputs(self, node: Node) -> list[str]:
        """A node's declared outputs, by the name that Snakemake has for the store's folder."""
        kind = KINDS[node.kind]
        folder = f"{self.results}/{kind.folder}/{self.store.folder_name(node)}"
        return [f"{folder}/{name.format(id=node.id)}" for name in kind.outputs]

    def node(self, kind: str, stem: str) -> Node:
        """A node by the end of its folder's name: from the plan, or from its frozen file."""
        return self._by_key(f"{kind}:{stem.rpartition('-')[2]}")

    def _by_key(self, key: str) -> Node:
        found = self.nodes.get(key) or self.batches.get(key)
        if found is None:
            found = self.nodes[key] = self.store.load(key)
        return found

    def _is_complete(self, node: Node) -> bool:
        """As it was when this driver planned; in a job, as it is now."""
        if self.inside_job or KINDS[node.kind].batch:
            return self.store.complete(node)
        return node.key not in self._missing

    def outputs(self, kind: str) -> list[str]:
        """Patterns of a kind's declared outputs."""
        return [f"{self.results}/{KINDS[kind].folder}/{{stem}}/{file}" for file in KINDS[kind].outputs]

    def log(self, kind: str) -> str:
        """Pattern of a step's log."""
        return f"{self.results}/logs/{KINDS[kind].rule}/{{stem}}.log"

    def resources(self, kind: str) -> dict[str, Callable[[Any, int], int]]:
        """What a job asks for, more at each try. A batch asks for the memory of each kind of its pieces, since these
        run beside each other, and for the time of all, up to a day."""

        def memory(wildcards: Any, attempt: int) -> int:
            return attempt * sum(KINDS[each].memory_mb for each in set(self._kinds(kind, wildcards)))

        def minutes(wildcards: Any, attempt: int) -> int:
            return attempt * min(1440, sum(KINDS[each].minutes for each in self._kinds(kind, wildcards)))

        return {"mem_mb": _told(memory), "runtime": _told(minutes)}

    def _kinds(self, kind: str, wildcards: Any) -> list[str]:
        """Kinds of the pieces of a batch, one for each; else the kind itself."""
        if not KINDS[kind].batch:
            return [kind]
        return [key.partition(":")[0] for key in self.node(kind, wildcards.stem).spec["pieces"]]

    def inputs(self, kind: str) -> Callable[[Any], list[str]]:
        """Input function: the outputs of parents and of what else it waits for, or nothing where it is complete."""

        def files(wildcards: Any) -> list[str]:
            node = self.node(kind, wildcards.stem)
            if self._is_complete(node):
                return []
            made = [self._by_key(key) for key in node.spec["pieces"]] if KINDS[kind].batch else [node]
            keys = dict.fromkeys(key for each in made for key in each.parents.values())
            before = [self._by_key(key) for key in keys if key not in {each.key for each in made}]
            before += [other for each in made for other in self._before.get(each.key, ())]
            return self._files(before)

        return _told(files)

    def _files(self, nodes: Iterable[Node]) -> list[str]:
        """What Snakemake knows these nodes by: their outputs, or the marker of the batch that will make them."""
        found = {made.key: made for made in (self._made_in.get(node.key, node) for node in nodes)}
        return [path for node in found.values() for path in self._outputs(node)]

    def root(self) -> Callable[[Any], str]:
        """The store's folder, as the steps are told: by a function, since Snakemake would see wildcards in braces."""
        root = str(self.store.root)
        return _told(lambda wildcards: root)

    def threads(self, kind: str) -> Callable[[Any], int]:
        """Thread function: what the node's own settings ask for."""
        return _told(lambda wildcards: int(self.node(kind, wildcards.stem).hints.get("threads", 1)))

    def devices(self) -> Callable[[Any], int]:
        """Resource function: GPUs that a run asks a cluster for, where its site has some (profiles/slurm)."""
        return _told(lambda wildcards: int(self.node("run", wildcards.stem).spec["stage"]["devices"]))

    def targets(self) -> list[str]:
        """The publications, tables and figures, and what is missing that they would not lead to: a deleted file is made
        again, alone. Tables and figures are named so that the report of a finished study has them."""
        if self.inside_job:
            return []
        shown = ((plan.publication, *plan.tables.values(), *plan.figures.values()) for plan in self.plans)
        wanted = [node for nodes in shown for node in nodes]
        reached: set[str] = set()
        queue = [node for node in wanted if node.key in self._missing]
        while queue:
            node = queue.pop()
            if node.key not in reached:
                reached.add(node.key)
                queue.extend(self._missing[key] for key in node.parents.values() if key in self._missing)
        wanted += [node for node in self._missing.values() if node.key not in reached and node.kind != "publication"]
        return self._files(wanted)

    def freeze(self) -> None:
        """Before the first job: claim the store; write frozen files and corpus locations.

        Raises:
            DriverBusy: another driver works on this store.
            MissingPackageError: something could not be trained.
        """
        if self.inside_job:
            return
        from sebench.plan.packages import require
        from sebench.run.driver import claim, claimed_by_parent

        require(self._missing.values())
        if not claimed_by_parent(self.store):
            self.store.root.mkdir(parents=True, exist_ok=True)
            claim(self.store)
        self.store.set_python_path(own_code.added())
        self._clear_markers()
        for node in (*self.nodes.values(), *self.batches.values()):
            self.store.freeze(node)
            if node.kind == "corpus" and node.hints.get("root"):
                self.store.set_location(node.id, Path(str(node.hints["root"])))
            elif node.hints.get("file"):
                set_file(self.store, str(node.spec["external"]["sha256"]), Path(str(node.hints["file"])))

    def submitting(self, executor: str, jobs: Iterable[Any]) -> None:
        """Before the first job is sent to a cluster: say what an earlier driver's jobs are still at. A job that
        finds one of them at its run goes back to the queue, without its GPU, until that one has ended.

        Args:
            executor: name of Snakemake's executor plugin.
            jobs: Snakemake's, that are to be done.

        Raises:
            SebenchError: there is no client of that cluster here, it does not have what jobs ask for, or a
                folder's name cannot be handed to it.
        """
        if self.inside_job:
            return
        from sebench.run.driver import MARK

        os.environ.pop(MARK, None)  # the jobs outlive this driver: the next one must not take them for its orphans
        if executor != "slurm":
            return
        cluster.require_client()
        cluster.check_folders([Path.cwd(), self.store.root.absolute()])
        asked = (job.resources for job in jobs if not job.is_local)
        cluster.check_wishes(
            cluster.Wish(str(found.get("slurm_partition") or ""), int(found.get("gpu") or 0)) for found in asked
        )
        alive = cluster.live_jobs(Path.cwd())
        if alive:
            logger.warning("%d jobs of an earlier driver are alive; what they do is not done again:", len(alive))
        for job in alive:
            logger.warning("  job %s, %s: %s", job.number, job.state, job.what)

    def _clear_markers(self) -> None:
        """Remove the markers of batches of earlier drivers: what they made is known by its own files."""
        shutil.rmtree(self.store.root / JOBS, ignore_errors=True)

    def _release(self) -> None:
        from sebench.run.driver import release

        release(self.store)

    def finished(self) -> None:
        """After the last job of a run without errors: drop earlier partial tables, say where the whole ones lie."""
        if self.inside_job:
            return
        self._clear_markers()
        for batch in self.batches.values():
            self.store.frozen_path(batch.kind, batch.id).unlink(missing_ok=True)
        self._release()
        from sebench.tables.partial import remove_partial

        for plan in self.plans:
            remove_partial(plan.publication, self.store)
            logger.info("tables: %s", self.store.folder(plan.publication))

    def failed(self, logs: Sequence[str]) -> None:
        """After the last job of a run with errors: what failed and where its logs are, and tables of what there is,
        beside the rules' own outputs."""
        if self.inside_job:
            return
        self._release()
        from sebench.run.failures import describe, failures
        from sebench.tables.partial import write_partial

        found = [failure for log in logs for failure in failures(Path(log).read_text(encoding="utf-8"))]
        free = shutil.disk_usage(self.store.root).free
        if free < FULL_BYTES:
            logger.error("the disk of %s is full (%d kB free): logs may be cut off", self.store.root, free // 1000)
        logger.error("failed for good:\n%s", "\n".join(describe(found)) or "  no job: see above")
        for plan in self.plans:
            folder = write_partial(plan.publication, self.nodes, self.store)
            logger.error("a table of what there is: %s", folder)

"""What the Snakefile is made of: the plan in the driver, frozen nodes inside a job, and Snakemake's input functions.

Only the driver reads `config/`. A finished artefact has no inputs, so that nothing that happens to its inputs'
modification times makes it again (see docs/architecture.md, 'What Snakemake does to that').
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from sebench.artefacts import Node, Store, content_id
from sebench.config import own_code
from sebench.errors import SebenchError
from sebench.external.place import set_file
from sebench.files import expanded
from sebench.kinds import KINDS
from sebench.plan.groups import group
from sebench.process import cluster

logger = logging.getLogger("sebench")

#: Less than this free says that a failure may be a full disk, which cannot be told in a log on it.
FULL_BYTES = 1_000_000
BRACES = frozenset("{}")


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
        families: Snakemake's map from a group's name to the one that `group-components` limits; filled by `group`.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        inside_job: bool,
        remote: bool = False,
        families: MutableMapping[str, str] | None = None,
    ) -> None:
        self.config = dict(config)
        if BRACES & set(str(Path.cwd())):
            raise SebenchError(
                f"{Path.cwd()}: Snakemake takes the braces in this folder's name for wildcards; work in a folder "
                "without them (results may lie under any name)"
            )
        self.store = Store(expanded(str(config.get("results") or "results"), "results"))
        self.results = without_braces(self.store.root)
        self.inside_job = inside_job
        self.families = families if families is not None else {}
        if remote:
            cluster.enter_job()
        # Jobs call `python`: the one that runs Snakemake, also where its environment was not activated.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        os.environ["PYTHONUTF8"] = "1"  # a job's log is UTF-8 in any locale
        self.nodes: dict[str, Node] = {}
        self._before: dict[str, list[Node]] = {}  # key of a node -> what it waits for, of each plan that has it
        if not inside_job:
            from sebench.plan.build import plan_from_settings

            self.plans = plan_from_settings(self.config, self.store)
            for plan in self.plans:
                self.nodes.update(plan.nodes.by_key)
                for node in plan.nodes.by_key.values():
                    if (before := plan.waits_for(node)) is not None:
                        self._before.setdefault(node.key, []).append(before)
            if any(word.partition("=")[0] == "--report" for word in sys.argv):
                self._refuse_report()

    def _refuse_report(self) -> None:
        """Say what a report of an unfinished study lacks: Snakemake names a file that it did not find, or nothing.

        Raises:
            SebenchError: something is not made yet.
        """
        missing = [node for node in self.nodes.values() if not self.store.complete(node)]
        if missing:
            raise SebenchError(
                f"--report shows a finished study, and {len(missing)} of {len(self.nodes)} artefacts are not made yet "
                f"({missing[0].kind} {missing[0].stem}, ...): first the same command without --report; until then, "
                "`sebench table` shows what there is"
            )

    def _outputs(self, node: Node) -> list[str]:
        """A node's declared outputs, by the name that Snakemake has for the store's folder."""
        return [str(self.results / path.relative_to(self.store.root)) for path in self.store.outputs(node).values()]

    def node(self, kind: str, stem: str) -> Node:
        """A node by the end of its folder's name: from the plan, or from its frozen file."""
        return self._by_key(f"{kind}:{stem.rpartition('-')[2]}")

    def _by_key(self, key: str) -> Node:
        if key not in self.nodes:
            self.nodes[key] = self.store.load(key)
        return self.nodes[key]

    def outputs(self, kind: str) -> list[str]:
        """Patterns of a kind's declared outputs."""
        return [f"{self.results}/{KINDS[kind].folder}/{{stem}}/{file}" for file in KINDS[kind].outputs]

    def log(self, kind: str) -> str:
        """Pattern of a step's log."""
        return f"{self.results}/logs/{KINDS[kind].rule}/{{stem}}.log"

    def resources(self, kind: str) -> dict[str, Callable[[Any, int], int]]:
        """What a job asks for, more at each try."""
        found = KINDS[kind]
        return {
            "mem_mb": lambda wildcards, attempt: found.memory_mb * attempt,
            "runtime": lambda wildcards, attempt: found.minutes * attempt,
        }

    def inputs(self, kind: str) -> Callable[[Any], list[str]]:
        """Input function: the outputs of parents and of what else it waits for, or nothing where it is complete."""

        def files(wildcards: Any) -> list[str]:
            node = self.node(kind, self.name(wildcards))
            if self.store.complete(node):
                return []
            parents = [self._by_key(key) for key in node.parents.values()]
            before = [*parents, *self._before.get(node.key, ())]
            return [path for each in before for path in self._outputs(each)]

        return files

    def name(self, wildcards: Any) -> str:
        """The node as its step is told: by its folder's name, or by its id."""
        return str(getattr(wildcards, "stem", None) or wildcards.id)

    def root(self, wildcards: Any) -> str:
        """The store's folder, as the steps are told."""
        del wildcards
        return str(self.store.root)

    def threads(self, kind: str) -> Callable[[Any], int]:
        """Thread function: what the node's own settings ask for."""
        return lambda wildcards: int(self.node(kind, self.name(wildcards)).hints.get("threads", 1))

    def devices(self, wildcards: Any) -> int:
        """GPUs that a run asks a cluster for, where its site has some (profiles/slurm)."""
        return int(self.node("run", wildcards.stem).spec["stage"]["devices"])

    def group(self, kind: str) -> Callable[[Any], str]:
        """Group function of a rule: what a cluster is sent in one submission (see `sebench.plan.groups`)."""

        def name_of(wildcards: Any) -> str:
            found = group(self.node(kind, wildcards.stem), self._by_key)
            assert found is not None
            family, name = found
            self.families[name] = family
            return name

        return name_of

    def targets(self) -> list[str]:
        """The publications, tables and figures, and what is missing that they would not lead to: a deleted file is made
        again, alone. Tables and figures are named so that the report of a finished study has them."""
        if self.inside_job:
            return []
        shown = ((plan.publication, *plan.tables.values(), *plan.figures.values()) for plan in self.plans)
        wanted = [node for nodes in shown for node in nodes]
        reached: set[str] = set()
        queue = [node for node in wanted if not self.store.complete(node)]
        while queue:
            node = queue.pop()
            if node.key in reached:
                continue
            reached.add(node.key)
            parents = [self.nodes[key] for key in node.parents.values()]
            queue.extend(parent for parent in parents if not self.store.complete(parent))
        for node in self.nodes.values():
            if node.key not in reached and not self.store.complete(node) and node.kind != "publication":
                wanted.append(node)
        return [path for node in wanted for path in self._outputs(node)]

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

        require(node for node in self.nodes.values() if not self.store.complete(node))
        if not claimed_by_parent(self.store):
            self.store.root.mkdir(parents=True, exist_ok=True)
            claim(self.store)
        self.store.set_python_path(own_code.added())
        for node in self.nodes.values():
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

    def _release(self) -> None:
        from sebench.run.driver import release

        release(self.store)

    def finished(self) -> None:
        """After the last job of a run without errors: drop earlier partial tables, say where the whole ones lie."""
        if self.inside_job:
            return
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

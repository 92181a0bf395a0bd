"""Which missing nodes one job makes, and when these are other jobs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from sebench.artefacts import Node, Store
from sebench.config.load import load_config
from sebench.kinds import KINDS
from sebench.plan.batches import batches
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return build_plan(load_config(SHIPPED), "two_stage", "smoke", "builtin", Store(tmp_path_factory.mktemp("r")))


def made_in(plan: Plan, missing: Iterable[Node], store: Store) -> dict[str, Node]:
    return batches(missing, plan.nodes.by_key.__getitem__, store)


def finish(store: Store, *nodes: Node) -> None:
    for node in nodes:
        for path in store.outputs(node).values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")


def test_from_nothing_each_run_is_evaluated_by_one_job(plan: Plan, tmp_path: Path) -> None:
    nodes = plan.nodes.by_key
    found = made_in(plan, nodes.values(), Store(tmp_path))
    jobs = {batch.key: batch for batch in found.values()}
    kinds = sorted(batch.kind for batch in jobs.values())
    runs = len(plan.nodes.of_kind("run"))
    assert kinds == sorted(["test_data", "data", "data", "noisy", "sizes", *["evaluation"] * runs])
    pieces = [key for batch in jobs.values() for key in batch.spec["pieces"]]
    assert sorted(pieces) == sorted(key for key, node in nodes.items() if KINDS[node.kind].batches)
    for batch in jobs.values():
        kinds_of_pieces = {key.partition(":")[0] for key in batch.spec["pieces"]}
        assert all(batch.kind in KINDS[kind].batches for kind in kinds_of_pieces)
    for cell in plan.cells:
        assert len({found[node.key].key for node in (*cell.enhanced.values(), *cell.scores.values())}) == 1


def test_parents_come_first_in_a_batch(plan: Plan, tmp_path: Path) -> None:
    for batch in made_in(plan, plan.nodes.by_key.values(), Store(tmp_path)).values():
        seen: set[str] = set()
        for key in batch.spec["pieces"]:
            assert {parent for parent in plan.nodes[key].parents.values() if parent in batch.spec["pieces"]} <= seen
            seen.add(key)


def test_what_can_be_made_now_does_not_wait_for_what_cannot(plan: Plan, tmp_path: Path) -> None:
    cell = plan.cells[0]
    now, later = cell.scores["snr0"], cell.scores["snr5"]
    missing = [plan.conditions["snr5"].node, cell.enhanced["snr5"], now, later]
    found = made_in(plan, missing, Store(tmp_path))
    assert found[now.key].spec["pieces"] == [now.key]
    assert found[later.key].spec["pieces"] == [cell.enhanced["snr5"].key, later.key]


def test_the_job_is_known_by_its_pieces_in_any_order_and_is_another_each_time(plan: Plan, tmp_path: Path) -> None:
    store, cell = Store(tmp_path), plan.cells[0]
    pieces = list(cell.scores.values())
    first = made_in(plan, pieces, store)[pieces[0].key]
    assert made_in(plan, pieces[::-1], store)[pieces[0].key].id == first.id
    assert made_in(plan, pieces[1:], store)[pieces[1].key].id != first.id
    finish(store, first)
    second = made_in(plan, pieces, store)[pieces[0].key]
    assert second.id != first.id
    finish(store, second)
    assert made_in(plan, pieces, store)[pieces[0].key].id not in (first.id, second.id)

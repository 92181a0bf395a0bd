"""How long a plan takes: bounds that hold for any order of jobs, and what they are made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from sebench.artefacts import Node, Store
from sebench.files import write_json
from sebench.plan.cost import DRIVER_PER_JOB, DRIVER_SECONDS, MEASURED, START_SECONDS, UNMEASURED, Costs


def corpus(name: str, **parents: str) -> Node:
    return Node("corpus", name, {"name": name}, parents)


def finish(store: Store, node: Node, seconds: float) -> None:
    write_json(store.folder(node) / "provenance.json", {"seconds": seconds})


def test_a_chain_gains_nothing_from_cores(tmp_path: Path) -> None:
    store = Store(tmp_path)
    done = corpus("done")
    finish(store, done, 8.0)
    first = corpus("first")
    second = corpus("second", of=first.key)
    costs = Costs([done, first, second], store)
    each = START_SECONDS + 8.0
    driver = DRIVER_SECONDS + 2 * DRIVER_PER_JOB
    assert costs.seconds(first) == each
    assert costs.duration([first, second], 1) == pytest.approx((driver + 2 * each, MEASURED * (driver + 2 * each)))
    least, most = costs.duration([first, second], 2)
    assert least == pytest.approx(driver + 2 * each)
    assert most == pytest.approx(MEASURED * (driver + each + each))
    apart = [corpus("first"), corpus("other")]
    assert costs.duration(apart, 2)[0] == pytest.approx(driver + each)
    assert costs.duration([], 2) == (0.0, 0.0)


def test_what_was_not_measured_here_is_said_and_is_wider(tmp_path: Path) -> None:
    store = Store(tmp_path)
    todo = [corpus("new")]
    nothing = Costs(todo, store)
    assert nothing.basis(todo) == "from two x86-64 cores elsewhere: nothing is finished here"
    least, most = nothing.duration(todo, 1)
    assert most == pytest.approx(UNMEASURED * least)
    done = corpus("done")
    finish(store, done, 8.0)
    some = Costs([done, *todo], store)
    assert some.basis(todo) == "from 1 finished job of this store"
    table = Node("table", "t", {})
    assert some.basis([*todo, table]) == "from 1 finished job of this store; table: from two x86-64 cores elsewhere"


def test_the_range_holds_for_a_simulated_scheduler(tmp_path: Path) -> None:
    """Jobs that start as soon as a core is free end between the bounds, without the allowance for a busy machine."""
    store = Store(tmp_path)
    chains = [[corpus(f"{i}")] for i in range(5)]
    for i, chain in enumerate(chains):
        for step in range(i):
            chain.append(corpus(f"{i} {step}", of=chain[-1].key))
    todo = [node for chain in chains for node in chain]
    costs = Costs(todo, store)
    cores = 2
    free, ready = [0.0] * cores, {chain[0].key: 0.0 for chain in chains}
    after = {chain[i].key: chain[i + 1].key for chain in chains for i in range(len(chain) - 1)}
    while ready:
        core = free.index(min(free))
        key = min(ready, key=ready.__getitem__)
        free[core] = max(free[core], ready.pop(key)) + costs.seconds(todo[0])
        if key in after:
            ready[after[key]] = free[core]
    driver = DRIVER_SECONDS + DRIVER_PER_JOB * len(todo)
    least, most = costs.duration(todo, cores)
    assert least <= driver + max(free) <= most / UNMEASURED

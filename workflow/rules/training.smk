# Runs: one stage of a recipe each; and the best of a sweep. Weights, leases and checkpoints lie in results/state
# and are never declared.


use rule corpus as train with:
    input:
        dag.inputs("run"),
    output:
        dag.outputs("run"),
    log:
        dag.log("run"),
    priority: KINDS["run"].priority
    threads: dag.threads("run")
    resources:
        **dag.resources("run"),
        gpu=dag.devices(),
        nodes=1,
    params:
        kind="run",


use rule corpus as complexity with:
    input:
        dag.inputs("sizes"),
    output:
        dag.outputs("sizes"),
    log:
        dag.log("sizes"),
    priority: KINDS["sizes"].priority
    threads: dag.threads("sizes")
    resources:
        **dag.resources("sizes"),
    params:
        kind="sizes",


use rule corpus as choose with:
    input:
        dag.inputs("choice"),
    output:
        dag.outputs("choice"),
    log:
        dag.log("choice"),
    priority: KINDS["choice"].priority
    localrule: KINDS["choice"].local
    threads: dag.threads("choice")
    resources:
        **dag.resources("choice"),
    params:
        kind="choice",

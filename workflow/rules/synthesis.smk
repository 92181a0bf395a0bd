# From a corpus to rendered sets. The first rule is the base of all: each kind of node (sebench/kinds.py) is made by
# `sebench step`, with the resources and the priority of its kind. Test sets go first: the noisy row is scored before
# anything is trained, and the corpora of a study are compared.
from sebench.kinds import KINDS


rule corpus:
    input:
        dag.inputs("corpus"),
    output:
        dag.outputs("corpus"),
    log:
        dag.log("corpus"),
    priority: KINDS["corpus"].priority
    retries: 2
    conda:
        "../envs/sebench.yaml"
    threads: dag.threads("corpus")
    resources:
        **dag.resources("corpus"),
    params:
        kind="corpus",
        node=dag.name,
        results=dag.root,
    shell:
        "python -m sebench step {params.kind:q} {params.node:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


use rule corpus as separate with:
    input:
        dag.inputs("separation"),
    output:
        dag.outputs("separation"),
    log:
        dag.log("separation"),
    priority: KINDS["separation"].priority
    threads: dag.threads("separation")
    resources:
        **dag.resources("separation"),
    params:
        kind="separation",


use rule corpus as mixtures with:
    input:
        dag.inputs("mixtures"),
    output:
        dag.outputs("mixtures"),
    log:
        dag.log("mixtures"),
    priority: KINDS["mixtures"].priority
    group:
        dag.group("mixtures")
    threads: dag.threads("mixtures")
    resources:
        **dag.resources("mixtures"),
    params:
        kind="mixtures",


use rule corpus as render with:
    input:
        dag.inputs("set"),
    output:
        dag.outputs("set"),
    log:
        dag.log("set"),
    wildcard_constraints:
        stem=r"[^/]+-(train|valid)[^/]+-[0-9a-f]{10}",
    priority: KINDS["set"].priority
    group:
        dag.group("set")
    threads: dag.threads("set")
    resources:
        **dag.resources("set"),
    params:
        kind="set",


use rule render as render_test with:
    wildcard_constraints:
        stem=r"[^/]+-test[^/]+-[0-9a-f]{10}",
    priority: 80

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
        results=dag.root(),
    shell:
        "python -m sebench step {params.kind:q} {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


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


use rule corpus as render_test with:
    input:
        dag.inputs("test_data"),
    output:
        dag.outputs("test_data"),
    log:
        dag.log("test_data"),
    priority: KINDS["test_data"].priority
    threads: dag.threads("test_data")
    resources:
        **dag.resources("test_data"),
    params:
        kind="test_data",


use rule corpus as render with:
    input:
        dag.inputs("data"),
    output:
        dag.outputs("data"),
    log:
        dag.log("data"),
    priority: KINDS["data"].priority
    threads: dag.threads("data")
    resources:
        **dag.resources("data"),
    params:
        kind="data",

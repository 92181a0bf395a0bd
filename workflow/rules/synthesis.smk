# From a corpus to rendered sets. Test sets go first: the noisy row is scored before anything is trained, and the corpora
# of a study are compared.


rule corpus:
    input:
        dag.inputs("corpus"),
    output:
        dag.outputs("corpus"),
    log:
        f"{RESULTS}/logs/corpus/{{stem}}.log",
    priority: 100
    retries: 2
    conda:
        "../envs/sebench.yaml"
    threads: dag.threads("corpus")
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step corpus {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


rule separate:
    input:
        dag.inputs("separation"),
    output:
        dag.outputs("separation"),
    log:
        f"{RESULTS}/logs/separate/{{stem}}.log",
    priority: 100
    retries: 2
    conda:
        "../envs/sebench.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step separation {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


rule mixtures:
    input:
        dag.inputs("mixtures"),
    output:
        dag.outputs("mixtures"),
    log:
        f"{RESULTS}/logs/mixtures/{{stem}}.log",
    priority: 90
    retries: 2
    group:
        dag.group("mixtures")
    conda:
        "../envs/sebench.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step mixtures {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


rule render_test:
    input:
        dag.inputs("set"),
    output:
        dag.outputs("set"),
    log:
        f"{RESULTS}/logs/render/{{stem}}.log",
    wildcard_constraints:
        stem=r"[^/]+-test[^/]+-[0-9a-f]{10}",
    priority: 80
    retries: 2
    group:
        dag.group("set")
    conda:
        "../envs/sebench.yaml"
    threads: dag.threads("set")
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step set {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


use rule render_test as render with:
    log:
        f"{RESULTS}/logs/render/{{stem}}.log",
    wildcard_constraints:
        stem=r"[^/]+-(train|valid)[^/]+-[0-9a-f]{10}",
    priority: 50

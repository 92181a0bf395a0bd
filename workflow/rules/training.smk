# Runs: one stage of a recipe each; and the best of a sweep. Weights, leases and checkpoints lie in results/state
# and are never declared.


rule train:
    input:
        dag.inputs("run"),
    output:
        dag.outputs("run"),
    log:
        f"{RESULTS}/logs/train/{{stem}}.log",
    priority: 10
    retries: 2
    conda:
        "../envs/sebench.yaml"
    threads: dag.threads("run")
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
        gpu=dag.devices,
        nodes=1,
    params:
        results=dag.root,
    shell:
        "python -m sebench step run {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


rule complexity:
    input:
        dag.inputs("complexity"),
    output:
        dag.outputs("complexity"),
    log:
        f"{RESULTS}/logs/complexity/{{stem}}.log",
    retries: 2
    group:
        dag.group("complexity")
    conda:
        "../envs/sebench.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step complexity {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


rule choose:
    input:
        dag.inputs("choice"),
    output:
        dag.outputs("choice"),
    log:
        f"{RESULTS}/logs/choose/{{stem}}.log",
    priority: 15
    retries: 2
    localrule: True
    conda:
        "../envs/sebench.yaml"
    params:
        results=dag.root,
    shell:
        "python -m sebench step choice {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"

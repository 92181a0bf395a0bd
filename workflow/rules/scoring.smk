# Enhancement, scores, and what trained predictors say. The unprocessed mixtures are a rule of their own, for its priority.


rule enhance:
    input:
        dag.inputs("enhanced"),
    output:
        dag.outputs("enhanced"),
    log:
        f"{RESULTS}/logs/enhance/{{stem}}.log",
    priority: 20
    retries: 2
    group:
        dag.group("enhanced")
    conda:
        "../envs/sebench.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step enhanced {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


rule score:
    input:
        dag.inputs("scores"),
    output:
        dag.outputs("scores"),
    log:
        f"{RESULTS}/logs/score/{{stem}}.log",
    wildcard_constraints:
        stem=r"(?!noisy-)[^/]+-[0-9a-f]{10}",
    priority: 30
    retries: 2
    group:
        dag.group("scores")
    conda:
        "../envs/sebench.yaml"
    threads: dag.threads("scores")
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step scores {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


use rule score as score_noisy with:
    log:
        f"{RESULTS}/logs/score/{{stem}}.log",
    wildcard_constraints:
        stem=r"noisy-[^/]+-[0-9a-f]{10}",
    priority: 100


rule predict:
    input:
        dag.inputs("predictions"),
    output:
        dag.outputs("predictions"),
    log:
        f"{RESULTS}/logs/predict/{{stem}}.log",
    priority: 20
    retries: 2
    group:
        dag.group("predictions")
    conda:
        "../envs/sebench.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step predictions {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"

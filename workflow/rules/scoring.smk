# Enhancement and scores. The unprocessed mixtures are a rule of their own, for its priority.


rule enhance:
    input:
        dag.inputs("enhanced"),
    output:
        dag.outputs("enhanced"),
    log:
        RESULTS + "/logs/enhance/{stem}.log",
    conda:
        "../envs/sebench.yaml"
    priority: 20
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    shell:
        "python -m sebench step enhanced {wildcards.stem} --results {RESULTS} --threads {threads} > {log} 2>&1"


rule score:
    input:
        dag.inputs("scores"),
    output:
        dag.outputs("scores"),
    wildcard_constraints:
        stem=r"(?!noisy-)[^/]+-[0-9a-f]{10}",
    log:
        RESULTS + "/logs/score/{stem}.log",
    conda:
        "../envs/sebench.yaml"
    threads: dag.threads("scores")
    priority: 30
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    shell:
        "python -m sebench step scores {wildcards.stem} --results {RESULTS} --threads {threads} > {log} 2>&1"


use rule score as score_noisy with:
    wildcard_constraints:
        stem=r"noisy-[^/]+-[0-9a-f]{10}",
    log:
        RESULTS + "/logs/score/{stem}.log",
    priority: 100

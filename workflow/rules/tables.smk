# Tables, figures, and the readable copy of a study's current ones.


rule table:
    input:
        dag.inputs("table"),
    output:
        f"{RESULTS}/tables/by-id/{{stem}}/table.json",
        f"{RESULTS}/tables/by-id/{{stem}}/table.tex",
        report(
            f"{RESULTS}/tables/by-id/{{stem}}/table.md",
            caption="../report/table.rst",
            category="Tables",
        ),
        report(
            f"{RESULTS}/tables/by-id/{{stem}}/table.csv",
            caption="../report/table.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/table/{{stem}}.log",
    retries: 2
    localrule: True
    conda:
        "../envs/sebench.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step table {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


rule figure:
    input:
        dag.inputs("figure"),
    output:
        f"{RESULTS}/figures/by-id/{{stem}}/figure.csv",
        f"{RESULTS}/figures/by-id/{{stem}}/figure.svg",
        report(
            f"{RESULTS}/figures/by-id/{{stem}}/figure.png",
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/figure/{{stem}}.log",
    retries: 2
    localrule: True
    conda:
        "../envs/sebench.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        results=dag.root,
    shell:
        "python -m sebench step figure {wildcards.stem:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"


rule publish:
    input:
        dag.inputs("publication"),
    output:
        f"{RESULTS}/tables/{{place}}/.current-{{id}}",
    log:
        f"{RESULTS}/logs/publish/{{place}}-{{id}}.log",
    wildcard_constraints:
        place=r"[^/]+",
        id=r"[0-9a-f]{10}",
    retries: 2
    localrule: True
    conda:
        "../envs/sebench.yaml"
    params:
        results=dag.root,
    shell:
        "python -m sebench step publication {wildcards.id:q} --results {params.results:q} --threads {threads:q} >> {log:q} 2>&1"

# Tables, figures, and the readable copy of a study's current ones.


use rule corpus as table with:
    input:
        dag.inputs("table"),
    output:
        [
            (
                report(path, caption="../report/table.rst", category="Tables")
                if path.endswith((".md", ".csv"))
                else path
            )
            for path in dag.outputs("table")
        ],
    log:
        dag.log("table"),
    priority: KINDS["table"].priority
    localrule: KINDS["table"].local
    threads: dag.threads("table")
    resources:
        **dag.resources("table"),
    params:
        kind="table",


use rule corpus as figure with:
    input:
        dag.inputs("figure"),
    output:
        [
            (
                report(path, caption="../report/figure.rst", category="Figures")
                if path.endswith(".png")
                else path
            )
            for path in dag.outputs("figure")
        ],
    log:
        dag.log("figure"),
    priority: KINDS["figure"].priority
    localrule: KINDS["figure"].local
    threads: dag.threads("figure")
    resources:
        **dag.resources("figure"),
    params:
        kind="figure",


use rule corpus as publish with:
    input:
        dag.inputs("publication"),
    output:
        f"{RESULTS}/tables/{{place}}/.current-{{stem}}",
    log:
        f"{RESULTS}/logs/publish/{{place}}-{{stem}}.log",
    wildcard_constraints:
        place=r"[^/]+",
        stem=r"[0-9a-f]{10}",
    priority: KINDS["publication"].priority
    localrule: KINDS["publication"].local
    threads: dag.threads("publication")
    resources:
        **dag.resources("publication"),
    params:
        kind="publication",

# Enhancement, scores, and what trained predictors say. The unprocessed mixtures are a rule of their own, for its priority.


use rule corpus as enhance with:
    input:
        dag.inputs("enhanced"),
    output:
        dag.outputs("enhanced"),
    log:
        dag.log("enhanced"),
    priority: KINDS["enhanced"].priority
    group:
        dag.group("enhanced")
    threads: dag.threads("enhanced")
    resources:
        **dag.resources("enhanced"),
    params:
        kind="enhanced",


use rule corpus as score with:
    input:
        dag.inputs("scores"),
    output:
        dag.outputs("scores"),
    log:
        dag.log("scores"),
    wildcard_constraints:
        stem=r"(?!noisy-)[^/]+-[0-9a-f]{10}",
    priority: KINDS["scores"].priority
    group:
        dag.group("scores")
    threads: dag.threads("scores")
    resources:
        **dag.resources("scores"),
    params:
        kind="scores",


use rule score as score_noisy with:
    wildcard_constraints:
        stem=r"noisy-[^/]+-[0-9a-f]{10}",
    priority: 100


use rule corpus as predict with:
    input:
        dag.inputs("predictions"),
    output:
        dag.outputs("predictions"),
    log:
        dag.log("predictions"),
    priority: KINDS["predictions"].priority
    group:
        dag.group("predictions")
    threads: dag.threads("predictions")
    resources:
        **dag.resources("predictions"),
    params:
        kind="predictions",

# Enhancement, scores, and what trained predictors say: all conditions of a run by one job. The unprocessed mixtures are
# a job of their own, for its priority.


use rule corpus as evaluate with:
    input:
        dag.inputs("evaluation"),
    output:
        dag.outputs("evaluation"),
    log:
        dag.log("evaluation"),
    priority: KINDS["evaluation"].priority
    threads: dag.threads("evaluation")
    resources:
        **dag.resources("evaluation"),
    params:
        kind="evaluation",


use rule corpus as score_noisy with:
    input:
        dag.inputs("noisy"),
    output:
        dag.outputs("noisy"),
    log:
        dag.log("noisy"),
    priority: KINDS["noisy"].priority
    threads: dag.threads("noisy")
    resources:
        **dag.resources("noisy"),
    params:
        kind="noisy",


use rule corpus as predict with:
    input:
        dag.inputs("prediction"),
    output:
        dag.outputs("prediction"),
    log:
        dag.log("prediction"),
    priority: KINDS["prediction"].priority
    threads: dag.threads("prediction")
    resources:
        **dag.resources("prediction"),
    params:
        kind="prediction",

# Studies as build targets: `snakemake`, or `snakemake --config study=two_stage scale=demo corpus=builtin`.
# The driver plans from config/ and freezes every node; a job reads frozen nodes by id and nothing else.
from sebench.run.workflow import Workflow


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


dag = Workflow(
    config,
    inside_job=workflow.remote_exec or workflow.subprocess_exec,
    remote=workflow.remote_exec,
)
RESULTS = dag.results


wildcard_constraints:
    stem=r"[^/]+-[0-9a-f]{10}",


include: "workflow/rules/synthesis.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/scoring.smk"
include: "workflow/rules/tables.smk"


rule all:
    default_target: True
    input:
        dag.targets(),
    localrule: True


onstart:
    dag.freeze()
    if workflow.non_local_exec:
        dag.submitting(workflow.executor_plugin.name, workflow.dag.needrun_jobs())


onsuccess:
    dag.finished()


onerror:
    dag.failed(log)

"""What failed for good, from Snakemake's log."""

from __future__ import annotations

from pathlib import Path

from sebench.run.failures import describe, failures

LOG = """\
Error in rule train:
    message: SLURM-job '3' failed, SLURM status is: 'FAILED'. For further error details see the cluster/cloud log.
    jobid: 6
    log: {folder}/train/one-0123456789.log, {folder}/slurm/3.log (check log file(s) for error details)
    shell:
        python -m sebench step run one-0123456789
Trying to restart job 6.
Select jobs to execute...
[Sat Nov 21 13:15:59 2026]
Error in rule train:
    jobid: 6
    message: SLURM-job '4' failed, SLURM status is: 'OUT_OF_MEMORY'. For further error details see there.
    log: {folder}/train/one-0123456789.log, {folder}/slurm/4.log (check log file(s) for error details)
    message: Error in group evaluation-f92942408d
    jobs:
        rule enhance:
            log: {folder}/enhance/two-0123456789.log (check log file(s) for error details)
    [Sat Nov 21 13:40:57 2026]
    Error in rule enhance:
        message: None
        log: {folder}/enhance/two-0123456789.log (check log file(s) for error details)
"""


def test_each_job_once_as_its_last_try_left_it(tmp_path: Path) -> None:
    for name in ("train/one-0123456789", "slurm/3", "slurm/4", "enhance/two-0123456789"):
        path = tmp_path / f"{name}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text("first\nlast\n", encoding="utf-8")
    one, two = failures(LOG.format(folder=tmp_path))
    assert one.what == "train one-0123456789"
    assert one.message == "SLURM-job '4' failed, SLURM status is: 'OUT_OF_MEMORY'."
    assert [path.name for path in one.logs][:2] == ["one-0123456789.log", "4.log"]
    assert (two.what, two.message) == ("enhance two-0123456789", "")
    lines = list(describe([two], tail_lines=1))
    assert lines == ["  enhance two-0123456789", f"    log: {tmp_path}/enhance/two-0123456789.log", "      last"]


def test_what_a_later_try_finished_did_not_fail(tmp_path: Path) -> None:
    healed = LOG.format(folder=tmp_path) + "[Sat Nov 21 13:41:11 2026]\nFinished jobid: 6 (Rule: train)\n"
    assert [failure.what for failure in failures(healed)] == ["enhance two-0123456789"]


def test_what_the_driver_says_at_the_end_is_no_part_of_the_last_error(tmp_path: Path) -> None:
    end = (
        "Exiting because a job execution failed.\nfailed for good:\n  mixtures b\n    log: {folder}/b.log\n      last\n"
    )
    (last,) = failures(
        ("Error in rule mixtures:\n    jobid: 1\n    log: {folder}/a.log\n" + end).format(folder=tmp_path)
    )
    assert [path.name for path in last.logs] == ["a.log"]


def test_a_log_without_errors() -> None:
    assert failures("rule train:\n    log: a.log\nFinished jobid: 6 (Rule: train)\n") == []


AGAIN = """\
Error in rule train:
    message: it is broken
    jobid: 6
    log: {folder}/one-0123456789.log (check log file(s) for error details)
[Sat Nov 21 13:15:59 2026]
Error in rule train:
    message: None
    jobid: 6
"""


def test_a_job_that_is_told_twice_is_one_with_its_name(tmp_path: Path) -> None:
    (found,) = failures(AGAIN.format(folder=tmp_path))
    assert (found.what, found.message) == ("train one-0123456789", "it is broken")


def test_what_each_try_wrote_alike_is_shown_once(tmp_path: Path) -> None:
    path = tmp_path / "one-0123456789.log"
    path.write_text("begun\n" + "sebench: no\n  because\n" * 3, encoding="utf-8")
    lines = list(describe(failures(AGAIN.format(folder=tmp_path)), tail_lines=12))
    assert lines[2:] == ["      begun", "      sebench: no", "        because"]

"""Note which jobs a run of the workflow consists of, for `bismap status`."""

from pathlib import Path
from typing import Any

from bismap.locks import this_process
from bismap.status.asked import AskedJob, write_asked
from workflow.scope import RESULTS

LOGS = RESULTS / "logs"


def note_jobs(dag: Any) -> None:
    """Write the jobs of Snakemake's graph beside the logs of each experiment in it."""
    jobs = [job for level in dag.toposorted() for job in sorted(level, key=_log) if job.log]
    for experiment in sorted({job.wildcards_dict["exp"] for job in jobs if "exp" in job.wildcards_dict}):
        own = {job for job in jobs if job.wildcards_dict.get("exp") == experiment}
        # Data sets and weights too, but not those of other experiments.
        mine = own | {job for job in _behind(dag, own) if "exp" not in job.wildcards_dict}
        write_asked(LOGS / experiment, this_process(), [_asked(job) for job in jobs if job in mine])


def _log(job: Any) -> str:
    return str(job.log[0]) if job.log else ""


def _asked(job: Any) -> AskedJob:
    output = Path(job.output[0]).relative_to(RESULTS)
    return AskedJob(job.rule.name, str(Path(_log(job)).relative_to(LOGS)), str(output))


def _behind(dag: Any, jobs: set[Any]) -> set[Any]:
    """All jobs that some of ``jobs`` depend on."""
    found: set[Any] = set()
    todo = list(jobs)
    while todo:
        new = set(dag.dependencies[todo.pop()]) - found
        found |= new
        todo += new
    return found

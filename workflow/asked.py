"""Note which jobs a run of the workflow consists of, for `bismap status`."""

from pathlib import Path
from typing import Any

from bismap.locks import this_process
from bismap.status.asked import AskedJob, write_asked
from workflow.scope import RESULTS


def note_jobs(dag: Any) -> None:
    """Write the jobs of Snakemake's graph beside the logs of each experiment in it."""
    logs = RESULTS / "logs"
    jobs, experiments = [], set()
    for level in dag.toposorted():
        for job in sorted((job for job in level if job.log), key=lambda job: str(job.log[0])):
            log, output = Path(job.log[0]), Path(job.output[0])
            jobs.append(AskedJob(job.rule.name, str(log.relative_to(logs)), str(output.relative_to(RESULTS))))
            if "exp" in job.wildcards_dict:
                experiments.add(job.wildcards_dict["exp"])
    for experiment in sorted(experiments):
        mine = [job for job in jobs if job.log.split("/")[0] in (experiment, "datasets", "weights")]
        write_asked(logs / experiment, this_process(), mine)

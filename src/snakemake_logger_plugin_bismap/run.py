"""What one `snakemake` has told of its jobs, and what their logs say."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bismap.job_log import read_log
from bismap.status.asked import AskedJob
from bismap.status.overview import bar, cut, doing
from bismap.status.survey import examine, name_of

RESULTS = Path("results")
LOGS = RESULTS / "logs"
CLOCKS_APART_S = 60.0
"""Seconds that the clock of a shared disk may be behind this machine's."""


class Run:
    """Jobs that are done, and those in work. Each method that takes an event's fields returns a line to print."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._handed_over: dict[int, float] = {}  # when, seconds since 1970
        self._done = 0
        self._total = 0
        self._jobs: dict[int, AskedJob] = {}
        self._lock = threading.Lock()

    def planned(self, fields: Mapping[str, Any]) -> str:
        """Take how many jobs of each rule are to be done."""
        counts = dict(fields["stats"])
        self._total = counts.pop("total") - counts.pop("all", 0)  # `all` does nothing
        return f"{_clock()} {self._total} jobs to do: " + ", ".join(f"{count} {rule}" for rule, count in counts.items())

    def started(self, fields: Mapping[str, Any]) -> None:
        """Take that a job has begun, or was handed to the cluster."""
        log = Path(fields["log"][0]) if fields["log"] else None
        self._handed_over[fields["jobid"]] = time.time()
        if log is not None and log.is_relative_to(LOGS):
            with self._lock:
                self._jobs[fields["jobid"]] = AskedJob(fields["rule_name"], log.relative_to(LOGS).as_posix(), "")

    def finished(self, fields: Mapping[str, Any]) -> str | None:
        """Take that a job is done."""
        job = self._pop(fields["job_id"])
        if job is None:
            return None
        self._done += 1
        return f"{_clock()} [{self._done} of {self._total}] {name_of(job)} finished"

    def failed(self, fields: Mapping[str, Any]) -> str | None:
        """Take that a job has failed; None if its log is not of this try or does not say why."""
        job = self._pop(fields["jobid"])
        log = read_log(LOGS / job.log) if job else None
        since = self._handed_over[fields["jobid"]] - CLOCKS_APART_S
        if log is None or log.error is None or log.changed < since:
            return None
        # A job of this machine has just said so itself; of one on a cluster nobody has seen the words.
        said = f": {log.error}" if "external_jobid" in fields["aux"] else ""
        return f"{_clock()} {name_of(job)} failed{said}\n         log {LOGS / job.log}"

    def _pop(self, jobid: int) -> AskedJob | None:
        with self._lock:
            return self._jobs.pop(jobid, None)

    def lines(self, width: int, height: int) -> list[str]:
        """The live overview: how much is done, and what each job in work does."""
        with self._lock:
            jobs = list(self._jobs.values())
        taken = time.strftime("%H:%M:%S", time.gmtime(time.monotonic() - self._began))
        lines = [f"{bar(self._done, self._total, 30)} of {self._total} jobs, {len(jobs)} in work, {taken}"]
        for index, job in enumerate(jobs):
            said = [name_of(job), doing(examine(RESULTS, job))]
            fits = 2 + len("  ".join(said)) <= width
            more = [f"  {'  '.join(said)}"] if fits else [f"  {said[0]}", f"    {said[1]}"]
            if len(lines) + len(more) >= height:
                lines.append(f"  and {len(jobs) - index} more")
                break
            lines += more
        return cut(lines, width)


def _clock() -> str:
    return time.strftime("%H:%M:%S")

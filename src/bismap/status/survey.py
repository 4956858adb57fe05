"""Find out where the jobs of an experiment stand. Nothing is written; what is half written is not taken for whole."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from bismap.job_log import JobLog, read_begin, read_log
from bismap.locks import Holder, holder_of
from bismap.progress import StepLine
from bismap.status.asked import Asked, AskedJob, read_asked
from bismap.store import ENTRY, Store
from bismap.verbs import VERBS

GRACE_S = 30.0  # a job elsewhere that has begun its log may need so long to take its lock


class State(Enum):
    """Where a job stands."""

    FINISHED = "finished"
    RUNNING = "running"
    FAILED = "failed"
    DEAD = "dead"
    NOT_BEGUN = "not begun"


@dataclass(frozen=True)
class JobStatus:
    """One job.

    Attributes:
        group: the run, data set or weights it belongs to; empty for what all runs share.
        part: which part of the stage, such as ``0-of-3``; empty if it has but one.
        since: begin of this attempt, ``YYYY-MM-DD HH:MM:SS``.
        holder: process that works at it, or has died at it.
        saved: step that it would go on from.
        step: newest step line of a training.
        said: newest message of the log; for a failed job, its error in one line.
        silent: seconds since its log changed.
        log: the log file.
    """

    group: str
    stage: str
    part: str
    state: State
    log: Path
    since: str | None = None
    holder: str | None = None
    saved: int | None = None
    step: StepLine | None = None
    said: str | None = None
    silent: float = 0.0


@dataclass(frozen=True)
class Experiment:
    """All jobs of an experiment that were asked for or begun, and the `snakemake` that lives, in words.

    Attributes:
        asked: so many of the jobs, from the first on, were asked for last; the others have left a log earlier.
    """

    folder: Path
    jobs: tuple[JobStatus, ...]
    snakemake: str | None
    asked: int

    def count(self, state: State) -> int:
        """How many jobs stand there."""
        return sum(job.state is state for job in self.jobs)

    @property
    def status(self) -> int:
        """Exit status: 0 all is finished; 3 goes on; 4 stands still, with failed or dead jobs; 5 not all is begun."""
        if self.snakemake or self.count(State.RUNNING):  # what it is about to redo may look finished, or failed, yet
            return 3
        states = {job.state for job in self.jobs[: self.asked]}
        if states & {State.FAILED, State.DEAD}:
            return 4
        return 0 if states == {State.FINISHED} else 5


def survey(folder: Path) -> Experiment:
    """Where the experiment of a folder ``results/{experiment}`` stands; the folder may not be there yet."""
    results = folder.parent
    logs = results / "logs"
    asked = read_asked(logs / folder.name)
    jobs = {job.log: job for job in asked.jobs} if asked else {}
    for path in sorted((logs / folder.name).rglob("*.log"), key=_changed):
        name = path.relative_to(logs).as_posix()
        jobs.setdefault(name, AskedJob(_stage_of(name), name, ""))
    found = tuple(examine(results, job) for job in jobs.values())
    return Experiment(folder, found, _main(asked), len(asked.jobs) if asked else len(found))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # Snakemake removes a log before the next attempt
        return 0.0


def examine(results: Path, job: AskedJob) -> JobStatus:
    """Where one job stands.

    Args:
        results: the folder ``results``.
    """
    path = results / "logs" / job.log
    store = Store(results / ".store")
    begin = read_begin(path)
    group, part = _place(job)

    def stands(state: State, **more: Any) -> JobStatus:
        return JobStatus(group, job.stage, part, state, path, **more)

    def ended() -> JobStatus:
        # Somebody may have removed the public path: then the next run links it anew.
        linked = not job.output or (results / job.output).exists()
        return stands(State.FINISHED if linked else State.NOT_BEGUN)

    log = read_log(path)
    if log is None:  # logs may be removed
        return ended() if job.output else stands(State.NOT_BEGUN)
    holder = store.holder(begin.stage, begin.key) if begin else None
    alive = holder is not None and holder.alive
    # Looked for after the lock: a job lets go of its lock when its result is there.
    made = (store.entry(begin.stage, begin.key) / ENTRY).is_file() if begin else log.done
    if made and not alive and log.error is None:
        return ended()
    state = _state(log, holder)
    owner = holder or (holder_of(begin.owner) if begin else None)
    return stands(
        state,
        since=log.since,
        holder=owner.name if owner else None,
        saved=store.saved_step(begin.stage, begin.key) if begin and state in (State.DEAD, State.FAILED) else None,
        step=log.step,
        said=log.error if state is State.FAILED else log.last,
        silent=max(time.time() - log.changed, 0.0),
    )


def _state(log: JobLog, holder: Holder | None) -> State:
    """Of a job that has begun and has no result."""
    if holder is not None and holder.alive:
        return State.RUNNING
    if log.error is not None:
        return State.FAILED
    if holder is None and not log.stopped and _may_be_starting(log):
        return State.RUNNING
    return State.DEAD


def _may_be_starting(log: JobLog) -> bool:
    alive = holder_of(log.begin.owner).alive if log.begin else None
    return alive if alive is not None else time.time() - log.changed <= GRACE_S


def _main(asked: Asked | None) -> str | None:
    holder = holder_of(asked.owner) if asked else None
    return holder.name if holder and holder.alive else None


def _place(job: AskedJob) -> tuple[str, str]:
    """The group of a job and which part of the stage it is, from where its log lies."""
    first, *rest = job.log.removesuffix(".log").split("/")
    if first == "weights":
        return f"weights {'/'.join(rest)}", ""
    if job.stage not in rest:
        return "", "/".join(rest)
    at = rest.index(job.stage)
    return "/".join(rest[:at]), "/".join(rest[at + 1 :])


def name_of(job: AskedJob) -> str:
    """A job in words: stage, experiment and run (or data set), part."""
    experiment = job.log.split("/")[0]
    group, part = _place(job)
    if experiment not in ("datasets", "weights"):
        group = f"{experiment}/{group}" if group else experiment
    return " ".join(filter(None, (job.stage, group, part)))


def _stage_of(log: str) -> str:
    parts = log.removesuffix(".log").split("/")[1:]
    return next((part for part in parts if part in VERBS), parts[-1])


def by_group(jobs: Iterable[JobStatus]) -> dict[str, dict[str, list[JobStatus]]]:
    """Jobs by group and stage, in the order of their first."""
    groups: dict[str, dict[str, list[JobStatus]]] = {}
    for job in jobs:
        groups.setdefault(job.group, {}).setdefault(job.stage, []).append(job)
    return groups

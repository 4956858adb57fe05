"""What is printed of an experiment: the overview, its scores and where to look. Lines fit 80 columns."""

import json
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from bismap.progress import StepLine
from bismap.status.survey import Experiment, JobStatus, State, by_group

WIDTH = 80
SILENT_S = 300.0  # a job whose log has not changed for so long is worth a word
SHARED = "all runs"

_WORST = (State.FAILED, State.DEAD, State.RUNNING, State.NOT_BEGUN, State.FINISHED)
_WORTH_A_LOOK = {
    "gallery/index.html": "gallery",
    "*/overview.png": "a run in one picture",
    "tables/*.md": "tables",
    "figures/*.png": "figures",
    "*/plots/": "plots",
    "*.json": "IoU of each class",
    "*/metrics.csv": "learning curves",
    "*/validation.csv": "IoU over time",
    "stylized/*/": "stylised source images",
    "*/transferability/*/": "source weights",
    "*/pseudo_labels/*/*-of-*/": "pseudo-labels",
}


def overview(experiment: Experiment) -> list[str]:
    """Where each run stands; a run of which all is finished, or nothing begun, takes one line."""
    if not experiment.jobs:
        return [f"{experiment.folder}: nothing was begun"]
    total = len(experiment.jobs)
    counts = [(experiment.count(state), state.value) for state in reversed(_WORST)]
    said = ", ".join(f"{count} {name}" for count, name in counts if count)
    lines = [f"{experiment.folder}: {said}", f"{bar(experiment.count(State.FINISHED), total, 40)} of {total} jobs"]
    if experiment.snakemake:
        lines[-1] += f", snakemake is {experiment.snakemake}"
    lines.append("")
    for group, stages in by_group(experiment.jobs).items():
        lines += _group(group or SHARED, stages)
    return lines


def _group(name: str, stages: dict[str, list[JobStatus]]) -> list[str]:
    states = {job.state for jobs in stages.values() for job in jobs}
    if len(states) == 1 and states <= {State.FINISHED, State.NOT_BEGUN}:
        (state,) = states
        return _wrapped(f"  {name:<26} {state.value:<10} ", ", ".join(stages))
    lines = [f"  {name}"]
    for stage, jobs in stages.items():
        lines += _stage(stage, jobs)
    return lines


def _stage(stage: str, jobs: Sequence[JobStatus]) -> list[str]:
    """Parts in the same state share a line; those that run, or do not go on, have lines of their own."""
    ordered = sorted(jobs, key=lambda job: _WORST.index(job.state))
    found = []
    for state, group in groupby(ordered, key=lambda job: job.state):
        alike = list(group)
        many = f"{len(alike)} of {len(jobs)} parts" if len(jobs) > 1 else ""
        found.append((_WORST.index(state), state, alike, many))
    lines = []
    for _, state, alike, many in sorted(found, key=lambda item: -item[0]):
        label = stage if not lines else ""
        lines.append(f"    {label:<24} {state.value:<10} {many}".rstrip())
        if state is State.RUNNING:
            lines += [f"      {text}" for job in alike for text in running(job)]
        elif state in (State.FAILED, State.DEAD):
            lines += [f"      {text}" for job in alike for text in _broken(job)]
    return lines


def running(job: JobStatus) -> list[str]:
    """What a running job does, and where."""
    part = f"{job.part}: " if job.part else ""
    where = f"since {_moment(job.since)}, " if job.since else ""
    quiet = f"; no line for {int(job.silent) // 60} min" if job.silent > SILENT_S else ""
    return [f"{part}{doing(job)}", f"{where}{job.holder or 'starting'}{quiet}"]


def doing(job: JobStatus) -> str:
    """What a job that was started does, in a few words."""
    if job.state is State.NOT_BEGUN:
        return "waits for its turn"
    return _step_text(job.step) if job.step else job.said or "starting"


def _broken(job: JobStatus) -> list[str]:
    part = f"{job.part}: " if job.part else ""
    if job.state is State.FAILED:
        why = job.said or "without a word"
    else:
        why = f"{job.holder or 'its process'} is gone"
        why += f"; last line: {job.said}" if job.said and job.saved is None else ""
    lines = [f"{part}{why}"]
    if job.saved is not None:
        lines.append(f"goes on from step {job.saved}" + (f" of {job.step.steps}" if job.step else ""))
    return [*lines, f"log {job.log}"]


def _step_text(step: StepLine) -> str:
    """A step line as people read it."""
    return f"step {step.step}/{step.steps}  loss {step.loss:.4f}  {step.rate:.2f} it/s  ETA {step.left}"


def bar(done: int, total: int, width: int) -> str:
    """``[#####-----]  9`` of ``total``, in ``width`` characters between the brackets."""
    full = width * done // total if total else 0
    return f"[{'#' * full}{'-' * (width - full)}] {done}"


def results(folder: Path) -> list[str]:
    """Scores of an experiment's runs, and the files worth opening."""
    scores = [line for path in sorted(folder.glob("*.json")) for line in _score(path)]
    places = [line for pattern, meaning in _WORTH_A_LOOK.items() for line in _place(folder, pattern, meaning)]
    lines = ["", "Scores", *scores] if scores else []
    return [*lines, "", "Where to look", *places] if places else lines


def _score(path: Path) -> list[str]:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        found = json.loads(path.read_text())["miou"]
        return [f"  {path.stem:<26} " + "  ".join(f"{name} {_percent(value)}" for name, value in sorted(found.items()))]
    return []


def _percent(found: object) -> str:
    value = found["miou"] if isinstance(found, dict) else found
    return "-" if value is None else f"{100 * value:.1f} %"


def _place(folder: Path, pattern: str, meaning: str) -> list[str]:
    found = [path for path in folder.glob(pattern) if path.exists()]
    if not found:
        return []
    where = f"{found[0]}{'/' if pattern.endswith('/') else ''}" if len(found) == 1 else f"{folder}/{pattern}"
    return [f"  {meaning:<26} {where}"]


def _moment(stamp: str) -> str:
    day, clock = stamp.split(" ")
    return clock if day == time.strftime("%Y-%m-%d") else stamp


def _wrapped(start: str, words: str) -> list[str]:
    """``words`` after ``start``, wrapped below themselves."""
    lines, line = [], start
    for word in words.split(" "):
        if len(line) + len(word) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = " " * len(start)
        line += f"{word} "
    return [*lines, line.rstrip()]


def cut(lines: Iterable[str], width: int) -> list[str]:
    """Lines cut to ``width`` characters."""
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]

"""`bismap status`: the overview once, or again and again."""

import shutil
import sys
import time
from pathlib import Path

from bismap.status.overview import cut, overview, results
from bismap.status.survey import Experiment, JobStatus, State, survey

EVERY_S = 2.0
GOES_ON = 3
_CLEAR, _HOME, _END_OF_LINE, _BELOW = "\x1b[2J", "\x1b[H", "\x1b[K", "\x1b[J"


def print_status(folder: Path) -> int:
    """Print where the experiment stands; returns the exit status (`Experiment.status`)."""
    found = survey(folder)
    print("\n".join([*overview(found), *results(folder)]))
    return found.status


def watch(folder: Path) -> int:
    """Show where the experiment stands until it goes on no more; returns the exit status.

    On a terminal the overview stays in place; elsewhere each job that came to another state is a line.
    """
    if not sys.stdout.isatty():
        return _tell(folder)
    print(_CLEAR, end="")
    while (found := survey(folder)).status == GOES_ON:
        size = shutil.get_terminal_size()
        lines = cut(overview(found)[: size.lines - 1], size.columns)
        print(_HOME + "".join(f"{line}{_END_OF_LINE}\n" for line in lines) + _BELOW, end="", flush=True)
        time.sleep(EVERY_S)
    print(_HOME + _BELOW, end="")
    print("\n".join([*overview(found), *results(folder)]))
    return found.status


def _tell(folder: Path) -> int:
    told: dict[Path, State] = {}
    while True:
        found = survey(folder)
        for job in found.jobs:
            if told.get(job.log, State.NOT_BEGUN) is not job.state:
                print(line_of(job, found), flush=True)
            told[job.log] = job.state
        if found.status != GOES_ON:
            return found.status
        time.sleep(EVERY_S)


def line_of(job: JobStatus, experiment: Experiment) -> str:
    """A job's new state in one line."""
    done = f"{experiment.count(State.FINISHED)} of {len(experiment.jobs)}"
    name = " ".join(filter(None, (job.stage, job.group, job.part)))
    why = f": {job.said}" if job.state is State.FAILED and job.said else ""
    return f"{time.strftime('%H:%M:%S')} [{done}] {name} {job.state.value}{why}"

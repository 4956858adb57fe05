"""The log file of a job: the form of its lines, and what can be read of it at any moment."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bismap.progress import StepLine, read_step

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_RECORD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} ([A-Z]+) [\w.]+: (.*)")
_BEGIN = re.compile(r"(\w+) ([0-9a-f]{32}) begins: (.+)")
_DONE = re.compile(r"\w+: done in [\d.]+ s")
_STOPPED = "stopped by signal "
_HEAD, _TAIL = 4096, 65536  # bytes


@dataclass(frozen=True)
class Begin:
    """What a job says first: its stage, its key, and the process that does it (`bismap.locks.this_process`)."""

    stage: str
    key: str
    owner: str

    def __str__(self) -> str:
        return f"{self.stage} {self.key} begins: {self.owner}"


@dataclass(frozen=True)
class JobLog:
    """What a log holds so far.

    Attributes:
        begin: the first line, None where it is not written yet.
        since: when that was, ``YYYY-MM-DD HH:MM:SS``.
        step: the newest step line of a training.
        last: the newest message after the first line.
        error: the newest error, in one line.
        done: whether the stage told its end.
        stopped: whether it was told to stop and has saved its state.
        changed: time of the last change, seconds since 1970.
    """

    begin: Begin | None
    since: str | None
    step: StepLine | None
    last: str | None
    error: str | None
    done: bool
    stopped: bool
    changed: float


def read_begin(path: Path) -> Begin | None:
    """The first line of a job's log, None where it is not written yet or there is no log."""
    for record in _records(_lines(path, 0, _HEAD)):
        found = _BEGIN.fullmatch(record.message)
        if found:
            return Begin(*found.groups())
    return None


def read_log(path: Path) -> JobLog | None:
    """The log of a job, of which only beginning and end are looked at; None if there is none, or none to be read now.

    A last line without its end is left out: it may be half written.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    head = _records(_lines(path, 0, _HEAD))
    tail = _records(_lines(path, max(status.st_size - _TAIL, 0), _TAIL))
    said = [record.message for record in tail if not _BEGIN.fullmatch(record.message)]
    steps = (read_step(record.message) for record in reversed(tail))
    errors = (record.error() for record in reversed(tail) if record.level == "ERROR")
    return JobLog(
        read_begin(path),
        head[0].time if head else None,
        next((step for step in steps if step), None),
        said[-1] if said else None,
        next(errors, None),
        any(_DONE.fullmatch(record.message) for record in tail),
        any(record.message.startswith(_STOPPED) for record in tail),
        status.st_mtime,
    )


@dataclass(frozen=True)
class _Record:
    time: str
    level: str
    message: str
    more: Sequence[str]  # further lines of the message, and of a traceback

    def error(self) -> str:
        said = [line for line in self.more if line.strip()]
        traced = any(line.startswith("Traceback ") for line in said)
        return f"{self.message}: {said[-1].strip()}" if traced else self.message


def _records(lines: Sequence[str]) -> list[_Record]:
    found: list[_Record] = []
    more: list[str] = []
    for line in lines:
        match = _RECORD.fullmatch(line)
        if match:
            more = []
            found.append(_Record(*match.groups(), more))
        else:
            more.append(line)
    return found


def _lines(path: Path, start: int, most: int) -> list[str]:
    """The whole lines among the ``most`` bytes of a file from ``start`` on."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(most)
    except OSError:  # a shared disk may fail for a moment; whoever watches looks again
        return []
    lines = data[: data.rfind(b"\n") + 1].decode(errors="replace").splitlines()
    return lines[1:] if start else lines

"""The jobs that the last `snakemake` of an experiment asked for, noted beside their logs when it began."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "jobs.json"


@dataclass(frozen=True)
class AskedJob:
    """A job as the workflow plans it.

    Attributes:
        stage: its verb.
        log: its log file below ``results/logs``.
        output: its first public path below ``results``.
    """

    stage: str
    log: str
    output: str


@dataclass(frozen=True)
class Asked:
    """Jobs, in an order in which they can be done, and the process that asked for them."""

    owner: str
    jobs: tuple[AskedJob, ...]


def write_asked(folder: Path, owner: str, jobs: Sequence[AskedJob]) -> None:
    """Note the jobs in ``folder``, the experiment's in ``results/logs``."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{FILE}.{os.getpid()}"
    temporary.write_text(json.dumps({"owner": owner, "jobs": [asdict(job) for job in jobs]}, indent=1) + "\n")
    temporary.replace(folder / FILE)


def read_asked(folder: Path) -> Asked | None:
    """What was noted in ``folder``; None if nothing was, or nothing that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads((folder / FILE).read_text())
        return Asked(noted["owner"], tuple(AskedJob(**job) for job in noted["jobs"]))
    return None

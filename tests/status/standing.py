"""An experiment whose jobs stand where a test wants them."""

import json
import os
from pathlib import Path

from bismap.job_log import Begin
from bismap.locks import this_process
from bismap.progress import StepLine
from bismap.status.asked import AskedJob, write_asked
from bismap.store import ENTRY, Store, link

ELSEWHERE = "node7/other-boot/4026531836 4711"


class Standing:
    """The folder ``results`` below ``root``, with an experiment ``demo``."""

    def __init__(self, root: Path) -> None:
        self.results = root / "results"
        self.folder = self.results / "demo"
        self.logs = self.results / "logs" / "demo"
        self.store = Store(self.results / ".store")

    def log(self, name: str, *messages: str, stage: str = "train", key: str = "0", owner: str | None = None) -> str:
        """Write a log with its first line and more messages (``LEVEL text``); returns the key in full."""
        key = key * 32
        path = self.logs / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        first = str(Begin(stage, key, owner or this_process()))
        lines = [f"INFO {first}", *messages]
        said = (line.partition(" ") for line in lines)
        path.write_text("".join(f"2026-11-20 08:05:30,094 {level} bismap.x: {text}\n" for level, _, text in said))
        return key

    def finish(self, name: str, output: str, stage: str = "train", key: str = "0") -> AskedJob:
        """A finished job with its entry and public path."""
        full = self.log(name, f"INFO {stage}: done in 19.5 s", stage=stage, key=key)
        entry = self.store.entry(stage, full)
        entry.mkdir(parents=True)
        for file in (ENTRY, "result"):
            (entry / file).write_text("{}")
        link(self.results / output, entry / "result")
        return AskedJob(stage, f"demo/{name}.log", output)

    def lock(self, stage: str, key: str, owner: str, silent: float = 0.0) -> None:
        """A lock file that its owner touched so many seconds ago."""
        path = self.store.root / ".locks" / f"{stage}-{key}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{owner} 00ff")
        touched = path.stat().st_mtime - silent
        os.utime(path, (touched, touched))

    def save(self, stage: str, key: str, *steps: int) -> None:
        """States of a killed training."""
        folder = self.store.state(stage, key)
        for step in steps:
            (folder / f"step-{step:08d}.pt").write_bytes(b"state")
            (folder / f"step-{step:08d}.json").write_text(json.dumps({"step": step, "bytes": 5, "sha256": ""}))

    def ask(self, *jobs: AskedJob, owner: str = ELSEWHERE) -> None:
        """Note the jobs as those of the last `snakemake`."""
        write_asked(self.logs, owner, jobs)


def step(number: int) -> str:
    return f"INFO {StepLine(number, 200, 0.9927, 0.0487, 11.11, '0:00:07')}"

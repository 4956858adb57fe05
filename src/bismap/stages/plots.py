"""plots: list of the plots of a run and of all runs behind it."""

import csv
import hashlib

from bismap.job import Job


def run(job: Job) -> None:
    """Write plots.csv: path within the experiment, bytes and sha256 of each file, in the order of ``paths``."""
    with (job.out / "plots.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("path", "bytes", "sha256"))
        for path, plot in zip(job.settings["paths"], job.input_list("files"), strict=True):
            content = plot.read_bytes()
            table.writerow((path, len(content), hashlib.sha256(content).hexdigest()))

"""target_prototypes: cluster the target's cells."""

import pandas as pd
from safetensors.numpy import save_file

from bismap.data.shards import folder
from bismap.extractor.cell_store import STORE, open_all
from bismap.job import Job
from bismap.transferability.target_prototypes import cluster, stack_cells


def run(job: Job) -> None:
    """Write centres.safetensors, clusters.csv and summary.csv."""
    cells = stack_cells(open_all([folder(path) / STORE for path in job.input_list("cells")]))
    found = cluster(cells, **job.settings, threads=job.threads, device=job.device)
    save_file({"centres": found.centres}, job.out / "centres.safetensors")
    clusters = {"size": found.sizes, "mean_distance": found.mean_distances}
    pd.DataFrame(clusters).to_csv(job.out / "clusters.csv", index_label="cluster", lineterminator="\n")
    summary = [{"cells": len(cells), "clusters": len(found.sizes), "inertia": found.inertia}]
    pd.DataFrame(summary).to_csv(job.out / "summary.csv", index=False, lineterminator="\n")

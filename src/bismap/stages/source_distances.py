"""source_distances: distance of each source cell to its nearest target prototype."""

from safetensors.numpy import load_file

from bismap.data.shards import folder
from bismap.extractor.cell_store import STORE, open_all
from bismap.job import Job
from bismap.transferability.distance_table import save_distances
from bismap.transferability.source_distances import measure


def run(job: Job) -> None:
    """Write distances.npy, images.csv (with d_mean) and summary.csv of the whole source set."""
    shards = open_all([folder(path) / STORE for path in job.input_list("cells")])
    centres = load_file(folder(job.input("centres")) / "centres.safetensors")["centres"]
    save_distances(job.out, measure(shards, centres, **job.settings))

"""transferability: the weight of each source pixel (STM)."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

from bismap.data import shards
from bismap.data.dataset import Dataset, Item, open_dataset
from bismap.data.images import resize_label, write_gray8
from bismap.job import Job
from bismap.transferability.class_entropy import load_normalized
from bismap.transferability.distance_table import SourceDistances, load_distances
from bismap.transferability.maps import class_rows, distance_term, entropy_lookup, moments, transferability_map


def run(job: Job) -> None:
    """Write one map per image of this shard, summary.csv by image and classes.csv by class."""
    source = job.settings["source"]
    dataset = open_dataset(job.input("source_index"), job.root("source"))
    items = shards.split(dataset.items(source["split"]), job.shard)
    distances = load_distances(job.input("distances").with_suffix(""))
    entropy = entropy_lookup(load_normalized(job.input("entropy"), dataset.classes.names))
    write = partial(_write_map, job, dataset, distances, entropy)
    with ThreadPoolExecutor(job.threads) as pool:
        histograms = list(pool.map(write, items))
    rows = [{"id": item.id} | moments(h.sum(0)) for item, h in zip(items, histograms, strict=True)]
    pd.DataFrame(rows).to_csv(job.out / "summary.csv", index=False, lineterminator="\n")
    by_class = class_rows(sum(histograms, np.zeros((256, 256), np.int64)), dataset.classes.names)
    pd.DataFrame(by_class).to_csv(job.out / "classes.csv", index=False, lineterminator="\n")


def _write_map(
    job: Job, dataset: Dataset, distances: SourceDistances, entropy: np.ndarray, item: Item
) -> np.ndarray:
    label = resize_label(dataset.read_label(item), tuple(job.settings["source"]["size"]))
    term = distance_term(distances.of(item.id), distances.d_mean)
    found = transferability_map(term, entropy, label)
    write_gray8(job.out / f"{item.id}.png", found.values)
    return found.histogram

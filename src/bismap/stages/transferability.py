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
from bismap.transferability.maps import (
    LABELS,
    class_rows,
    distance_term,
    entropy_lookup,
    moments,
    transferability_map,
)


def run(job: Job) -> None:
    """Write one map per image of this shard, summary.csv by image and classes.csv by class."""
    source = job.settings["source"]
    dataset = open_dataset(job.input("source_index"), job.root("source"))
    items = shards.split(dataset.items(source["split"]), job.shard)
    distances = load_distances(shards.folder(job.input("distances")))
    entropy = entropy_lookup(load_normalized(job.input("entropy"), dataset.classes.names))
    write = partial(_write_map, job, dataset, distances, entropy)
    rows, total = [], np.zeros((LABELS, 256), np.int64)
    with ThreadPoolExecutor(max(job.threads, 1)) as pool:
        for item, histogram in zip(items, pool.map(write, items), strict=True):
            rows.append({"id": item.id} | moments(histogram.sum(0)))
            total += histogram
    pd.DataFrame(rows).to_csv(job.out / "summary.csv", index=False, lineterminator="\n")
    by_class = pd.DataFrame(class_rows(total, dataset.classes.names))
    by_class.to_csv(job.out / "classes.csv", index=False, lineterminator="\n")


def _write_map(job: Job, dataset: Dataset, distances: SourceDistances, entropy: np.ndarray, item: Item) -> np.ndarray:
    label = resize_label(dataset.read_label(item), tuple(job.settings["source"]["size"]))
    term = distance_term(*distances.of(item.id))
    found = transferability_map(term, entropy, label)
    write_gray8(job.out / f"{item.id}.png", found.values)
    return found.histogram

"""category_anchors: one mean feature a class over the source images."""

import csv
import logging
from functools import reduce
from operator import add

from safetensors.numpy import save_file

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.job import Job
from bismap.prototypes.class_means import ANCHORS, CLASS_MEANS, ClassMeans

log = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write anchors.safetensors ``[C, d]`` (NaN for a class without) and classes.csv."""
    names = open_dataset(job.input("source_index"), job.root("source")).classes.names
    means = reduce(add, map(ClassMeans.load, shards.tables(job.input_list("features"), CLASS_MEANS)))
    for name, images in zip(names, means.images, strict=True):
        if not images:
            log.warning("class %s: no source image shows enough of it, so it gets no anchor", name)
    save_file({"anchors": means.anchors()}, job.out / ANCHORS)
    with (job.out / "classes.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["class", "name", "images"])
        table.writerows([c, name, images] for c, (name, images) in enumerate(zip(names, means.images, strict=True)))

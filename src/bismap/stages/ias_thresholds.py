"""ias_thresholds: class thresholds of each target image by IAST's selector, over the images in order of their ids."""

import csv

import numpy as np

from bismap.data.ahead import map_ahead
from bismap.job import Job
from bismap.pseudo_labels.files import read_grid, read_scores, scored_images
from bismap.pseudo_labels.instance_adaptive import THRESHOLDS, Selector


def run(job: Job) -> None:
    """Write thresholds.csv: id, and the least confidence kept of each class in that image, to the last digit."""
    manifests = job.input_list("scores")
    score, grid, names = read_grid(manifests)
    images = scored_images(manifests, score)

    def read(image: tuple) -> tuple[np.ndarray, np.ndarray]:
        classes, codes = read_scores(*image[1:])
        return classes, grid.decode(codes).astype(np.float32)

    pixels = map_ahead(read, images, job.threads)
    with (job.out / THRESHOLDS).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", *(f"threshold_{c}" for c in range(len(names)))])
        found = Selector(**job.settings).thresholds(pixels, len(names))
        for (image_id, *_), thresholds in zip(images, found, strict=True):
            table.writerow([image_id, *(repr(float(value)) for value in thresholds)])

"""pseudo_labels: keep the labels of target pixels above the threshold."""

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bismap.data import shards
from bismap.data.images import write_label
from bismap.job import Job
from bismap.pseudo_labels.files import read_grid, read_histogram, read_scores, scored_images
from bismap.pseudo_labels.grid import ScoreGrid
from bismap.pseudo_labels.instance_adaptive import THRESHOLDS
from bismap.pseudo_labels.tables import image_row, write_images, write_threshold
from bismap.pseudo_labels.threshold import choose_code, keep

LeastCodes = Callable[[str], NDArray[np.int64]]
"""From an image's id to the least code kept of each class ``[C]``."""


def run(job: Job) -> None:
    """Write one label image per image of this shard, images.csv, and (with one threshold for all) threshold.csv."""
    manifests = job.input_list("scores")
    score, grid, names = read_grid(manifests)
    least = _of_each_image(job, grid) if job.input_list("thresholds") else _of_all(job, grid, names)
    images = shards.split(scored_images(manifests, score), job.shard)
    with Image.open(images[0][1]) as first:
        palette = first.getpalette()

    def label(image: tuple) -> list:
        image_id, class_map, scores = image
        assigned, codes = read_scores(class_map, scores)
        labels = keep(assigned, codes, least(image_id))
        write_label(job.out / f"{image_id}.png", labels, palette)
        return image_row(image_id, labels, codes, grid, len(names))

    with ThreadPoolExecutor(job.threads) as pool:
        rows = list(pool.map(label, images))
    write_images(job.out / "images.csv", rows, score, len(names))


def _of_all(job: Job, grid: ScoreGrid, names: list[str]) -> LeastCodes:
    """One threshold over the whole set, which threshold.csv tells."""
    histogram = read_histogram(job.input_list("scores"), len(names))
    code = choose_code(job.settings["threshold"], grid, histogram)
    write_threshold(job.out / "threshold.csv", histogram, code, grid, names)
    least = np.full(len(names), code)
    return lambda image_id: least


def _of_each_image(job: Job, grid: ScoreGrid) -> LeastCodes:
    """Class thresholds of each image, as `ias_thresholds` wrote them."""
    with (shards.folder(job.input("thresholds")) / THRESHOLDS).open(newline="") as file:
        rows = {
            row.pop("id"): [grid.threshold_code(float(value)) for value in row.values()] for row in csv.DictReader(file)
        }
    return lambda image_id: np.array(rows[image_id])

"""pseudo_label_curve: quality of an assignment's labels against the share labelled, over its thresholds."""

import csv
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bismap.data.ahead import map_ahead
from bismap.data.dataset import Dataset, Item, open_dataset
from bismap.data.images import resize_label
from bismap.evaluation.files import labelled_items
from bismap.evaluation.label_curves import COLUMNS, count_kept, curve_rows
from bismap.job import Job
from bismap.pseudo_labels.files import read_grid, read_histogram, read_scores, scored_images
from bismap.pseudo_labels.grid import ScoreGrid
from bismap.pseudo_labels.instance_adaptive import Selector
from bismap.pseudo_labels.threshold import code_of_share

SHARES = tuple(step / 20 for step in range(1, 21))
"""Shares of the target's pixels that are kept, by one threshold for all."""

ALPHAS = tuple(step / 10 for step in range(1, 11))
"""IAST's alpha, which says how much is kept of a class (A§10)."""

Scored = Sequence[tuple[str, Path, Path]]
LeastCodes = Mapping[str, NDArray[np.int64]]
"""Of an image's id, the least code kept at each point of the curve of each class ``[P, C]``."""


def run(job: Job) -> None:
    """Write curve.csv (columns of `label_curves`) over the images of the split that have a truth.

    ``setting`` is the least score kept; for IAST's selector it is alpha.
    """
    manifests = job.input_list("scores")
    score, grid, names = read_grid(manifests)
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    scored = scored_images(manifests, score)
    if "ias" in job.settings:
        settings, least = ALPHAS, _least_of_ias(job, scored, grid, len(names))
    else:
        pixels = read_histogram(manifests, len(names)).sum(0)
        codes = np.array([code_of_share(pixels, share) for share in SHARES])
        settings, everywhere = grid.decode(codes).tolist(), np.repeat(codes[:, None], len(names), 1)
        least = {image_id: everywhere for image_id, *_ in scored}
    items = labelled_items(dataset, job.settings["target"]["split"], {image_id for image_id, *_ in scored})
    counts = _count(dataset, items, {image_id: files for image_id, *files in scored}, least, job.threads)
    pixels = np.sum([item.pixels for item in items], 0)
    with (job.out / "curve.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(curve_rows(settings, counts, pixels))


def _least_of_ias(job: Job, scored: Scored, grid: ScoreGrid, classes: int) -> LeastCodes:
    """Codes of the class thresholds of every image at every alpha; the images are read once for each alpha."""

    def read(image: tuple) -> tuple[np.ndarray, np.ndarray]:
        assigned, codes = read_scores(*image[1:])
        return assigned, grid.decode(codes).astype(np.float32)

    def of(alpha: float) -> list[list[int]]:
        selector = Selector(alpha=alpha, **job.settings["ias"])
        found = selector.thresholds(map_ahead(read, scored, job.threads), classes)
        return [[grid.threshold_code(float(value)) for value in thresholds] for thresholds in found]

    by_image = np.moveaxis(np.array([of(alpha) for alpha in ALPHAS]), 1, 0)
    return {image_id: least for (image_id, *_), least in zip(scored, by_image, strict=True)}


def _count(
    dataset: Dataset, items: Sequence[Item], files: Mapping[str, Sequence[Path]], least: LeastCodes, threads: int
) -> NDArray[np.int64]:
    def count(item: Item) -> NDArray[np.int64]:
        classes, codes = read_scores(*files[item.id])
        truth = resize_label(dataset.read_label(item), classes.shape[::-1])
        return count_kept(truth, classes, codes, least[item.id], item.id)

    total = None
    with ThreadPoolExecutor(threads) as pool:
        for counts in pool.map(count, items):
            total = counts if total is None else total + counts
    return total

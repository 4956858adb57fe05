"""Tables of pseudo-labels: what was kept, by image and by class."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.pseudo_labels.grid import CODES, ScoreGrid


def image_row(
    image_id: str, labels: NDArray[np.uint8], codes: NDArray[np.uint16], grid: ScoreGrid, classes: int
) -> list:
    """Id, labelled share, mean score of all pixels, and pixels kept of each class."""
    counts = np.bincount(labels.ravel(), minlength=256)
    share = 1 - counts[IGNORE] / labels.size
    return [image_id, f"{share:.6f}", f"{grid.decode(codes).mean():.4f}", *counts[:classes].tolist()]


def write_images(path: Path, rows: Sequence[list], score: str, classes: int) -> None:
    """Write images.csv of :func:`image_row`s: id, labelled_share, mean_{score}, pixels_0 .. pixels_{C-1}."""
    header = ["id", "labelled_share", f"mean_{score}", *(f"pixels_{c}" for c in range(classes))]
    _write(path, header, rows)


def write_threshold(path: Path, histogram: NDArray[np.int64], code: int, grid: ScoreGrid, names: Sequence[str]) -> None:
    """Write threshold.csv: the least score kept, and of each class the pixels assigned, kept, and their share."""
    counts = {(c, name): histogram[c] for c, name in enumerate(names)} | {("", "all"): histogram.sum(0)}
    least = "" if code == CODES else grid.offset + grid.step * code
    rows = []
    for (c, name), pixels in counts.items():
        assigned, kept = int(pixels.sum()), int(pixels[code:].sum())
        rows.append([c, name, assigned, kept, f"{kept / assigned:.6f}" if assigned else "", least])
    _write(path, ["class", "name", "assigned", "kept", "share", "least_score"], rows)


def _write(path: Path, header: Sequence[str], rows: Sequence[list]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)

"""Tables of pseudo-labels: what was kept, by image and by class."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.pseudo_labels.grid import CODES, DensityGrid


def image_row(image_id: str, labels: NDArray[np.uint8], codes: NDArray[np.uint16], grid: DensityGrid) -> list:
    """Id, labelled share, mean log density of all pixels, and pixels kept of each of 255 possible classes."""
    counts = np.bincount(labels.ravel(), minlength=256)
    share = 1 - counts[IGNORE] / labels.size
    return [image_id, f"{share:.6f}", f"{grid.decode(codes).mean():.4f}", *counts[:IGNORE].tolist()]


def write_images(path: Path, rows: Sequence[list], classes: int) -> None:
    """Write images.csv: id, labelled_share, mean_density, pixels_0 .. pixels_{C-1}."""
    header = ["id", "labelled_share", "mean_density", *(f"pixels_{c}" for c in range(classes))]
    _write(path, header, [row[: 3 + classes] for row in rows])


def write_threshold(path: Path, histogram: NDArray[np.int64], code: int, grid: DensityGrid, classes: int) -> None:
    """Write threshold.csv: the delta used, and of each class the pixels assigned, kept, and their share."""
    rows = []
    for c in range(classes):
        assigned, kept = int(histogram[c].sum()), int(histogram[c, code:].sum())
        rows.append([c, assigned, kept, f"{kept / assigned:.6f}" if assigned else ""])
    total, kept = int(histogram.sum()), int(histogram[:, code:].sum())
    rows.append(["all", total, kept, f"{kept / total:.6f}" if total else ""])
    delta = "" if code == CODES else grid.offset + grid.step * code
    _write(path, ["class", "assigned", "kept", "share", "delta"], [[*row, delta] for row in rows])


def _write(path: Path, header: Sequence[str], rows: Sequence[list]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)

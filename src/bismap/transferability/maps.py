"""Source transferability maps, Eq. 9: w = min(exp(-D^2 / d_mean^2 * log 2) + e'_c, 1), kept in 8 bits.

D is constant over a cell and e' over a class, so a map has few distinct values: they are computed once per
(cell, label) in double precision, and a pixel looks its value up.
"""

from dataclasses import dataclass

import numpy as np

from bismap.data import IGNORE
from bismap.errors import BismapError

LABELS = 256


@dataclass(frozen=True)
class TransferabilityMap:
    """One image's map.

    Attributes:
        values: uint8 [height, width], 255 * w truncated.
        histogram: int64 [LABELS, 256], number of pixels by label and value.
    """

    values: np.ndarray
    histogram: np.ndarray


def distance_term(distances: np.ndarray, d_mean: float) -> np.ndarray:
    """exp(-D^2 / d_mean^2 * log 2): 1 on a prototype, 0.5 at the mean distance; float64, any shape."""
    return np.exp2(-((distances / d_mean) ** 2))


def entropy_lookup(normalized: np.ndarray) -> np.ndarray:
    """e' by label id, float64 [LABELS], of e'_c [classes]; unlabelled pixels keep the distance term alone (A§6)."""
    lookup = np.zeros(LABELS)
    lookup[: len(normalized)] = normalized
    return lookup


def transferability_map(term: np.ndarray, entropy: np.ndarray, label: np.ndarray) -> TransferabilityMap:
    """Eq. 9 for one image.

    Args:
        term: distance term [rows, cols]; a pixel takes that of the cell it lies in (nearest upsampling).
        entropy: e' by label id [LABELS].
        label: uint8 [height, width] trainIds, 255 unlabelled.

    Raises:
        BismapError: if the label image is smaller than the grid.
    """
    cells = _cell_of_pixel(term.shape, label.shape)
    weight = np.minimum(term.reshape(-1, 1) + entropy, 1.0)
    table = (255 * weight).astype(np.uint8)
    pairs = cells * LABELS + label
    counts = np.bincount(pairs.ravel(), minlength=table.size).reshape(table.shape)
    return TransferabilityMap(table.ravel()[pairs], _histogram(counts, table))


def _cell_of_pixel(grid: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Number of the cell [height, width] each pixel lies in: row * cols + col."""
    if shape[0] < grid[0] or shape[1] < grid[1]:
        raise BismapError(f"a label image of {shape[1]} x {shape[0]} pixels is smaller than the grid {grid}")
    rows = np.arange(shape[0]) * grid[0] // shape[0]
    cols = np.arange(shape[1]) * grid[1] // shape[1]
    return rows[:, None] * grid[1] + cols


def _histogram(counts: np.ndarray, table: np.ndarray) -> np.ndarray:
    histogram = np.zeros((LABELS, 256), np.int64)
    labels = np.broadcast_to(np.arange(LABELS), table.shape)
    np.add.at(histogram, (labels, table), counts)
    return histogram


def moments(histogram: np.ndarray) -> dict[str, float]:
    """Pixels, mean, std, min and max of the weights (value / 255) counted in ``histogram`` [256].

    Without pixels the figures are NaN.
    """
    pixels = int(histogram.sum())
    if not pixels:
        return {"pixels": 0, "mean": np.nan, "std": np.nan, "min": np.nan, "max": np.nan}
    weights = np.arange(256) / 255
    share = histogram / pixels
    mean = float(share @ weights)
    seen = weights[histogram > 0]
    std = float(np.sqrt(share @ (weights - mean) ** 2))
    return {"pixels": pixels, "mean": mean, "std": std, "min": float(seen[0]), "max": float(seen[-1])}


def class_rows(histogram: np.ndarray, names: tuple[str, ...]) -> list[dict[str, object]]:
    """One row per class, and one for unlabelled pixels, of the summed ``histogram`` [LABELS, 256]."""
    rows = [{"class": c, "name": name} | moments(histogram[c]) for c, name in enumerate(names)]
    return [*rows, {"class": IGNORE, "name": "unlabelled"} | moments(histogram[IGNORE])]

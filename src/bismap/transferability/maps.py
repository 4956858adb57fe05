"""Source transferability maps, Eq. 9: w = min(exp(-D^2 / d_mean^2 * log 2) + e'_c, 1), kept in 8 bits.

D is constant over a cell and e' over a class, so a map has few distinct values: they are computed once per
(cell, label) in double precision, and a pixel looks its value up.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

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
    rows, cols = (_edges(cells, length) for cells, length in zip(term.shape, label.shape, strict=True))
    weight = np.minimum(term.reshape(-1, 1) + entropy, 1.0)
    table = (255 * weight).astype(np.uint8)
    values, counts = np.empty_like(label), np.empty(table.shape, np.int64)
    blocks = [(slice(*row), slice(*col)) for row in pairwise(rows) for col in pairwise(cols)]
    for cell, block in enumerate(blocks):
        values[block] = table[cell].take(label[block])
        counts[cell] = Image.fromarray(label[block]).histogram()  # half the time of numpy.bincount
    return TransferabilityMap(values, _histogram(counts, table))


def _edges(cells: int, length: int) -> list[int]:
    """First pixel of each cell along an axis, and the number of pixels: pixel i lies in cell i * cells // length."""
    if length < cells:
        raise BismapError(f"a label image of {length} pixels along one side is smaller than the grid's {cells} cells")
    return [-(-cell * length // cells) for cell in range(cells + 1)]


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

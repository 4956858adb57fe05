"""Distance of every source cell to its nearest target prototype, and d_mean of Eq. 9."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from bismap.errors import BismapError
from bismap.extractor.cell_store import CellShard
from bismap.transferability.distance_table import SourceDistances
from bismap.transferability.nearest import nearest

Mean = Literal["exact", "running"]

MOMENTUM = 0.99
"""Of the released code's running mean (A§6)."""


def measure(
    shards: Sequence[CellShard], centres: np.ndarray, upsample: int = 1, mean: Mean = "exact"
) -> SourceDistances:
    """Distances of all cells of ``shards`` to ``centres`` [J, d]; memory of one chunk and the result.

    Args:
        upsample: points per cell and direction that features are upsampled to before they are measured (bilinear,
            corners aligned); 1: the cells themselves. The paper upsamples to the image's pixels (footnote 1).
        mean: ``exact``, d_mean over the whole source set, or ``running``, as released (A§14.1 row 3).

    Raises:
        BismapError: if cells and centres differ in length, or the mean distance is 0.
    """
    length = shards[0].features.shape[2]
    if length != centres.shape[1]:
        raise BismapError(
            f"source cells have {length} values, target prototypes {centres.shape[1]}: "
            "both must come from the same extractor"
        )
    grid = shards[0].grid
    # One image at a time: the shape of the product, and so its rounding, is the same for any shards.
    found = {
        image_id: nearest(upsampled(cells, grid, upsample), centres)[1]
        for shard in shards
        for image_id, cells in shard.images()
    }
    ids = sorted(found)
    distances = np.stack([found[image_id] for image_id in ids])
    d_mean = running_means(distances.mean(1)) if mean == "running" else _exact_mean(distances)
    if not d_mean.all():
        raise BismapError("every source cell lies on a target prototype: Eq. 9 has no scale (mean distance 0)")
    return SourceDistances(tuple(ids), distances, (grid[0] * upsample, grid[1] * upsample), d_mean)


def upsampled(cells: np.ndarray, grid: tuple[int, int], factor: int) -> np.ndarray:
    """Cells [rows * cols, d] at ``factor`` times as many rows and columns."""
    if factor == 1:
        return cells
    down, along = (_interpolation(length, factor) for length in grid)
    finer = np.einsum("yr,xc,rcd->yxd", down, along, cells.reshape(*grid, -1), optimize=True)
    return finer.reshape(-1, cells.shape[1]).astype(cells.dtype)


def _interpolation(length: int, factor: int) -> np.ndarray:
    """Weights [length * factor, length] of linear interpolation with corners aligned."""
    positions = np.linspace(0, length - 1, length * factor)
    return np.maximum(1 - np.abs(positions[:, None] - np.arange(length)), 0)


def running_means(means: np.ndarray) -> np.ndarray:
    """Running mean of the images' mean distances [images] with `MOMENTUM`, started from the first, after each image."""
    found, current = np.empty(len(means)), means[0]
    for place, value in enumerate(means):
        current = found[place] = MOMENTUM * current + (1 - MOMENTUM) * value
    return found


def _exact_mean(distances: np.ndarray) -> np.ndarray:
    """Mean of all distances for each image, correctly rounded, so that no order can change it."""
    return np.full(len(distances), math.fsum(distances.ravel()) / distances.size)

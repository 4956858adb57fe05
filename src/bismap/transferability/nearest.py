"""Distance of cells to their nearest prototype, Eq. 7."""

import math

import numpy as np

from bismap.kernels import kernel

BLOCK = 1024


def nearest(cells: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centre of each cell, D = min_j ||f - A_j||_2.

    A product of matrices in float32 leaves few centres in question; those are compared in float64:
    the result does not depend on how that product was rounded, so neither on the cells beside nor on threads.

    Args:
        cells: [n, d] float32, finite.
        centres: [J, d] float32.

    Returns:
        Index [n] of the nearest centre (the first of equals), and L2 distance [n] to it, float64.
    """
    index, distance = np.empty(len(cells), np.int64), np.empty(len(cells))
    offsets = np.square(centres, dtype=np.float64).sum(1)
    for first in range(0, len(cells), BLOCK):
        rows = slice(first, first + BLOCK)
        block = np.ascontiguousarray(cells[rows])
        _nearest(block, centres, block @ centres.T, offsets, index[rows], distance[rows])
    return index, distance


@kernel
def _nearest(cells, centres, products, offsets, index, distance):
    largest = offsets.max()
    # Bounds the error of a float32 product of two vectors, relative to the product of their lengths.
    rounding = cells.shape[1] * 2.0**-24
    for i in range(len(cells)):
        limit, square = np.inf, 0.0
        for k in range(cells.shape[1]):
            square += cells[i, k] * cells[i, k]
        for j in range(len(centres)):
            limit = min(limit, offsets[j] - 2 * products[i, j])
        # Twice the error of the least and of the one compared with it.
        limit += 4 * rounding * math.sqrt(square * largest)
        best, found = np.inf, 0
        for j in range(len(centres)):
            if offsets[j] - 2 * products[i, j] <= limit:
                candidate = _squared_distance(cells[i], centres[j])
                if candidate < best:
                    best, found = candidate, j
        index[i], distance[i] = found, math.sqrt(best)


@kernel
def _squared_distance(a, b):
    total = 0.0
    for k in range(len(a)):
        gap = np.float64(a[k]) - np.float64(b[k])
        total += gap * gap
    return total

"""Distance of cells to their nearest prototype, Eq. 7."""

import numpy as np

BLOCK = 1024


def nearest(cells: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centre of each cell, D = min_j ||f - A_j||_2.

    Args:
        cells: [n, d].
        centres: [J, d].

    Returns:
        Index [n] of the nearest centre, and L2 distance [n] to it, float64. Memory of a block of cells.
    """
    index = np.empty(len(cells), np.int64)
    distance = np.empty(len(cells))
    centres = centres.astype(np.float64)
    for start in range(0, len(cells), BLOCK):
        block = slice(start, start + BLOCK)
        squared = _squared_distances(cells[block].astype(np.float64), centres)
        index[block] = squared.argmin(1)
        distance[block] = np.sqrt(squared.min(1))
    return index, distance


def _squared_distances(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    # In double precision |x|^2 - 2xA + |A|^2 loses nothing that matters; in single it would.
    squares = np.einsum("nd,nd->n", x, x)[:, None] - 2 * (x @ a.T) + np.einsum("jd,jd->j", a, a)
    return np.maximum(squares, 0)

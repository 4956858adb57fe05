"""The part of the densities that is done pixel by pixel, compiled for the CPU.

Four neighbouring features enclose a *cell* of pixels. The weights of a pixel's nine polarised log densities
(its four corners, four sides and the diagonals; see `densities`) are not negative and sum to 1, so at every
pixel of the cell a component lies between the least and the greatest of its nine. A component whose greatest is
far below another's least adds nothing anywhere in the cell. Few are left, and only they are evaluated.
"""

import math

import numpy as np

from bismap.kernels import exp32, kernel

LANES = 8
"""Components are looked at this many at a time; a bank holds a multiple."""

# A component this far below the densest (nat) adds less than 1e-13 of the density.
NEGLIGIBLE = -30.0

_CORNERS_AND_SIDES = 9


@kernel
def products_along(row, out):
    """Products ``[2w - 1, d]`` of a row's features ``[w, d]``: each with itself, then with its right neighbour."""
    width, length = row.shape
    for x in range(width):
        for j in range(length):
            out[x, j] = row[x, j] * row[x, j]
    for x in range(width - 1):
        for j in range(length):
            out[width + x, j] = row[x, j] * row[x + 1, j]


@kernel
def products_across(upper, lower, out):
    """Products ``[2w - 1, d]`` of two rows' features: with the lower neighbour, then the mean of both diagonals."""
    width, length = upper.shape
    for x in range(width):
        for j in range(length):
            out[x, j] = upper[x, j] * lower[x, j]
    for x in range(width - 1):
        for j in range(length):
            out[width + x, j] = 0.5 * (upper[x, j] * lower[x + 1, j] + upper[x + 1, j] * lower[x, j])


@kernel
def fill_cells(upper, lower, across, upper_affine, lower_affine, owner, starts, fractions, rows, classes, density):
    """Best class and log density of the pixels between two rows of features.

    Args:
        upper, lower: quadratic terms along each row ``[2w - 1, G]`` (of `products_along`), float64.
        across: those between the rows (of `products_across`).
        upper_affine, lower_affine: affine terms of either row ``[w, G]``.
        owner: ``[G]`` trainId of the class that a component belongs to, ascending.
        starts: ``[w]``: first column of pixels of each cell, and at the end the number of columns.
        fractions: ``[W]``: how far each column of pixels lies beyond its cell's left side, 0 to 1.
        rows: ``[R]``: the same for the rows of pixels below the upper row.
        classes: out, ``[R, W]`` uint8, trainIds.
        density: out, ``[R, W]`` float32, nat.
    """
    width, components = upper_affine.shape
    values = np.empty((_CORNERS_AND_SIDES, components))
    least, greatest = np.empty(components), np.empty(components)
    chosen = np.empty(components, np.int64)
    near = np.empty((_CORNERS_AND_SIDES, components))
    left, middle, right, logs = (np.empty(components), np.empty(components), np.empty(components), np.empty(components))
    for x in range(width - 1):
        if starts[x] == starts[x + 1]:
            continue
        _gather(upper, lower, across, upper_affine, lower_affine, x, values)
        count = _candidates(values, least, greatest, chosen)
        for t in range(_CORNERS_AND_SIDES):
            for c in range(count):
                near[t, c] = values[t, chosen[c]]
        for y in range(len(rows)):
            below = rows[y]
            above = 1 - below
            _mix(near, 0, 2, 4, above, below, count, left)
            _mix(near, 1, 3, 5, above, below, count, right)
            _mix(near, 6, 7, 8, above, below, count, middle)
            for column in range(starts[x], starts[x + 1]):
                after = fractions[column]
                before = 1 - after
                both = 2 * before * after
                for c in range(count):
                    logs[c] = before * before * left[c] + after * after * right[c] + both * middle[c]
                classes[y, column], density[y, column] = _best(logs, chosen, count, owner)


@kernel
def _gather(upper, lower, across, upper_affine, lower_affine, x, values):
    """The nine polarised log densities of the cell right of column ``x``; left, right and middle are three each."""
    width = len(upper_affine)
    for g in range(values.shape[1]):
        values[0, g] = upper_affine[x, g] + upper[x, g]
    for g in range(values.shape[1]):
        values[1, g] = upper_affine[x + 1, g] + upper[x + 1, g]
    for g in range(values.shape[1]):
        values[2, g] = lower_affine[x, g] + lower[x, g]
    for g in range(values.shape[1]):
        values[3, g] = lower_affine[x + 1, g] + lower[x + 1, g]
    for g in range(values.shape[1]):
        values[4, g] = 0.5 * (upper_affine[x, g] + lower_affine[x, g]) + across[x, g]
    for g in range(values.shape[1]):
        values[5, g] = 0.5 * (upper_affine[x + 1, g] + lower_affine[x + 1, g]) + across[x + 1, g]
    for g in range(values.shape[1]):
        values[6, g] = 0.5 * (upper_affine[x, g] + upper_affine[x + 1, g]) + upper[width + x, g]
    for g in range(values.shape[1]):
        values[7, g] = 0.5 * (lower_affine[x, g] + lower_affine[x + 1, g]) + lower[width + x, g]
    for g in range(values.shape[1]):
        mean = (upper_affine[x, g] + upper_affine[x + 1, g]) + (lower_affine[x, g] + lower_affine[x + 1, g])
        values[8, g] = 0.25 * mean + across[width + x, g]


@kernel
def _candidates(values, least, greatest, chosen):
    """Number of components that matter somewhere in the cell; their places go to ``chosen``."""
    components = len(least)
    for g in range(components):
        least[g] = values[0, g]
        greatest[g] = values[0, g]
    for t in range(1, _CORNERS_AND_SIDES):
        for g in range(components):
            least[g] = min(least[g], values[t, g])
            greatest[g] = max(greatest[g], values[t, g])
    lanes = np.full(LANES, -np.inf)
    for start in range(0, components, LANES):
        for lane in range(LANES):
            lanes[lane] = max(lanes[lane], least[start + lane])
    floor = lanes.max() + NEGLIGIBLE
    count = 0
    for g in range(components):
        if greatest[g] > floor:
            chosen[count] = g
            count += 1
    return count


@kernel
def _mix(near, a, b, between, above, below, count, out):
    both = 2 * above * below
    for c in range(count):
        out[c] = above * above * near[a, c] + below * below * near[b, c] + both * near[between, c]


@kernel
def _best(logs, chosen, count, owner):
    """Class of the greatest sum of densities, and the log of that sum; the first of equals."""
    peak = logs[0]
    for c in range(1, count):
        peak = max(peak, logs[c])
    best_sum, best_class = np.float32(0), 0
    total, current = np.float32(0), owner[chosen[0]]
    for c in range(count):
        if owner[chosen[c]] != current:
            if total > best_sum:
                best_sum, best_class = total, current
            total, current = np.float32(0), owner[chosen[c]]
        gap = logs[c] - peak
        if gap > NEGLIGIBLE:
            total += exp32(np.float32(gap))
    if total > best_sum:
        best_sum, best_class = total, current
    return best_class, peak + math.log(best_sum)

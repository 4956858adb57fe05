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
    # Least and greatest of three: at the left and the right side of a cell, in turns, and between them.
    least, greatest = np.empty((3, components)), np.empty((3, components))
    chosen = np.empty(components, np.int64)
    near = np.empty((_CORNERS_AND_SIDES, components))
    left, middle, right, logs = (np.empty(components), np.empty(components), np.empty(components), np.empty(components))
    _bound_side(upper, lower, across, upper_affine, lower_affine, 0, least, greatest)
    for x in range(width - 1):
        _bound_side(upper, lower, across, upper_affine, lower_affine, x + 1, least, greatest)
        if starts[x] == starts[x + 1]:
            continue
        _bound_middle(upper, lower, across, upper_affine, lower_affine, x, least, greatest)
        count = _candidates(least, greatest, chosen)
        for c in range(count):
            _gather(upper, lower, across, upper_affine, lower_affine, x, chosen[c], near, c)
        for y in range(len(rows)):
            below = rows[y]
            above = 1 - below
            _mix(near, 0, above, below, count, left)
            _mix(near, 3, above, below, count, right)
            _mix(near, 6, above, below, count, middle)
            for column in range(starts[x], starts[x + 1]):
                after = fractions[column]
                before = 1 - after
                both = 2 * before * after
                for c in range(count):
                    logs[c] = before * before * left[c] + after * after * right[c] + both * middle[c]
                classes[y, column], density[y, column] = _best(logs, chosen, count, owner)


@kernel
def _bound_side(upper, lower, across, upper_affine, lower_affine, x, least, greatest):
    """Least and greatest of the log densities at column ``x``: the upper one, the lower one, and between them."""
    place = x % 2
    for g in range(upper_affine.shape[1]):
        first = upper_affine[x, g] + upper[x, g]
        second = lower_affine[x, g] + lower[x, g]
        third = 0.5 * (upper_affine[x, g] + lower_affine[x, g]) + across[x, g]
        least[place, g] = min(min(first, second), third)
        greatest[place, g] = max(max(first, second), third)


@kernel
def _bound_middle(upper, lower, across, upper_affine, lower_affine, x, least, greatest):
    """The same of those right of column ``x``: at the upper side, at the lower side, and the diagonals."""
    width = len(upper_affine)
    for g in range(upper_affine.shape[1]):
        first = 0.5 * (upper_affine[x, g] + upper_affine[x + 1, g])
        second = 0.5 * (lower_affine[x, g] + lower_affine[x + 1, g])
        third = 0.5 * (first + second) + across[width + x, g]
        first += upper[width + x, g]
        second += lower[width + x, g]
        least[2, g] = min(min(first, second), third)
        greatest[2, g] = max(max(first, second), third)


@kernel
def _candidates(least, greatest, chosen):
    """Number of components that matter somewhere in the cell; their places go to ``chosen``."""
    components = least.shape[1]
    lanes = np.full(LANES, -np.inf)
    for start in range(0, components, LANES):
        for lane in range(LANES):
            g = start + lane
            lanes[lane] = max(lanes[lane], min(min(least[0, g], least[1, g]), least[2, g]))
    floor = lanes.max() + NEGLIGIBLE
    count = 0
    for g in range(components):
        if max(max(greatest[0, g], greatest[1, g]), greatest[2, g]) >= floor:
            chosen[count] = g
            count += 1
    return count


@kernel
def _gather(upper, lower, across, upper_affine, lower_affine, x, g, near, c):
    """The nine log densities of component ``g`` in the cell right of column ``x``: left, right and middle, three each.

    Of three, the first is at the upper row, the second at the lower one, the third between them.
    """
    width = len(upper_affine)
    a, b, low_a, low_b = upper_affine[x, g], upper_affine[x + 1, g], lower_affine[x, g], lower_affine[x + 1, g]
    near[0, c] = a + upper[x, g]
    near[1, c] = low_a + lower[x, g]
    near[2, c] = 0.5 * (a + low_a) + across[x, g]
    near[3, c] = b + upper[x + 1, g]
    near[4, c] = low_b + lower[x + 1, g]
    near[5, c] = 0.5 * (b + low_b) + across[x + 1, g]
    near[6, c] = 0.5 * (a + b) + upper[width + x, g]
    near[7, c] = 0.5 * (low_a + low_b) + lower[width + x, g]
    near[8, c] = 0.25 * ((a + b) + (low_a + low_b)) + across[width + x, g]


@kernel
def _mix(near, first, above, below, count, out):
    """Three of ``near`` at a row of pixels."""
    both = 2 * above * below
    for c in range(count):
        out[c] = above * above * near[first, c] + below * below * near[first + 1, c] + both * near[first + 2, c]


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

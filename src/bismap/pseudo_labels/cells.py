"""The part of the densities that is done pixel by pixel, compiled for the CPU.

Four neighbouring features enclose a *cell* of pixels. There a component's log density is a mean of nine numbers with
weights that are not negative and sum to 1: its log densities at the corners, and the polarised ones of the
sides and the diagonals (see `densities`). A polarised log density is

    q(u, v) = (q(u, u) + q(v, v)) / 2 + h(u, v),    h(u, v) = |u - v|^2 / 4

in the component's metric. Nothing cancels in h, so float32 does to find the components that matter: one whose
greatest of the nine is far below another's least adds nothing anywhere in the cell, and of many that are left,
those are taken that matter at one of its pixels. Only they are evaluated, in float64. For the odds of a class against
the others, they must matter beside the densest component of any *other* class: the second densest class sets the bar.
"""

import math

import numpy as np

from bismap.kernels import exp32, kernel

LANES = 8
"""Components are looked at this many at a time; a bank holds a multiple."""

# A component this far below the densest (nat) adds less than 1e-13 of the density.
NEGLIGIBLE = -30.0

_CORNERS_AND_SIDES = 9

# Above this number of components, a look at each pixel costs less than their exact h.
_FEW = 2


@kernel
def squared_steps_along(row, out):
    """Squared differences ``[w - 1, d]`` float32 of a row's features ``[w, d]``, each to its right neighbour."""
    for x in range(len(row) - 1):
        for j in range(row.shape[1]):
            step = np.float32(row[x + 1, j] - row[x, j])
            out[x, j] = step * step


@kernel
def squared_steps_across(upper, lower, out):
    """Squared differences ``[2w - 1, d]`` float32 of two rows' features ``[w, d]``: to the lower neighbour, then the
    mean over both diagonals."""
    width = len(upper)
    for x in range(width):
        for j in range(upper.shape[1]):
            step = np.float32(lower[x, j] - upper[x, j])
            out[x, j] = step * step
    half = np.float32(0.5)
    for x in range(width - 1):
        for j in range(upper.shape[1]):
            falling = np.float32(lower[x + 1, j] - upper[x, j])
            rising = np.float32(lower[x, j] - upper[x + 1, j])
            out[width + x, j] = half * (falling * falling + rising * rising)


@kernel
def fill_cells(features, logs, along, across, upper, bank, owner, starts, fractions, rows, odds, classes, scores):
    """Best class and score of the pixels between two rows of features.

    Args:
        features: ``[2, w, d]`` of both rows, float64.
        logs: ``[2, w, G]``: the components' log densities there, float64.
        along: ``[2, w - 1, G]``: h from each feature to its right neighbour, float32.
        across: ``[2w - 1, G]``: h from the upper to the lower features, then the mean over the diagonals, float32.
        upper: which of two is the upper row.
        bank: ``[G, d]``: quarters of the precisions, float64.
        owner: ``[G]`` trainId of the class that a component belongs to, ascending.
        starts: ``[w]``: first column of pixels of each cell, and at the end the number of columns.
        fractions: ``[W]``: how far each column of pixels lies beyond its cell's left side, 0 to 1.
        rows: ``[R]``: the same for the rows of pixels below the upper row.
        odds: whether scores are the log odds of the class's density to the others' sum, not its log density.
        classes: out, ``[R, W]`` uint8, trainIds.
        scores: out, ``[R, W]`` float32, nat.
    """
    components = logs.shape[2]
    chosen, needed = np.empty(components, np.int64), np.empty(components, np.bool_)
    least, greatest, slack = np.empty(components), np.empty(components), np.empty(components)
    every, by_class = np.arange(components), np.empty(components)
    near, sides, mixed = np.empty((_CORNERS_AND_SIDES, components)), np.empty((3, components)), np.empty(components)
    # Rounding of a float32 sum of d terms that are not negative, twice over.
    rounding = (features.shape[2] + 8) * 2.0**-23
    row = (logs[upper], logs[1 - upper], along[upper], along[1 - upper], across)
    for x in range(logs.shape[1] - 1):
        columns = fractions[starts[x] : starts[x + 1]]
        if len(columns) == 0:
            continue
        _bound(row, x, 1 + rounding, least, greatest)
        bar = _second_class(least, every, components, owner) if odds else _greatest(least)
        count = _candidates(greatest, bar + NEGLIGIBLE, chosen)
        if count > _FEW:
            for c in range(count):
                slack[c] = rounding * _gather(row, x, chosen[c], near, c)
            count = _needed(near, slack, rows, columns, sides, mixed, least, needed, chosen, count, owner, odds)
        for c in range(count):
            g = chosen[c]
            h = _exact_h(features[upper], features[1 - upper], x, bank[g])
            _combine(row, x, g, h, near, c)
        for y in range(len(rows)):
            _mix_rows(near, rows[y], count, sides)
            for i in range(len(columns)):
                _mix_columns(sides, columns[i], count, mixed)
                column = starts[x] + i
                if odds:
                    classes[y, column], scores[y, column] = _best_odds(mixed, chosen, count, owner, by_class)
                else:
                    classes[y, column], scores[y, column] = _best(mixed, chosen, count, owner)


@kernel
def _bound(row, x, ample, least, greatest):
    """Bounds of the components in the cell right of column ``x``; ``row`` has the logs and h, upper ones first."""
    upper, lower, above, below, across = row
    width = len(upper)
    for g in range(len(least)):
        a, b, c, d = upper[x, g], upper[x + 1, g], lower[x, g], lower[x + 1, g]
        top, bottom = 0.5 * (a + b) + ample * above[x, g], 0.5 * (c + d) + ample * below[x, g]
        left, right = 0.5 * (a + c) + ample * across[x, g], 0.5 * (b + d) + ample * across[x + 1, g]
        middle = 0.25 * ((a + b) + (c + d)) + ample * across[width + x, g]
        least[g] = min(min(a, b), min(c, d))
        greatest[g] = max(max(max(a, b), max(c, d)), max(max(max(top, bottom), max(left, right)), middle))


@kernel
def _greatest(values):
    """The greatest value, of a number that is a multiple of `LANES`."""
    lanes = np.full(LANES, -np.inf)
    for start in range(0, len(values), LANES):
        for lane in range(LANES):
            lanes[lane] = max(lanes[lane], values[start + lane])
    return lanes.max()


@kernel
def _second_class(values, chosen, count, owner):
    """The second greatest of the classes' greatest values; minus infinity where there is one class only."""
    first = second = top = -np.inf
    for c in range(count):
        top = max(top, values[c])
        if c + 1 == count or owner[chosen[c + 1]] != owner[chosen[c]]:
            first, second = max(first, top), max(second, min(first, top))
            top = -np.inf
    return second


@kernel
def _candidates(greatest, floor, chosen):
    """Number of components that reach ``floor`` somewhere in the cell; their places go to ``chosen``."""
    count = 0
    for g in range(len(greatest)):
        if greatest[g] >= floor:
            chosen[count] = g
            count += 1
    return count


@kernel
def _gather(row, x, g, near, c):
    """The nine numbers of component ``g`` with the float32 h; returns the greatest h."""
    _, _, above, below, across = row
    top, bottom, left, right = above[x, g], below[x, g], across[x, g], across[x + 1, g]
    middle = across[len(above) + 1 + x, g]
    _combine(row, x, g, (top, bottom, left, right, middle), near, c)
    return max(max(max(top, bottom), max(left, right)), middle)


@kernel
def _combine(row, x, g, h, near, c):
    """The nine numbers in the cell right of column ``x``, to column ``c``: of its left, right and middle, three each.

    Of three, the first is at the upper row, the second at the lower one, the third between them.
    """
    upper, lower, _, _, _ = row
    top, bottom, left, right, middle = h
    a, b, low_a, low_b = upper[x, g], upper[x + 1, g], lower[x, g], lower[x + 1, g]
    near[0, c], near[1, c], near[2, c] = a, low_a, 0.5 * (a + low_a) + left
    near[3, c], near[4, c], near[5, c] = b, low_b, 0.5 * (b + low_b) + right
    near[6, c], near[7, c] = 0.5 * (a + b) + top, 0.5 * (low_a + low_b) + bottom
    near[8, c] = 0.25 * ((a + b) + (low_a + low_b)) + middle


@kernel
def _exact_h(upper, lower, x, quarter):
    """h of the top, bottom, left and right side of a cell, and the mean over its diagonals, float64."""
    a, b, c, d = upper[x], upper[x + 1], lower[x], lower[x + 1]
    top = bottom = left = right = middle = 0.0
    for j in range(len(quarter)):
        weight = quarter[j]
        ab, cd, ac, bd, ad, bc = b[j] - a[j], d[j] - c[j], c[j] - a[j], d[j] - b[j], d[j] - a[j], c[j] - b[j]
        top += weight * ab * ab
        bottom += weight * cd * cd
        left += weight * ac * ac
        right += weight * bd * bd
        middle += weight * (ad * ad + bc * bc)
    return top, bottom, left, right, 0.5 * middle


@kernel
def _needed(near, slack, rows, columns, sides, mixed, low, needed, chosen, count, owner, odds):
    """Keep those of ``chosen`` that matter at one of the cell's pixels, though ``near`` errs by ``slack``."""
    for c in range(count):
        needed[c] = False
    for y in range(len(rows)):
        _mix_rows(near, rows[y], count, sides)
        for i in range(len(columns)):
            _mix_columns(sides, columns[i], count, mixed)
            floor = -np.inf
            for c in range(count):
                low[c] = mixed[c] - slack[c]
                floor = max(floor, low[c])
            if odds:
                floor = _second_class(low, chosen, count, owner)
            floor += NEGLIGIBLE
            for c in range(count):
                needed[c] |= mixed[c] + slack[c] >= floor
    kept = 0
    for c in range(count):
        if needed[c]:
            chosen[kept] = chosen[c]
            kept += 1
    return kept


@kernel
def _mix_rows(near, below, count, sides):
    """Left, right and middle ``[3, G]`` at a row of pixels that lies ``below`` beyond the upper one."""
    above = 1 - below
    both = 2 * above * below
    for side in range(3):
        for c in range(count):
            ends = above * above * near[3 * side, c] + below * below * near[3 * side + 1, c]
            sides[side, c] = ends + both * near[3 * side + 2, c]


@kernel
def _mix_columns(sides, after, count, mixed):
    """Log densities at a pixel that lies ``after`` beyond the left side."""
    before = 1 - after
    both = 2 * before * after
    for c in range(count):
        mixed[c] = before * before * sides[0, c] + after * after * sides[1, c] + both * sides[2, c]


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


@kernel
def _best_odds(logs, chosen, count, owner, by_class):
    """Class of the greatest sum of densities, and the log of that sum over the others' sum; the first of equals."""
    classes, place, best_class = 0, 0, owner[chosen[0]]
    start = 0
    for c in range(count):
        if c + 1 < count and owner[chosen[c + 1]] == owner[chosen[start]]:
            continue
        by_class[classes] = _log_sum(logs, start, c + 1)
        if by_class[classes] > by_class[place]:
            place, best_class = classes, owner[chosen[start]]
        classes, start = classes + 1, c + 1
    best = by_class[place]
    by_class[place] = -np.inf
    return best_class, best - _log_sum(by_class, 0, classes)


@kernel
def _log_sum(logs, start, end):
    """Log of the sum of exponentials; minus infinity of none."""
    peak = -np.inf
    for c in range(start, end):
        peak = max(peak, logs[c])
    if peak == -np.inf:
        return peak
    total = np.float32(0)
    for c in range(start, end):
        gap = logs[c] - peak
        if gap > NEGLIGIBLE:
            total += exp32(np.float32(gap))
    return peak + math.log(total)

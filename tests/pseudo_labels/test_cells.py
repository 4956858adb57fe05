"""The bounds of a cell's components: every density in the cell lies between them."""

import numpy as np
import pytest

from bismap.pseudo_labels import cells


@pytest.mark.parametrize("length", [8, 256, 2048])
@pytest.mark.parametrize("floor", [0.0, 0.3, 1.0])
def test_densities_lie_between_the_bounds(length, floor):
    """A share ``floor`` of the channels has the variance 1e-6; h is rounded down by as much as float32 may."""
    rng = np.random.default_rng(0)
    components = 24
    variances = np.where(rng.random((components, length)) < floor, 1e-6, rng.uniform(0.05, 0.5, (components, length)))
    means = rng.gamma(1.0, 1.0, (components, length))
    t = np.linspace(0, 1, 9)
    for _ in range(20):
        corners = rng.gamma(1.0, 1.0, (2, 2, length)) * (rng.random((2, 2, 1)) < 0.8)
        logs = -0.5 * ((corners[:, :, None] - means) ** 2 / variances).sum(-1)

        def h(a, b):
            return ((a - b) ** 2 / variances / 4).sum(1)

        (a, b), (c, d) = corners
        down = 1 - length * 2.0**-24
        along = np.stack([h(a, b), h(c, d)])[:, None] * down
        across = np.stack([h(a, c), h(b, d), 0.5 * (h(a, d) + h(b, c))]) * down
        least, greatest = np.empty(components), np.empty(components)
        row = (logs[0], logs[1], *along.astype(np.float32), across.astype(np.float32))
        cells._bound(row, 0, 1 + (length + 8) * 2.0**-23, least, greatest)
        u, v = t[:, None, None, None], t[None, :, None, None]
        inside = (1 - u) * ((1 - v) * a + v * b) + u * ((1 - v) * c + v * d)
        densities = -0.5 * ((inside - means) ** 2 / variances).sum(-1).reshape(-1, components)
        slack = 1e-12 * np.abs(densities).max()
        assert (densities.min(0) >= least - slack).all()
        assert (densities.max(0) <= greatest + slack).all()
        # The greatest of the nine numbers itself, of which h was rounded down.
        sides = [0.5 * (logs[0, 0] + logs[0, 1]) + h(a, b), 0.5 * (logs[1, 0] + logs[1, 1]) + h(c, d)]
        sides += [0.5 * (logs[0, 0] + logs[1, 0]) + h(a, c), 0.5 * (logs[0, 1] + logs[1, 1]) + h(b, d)]
        assert (np.max(sides, 0) <= greatest + slack).all()

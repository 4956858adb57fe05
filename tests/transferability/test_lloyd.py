"""Lloyd's steps with bounds: those of the plain algorithm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bismap.transferability.lloyd import lloyd


def plain(cells, centres, iterations):
    """Lloyd's steps in float64, every distance computed; and the least gap between a cell's two nearest centres."""
    x, c, gap = cells.astype(np.float64), centres.astype(np.float64), np.inf
    for _ in range(iterations):
        distance = np.sqrt(((x[:, None] - c) ** 2).sum(2))
        label = distance.argmin(1)
        if len(c) > 1:
            gap = min(gap, np.diff(np.partition(distance, 1, 1)[:, :2]).min())
        held = np.unique(label)
        c[held] = [x[label == j].mean(0) for j in held]
    return c, gap


def clusters_and_noise(seed, n=600, d=20):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(9, d)) * 2
    return (centres[rng.integers(9, size=n)] + rng.normal(size=(n, d))).astype(np.float32)


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), iterations=st.integers(1, 30), clusters=st.integers(1, 15))
def test_every_step_is_the_plain_one(seed, iterations, clusters):
    cells = clusters_and_noise(seed)
    start = cells[:clusters].copy()
    expected, gap = plain(cells, start, iterations)
    if gap > 1e-5:  # closer, and rounding may decide for another centre
        np.testing.assert_allclose(lloyd(cells, start, iterations, 1), expected, atol=1e-5)


def test_steps_over_several_tasks():
    cells = clusters_and_noise(3, n=5000, d=5)
    expected, gap = plain(cells, cells[:6], 40)
    assert gap > 1e-7
    np.testing.assert_allclose(lloyd(cells, cells[:6].copy(), 40, 2), expected, atol=1e-5)


@pytest.mark.parametrize("threads", [2, 3, 40])
def test_the_number_of_threads_does_not_matter(threads):
    cells = clusters_and_noise(1, n=4000)
    np.testing.assert_array_equal(lloyd(cells, cells[:11], 20, threads), lloyd(cells, cells[:11], 20, 1))


def test_a_centre_without_cells_stays_and_the_start_is_left_as_it_was():
    cells = clusters_and_noise(2)
    start = np.concatenate([cells[:3], np.full((1, 20), 1e4, np.float32)])
    before = start.copy()
    np.testing.assert_array_equal(lloyd(cells, start, 10, 1)[3], start[3])
    np.testing.assert_array_equal(start, before)


def test_cells_that_do_not_lie_in_order_in_memory():
    cells = np.asfortranarray(clusters_and_noise(4))
    np.testing.assert_array_equal(lloyd(cells, cells[:5], 10, 1), lloyd(cells.copy("C"), cells[:5].copy("C"), 10, 1))

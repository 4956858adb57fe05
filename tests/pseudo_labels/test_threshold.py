"""Codes on the density grid, and which pixels a threshold keeps."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bismap.data import IGNORE
from bismap.errors import BismapError
from bismap.pseudo_labels.grid import CODES, ScoreGrid
from bismap.pseudo_labels.threshold import choose_code, keep

GRID = ScoreGrid(offset=-4096.0, step=0.125)


@given(st.floats(-4096, 4000, width=32), st.integers(-4096 * 8 + 1, 4000 * 8))
@example(-3.5519045929292836e-14, 0)
def test_comparing_codes_is_comparing_densities_at_any_delta_on_the_grid(density, steps):
    delta = steps / 8
    kept = GRID.encode(np.array([density], np.float32))[0] >= GRID.threshold_code(delta)
    assert kept == (np.float32(density) >= delta)


def test_codes_are_clipped_at_both_ends():
    assert GRID.encode(np.array([-1e9, 1e9])).tolist() == [0, CODES - 1]
    assert GRID.threshold_code(1e9) == CODES


def test_a_threshold_among_clipped_densities_is_an_error():
    with pytest.raises(BismapError, match=r"-4096 is not above -4096, .* densities\.density_offset"):
        GRID.threshold_code(-4096.0)
    histogram = np.zeros((1, CODES), np.int64)
    histogram[0, [0, 9]] = 45, 55
    assert choose_code({"share": 0.5}, GRID, histogram) == 9
    assert choose_code({"share": 1.0}, GRID, histogram) == 0
    with pytest.raises(BismapError, match=r"45\.0% of the pixels .* lower densities.density_offset"):
        choose_code({"share": 0.6}, GRID, histogram)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, CODES - 2), st.integers(1, 50)), min_size=1, max_size=30),
    st.floats(0.01, 1.0),
)
def test_a_share_keeps_at_least_as_much_with_the_greatest_code(cells, share):
    histogram = np.zeros((4, CODES), np.int64)
    for c, code, pixels in cells:
        histogram[c, code] += pixels
    code = choose_code({"share": share}, GRID, histogram)
    total = histogram.sum()
    assert histogram[:, code:].sum() >= share * total
    assert histogram[:, code + 1 :].sum() < share * total


def test_a_share_among_scores_clipped_above_is_an_error():
    histogram = np.zeros((1, CODES), np.int64)
    histogram[0, [CODES - 1, 9]] = 45, 55
    assert choose_code({"share": 0.45}, GRID, histogram) == CODES - 1
    assert choose_code({"share": 0.6}, GRID, histogram) == 9
    with pytest.raises(BismapError, match=r"share 0.3 cannot be kept: 45\.0% of the pixels score .* or more"):
        choose_code({"share": 0.3}, GRID, histogram)


def test_a_density_is_taken_as_it_is():
    histogram = np.zeros((1, CODES), np.int64)
    histogram[0, GRID.threshold_code(100.0)] = 1
    assert GRID.decode(choose_code({"least": 100.0}, GRID, histogram)) == 100.0


def test_a_density_that_no_pixel_reaches_is_an_error_with_the_highest():
    histogram = np.zeros((2, CODES), np.int64)
    histogram[1, GRID.threshold_code(-50.0)] = 7
    with pytest.raises(BismapError, match=r"no pixel .* scores 100 or more, the highest score is -50"):
        choose_code({"least": 100.0}, GRID, histogram)


@pytest.mark.parametrize("threshold", [{}, {"least": 1.0, "share": 0.5}, {"percent": 3}])
def test_anything_else_is_an_error(threshold):
    with pytest.raises(BismapError, match="either `least` or `share`"):
        choose_code(threshold, GRID, np.zeros((1, CODES), np.int64))


def test_pixels_below_the_code_of_their_class_are_ignored():
    classes, codes = np.array([[3, 4, 3, 4]], np.uint8), np.array([[9, 10, 10, 9]], np.uint16)
    assert keep(classes, codes, np.full(5, 10)).tolist() == [[IGNORE, 4, 3, IGNORE]]
    assert keep(classes, codes, np.array([0, 0, 0, 9, 11])).tolist() == [[3, IGNORE, 3, IGNORE]]

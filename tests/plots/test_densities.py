"""Histograms of densities: every pixel in its bin, on the right side of the threshold."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bismap.plots.densities import BINS, TAIL, draw, spread
from bismap.pseudo_labels.grid import CODES, ScoreGrid

GRID = ScoreGrid(-4096.0, 0.125)
NAMES = ("road", "sky", "tree")


@pytest.fixture
def codes():
    """Codes of 4,000 pixels of two classes; some clipped below."""
    rng = np.random.default_rng(0)
    found = [rng.normal(33000, 300, 3000).astype(int), rng.normal(34000, 500, 1000).astype(int)]
    found[1][:10] = 0
    return found


@pytest.fixture
def histogram(codes):
    counts = np.zeros((3, CODES), np.int64)
    for trainid, of_class in enumerate(codes):
        np.add.at(counts[trainid], of_class, 1)
    return counts


def check_bins(found, codes):
    for trainid, of_class in enumerate(codes):
        expected, _ = np.histogram(GRID.decode(of_class), found.edges)
        expected[-1] -= np.count_nonzero(GRID.decode(of_class) == found.edges[-1])  # numpy closes the last bin
        np.testing.assert_array_equal(found.pixels[trainid], expected)
    assert not found.pixels[2].any()
    assert found.pixels.sum() + found.below + found.above == 4000
    assert found.threshold in found.edges


def test_every_pixel_is_in_its_bin(histogram, codes):
    found = spread(histogram, {"least": 50.0}, GRID, NAMES)
    check_bins(found, codes)
    assert found.threshold == 50
    assert found.kept.tolist() == [np.count_nonzero(GRID.decode(of_class) >= 50) for of_class in codes] + [0]
    assert found.assigned.tolist() == [3000, 1000, 0]
    assert 10 <= found.below <= 4000 * TAIL
    assert found.above <= 4000 * TAIL
    assert BINS <= len(found.edges) <= BINS + 3


def test_a_share_keeps_the_densest_pixels(histogram, codes):
    found = spread(histogram, {"share": 0.25}, GRID, NAMES)
    check_bins(found, codes)
    every = np.sort(np.concatenate(codes))[::-1]
    assert found.threshold == GRID.decode(every[999])


@pytest.mark.parametrize("least", [1000.0, 9000.0, -4000.0])
def test_a_threshold_that_no_pixel_is_near_is_on_the_axis(histogram, codes, least):
    found = spread(histogram, {"least": least}, GRID, NAMES)
    check_bins(found, codes)
    assert found.kept.sum() == (0 if least > 0 else 3990)


def test_pixels_of_one_value_fill_one_bin():
    counts = np.zeros((1, CODES), np.int64)
    counts[0, 400] = 7
    found = spread(counts, {"share": 1.0}, GRID, NAMES[:1])
    assert found.pixels.sum() == found.pixels.max() == 7


def test_kept_and_other_pixels_are_drawn_apart(histogram, codes):
    found = spread(histogram, {"least": 50.0}, GRID, NAMES)
    figure = Figure()
    draw(figure, found)
    whole, road, sky = (ax for ax in figure.axes if ax.patches)
    for ax, pixels, of in ((whole, np.concatenate(codes), 4000), (road, codes[0], 3000), (sky, codes[1], 1000)):
        left_out, kept = (patch.get_data() for patch in ax.patches)
        np.testing.assert_array_equal(kept.edges, found.edges)
        np.testing.assert_allclose(kept.values.sum(), 100 / of * _within(pixels, 50, found.edges[-1]))
        np.testing.assert_allclose(left_out.values.sum(), 100 / of * _within(pixels, found.edges[0], 50))
        assert not (kept.values.astype(bool) & left_out.values.astype(bool)).any()
        assert ax.lines[0].get_xdata()[0] == 50
    assert "keeps" in whole.texts[0].get_text()


def _within(codes, low, high):
    scores = GRID.decode(codes)
    return np.count_nonzero((scores >= low) & (scores < high))

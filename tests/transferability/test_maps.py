"""Eq. 9 on values computed by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bismap.errors import BismapError
from bismap.transferability.maps import (
    class_rows,
    distance_term,
    entropy_lookup,
    moments,
    transferability_map,
)

NONE = entropy_lookup(np.array([]))


def test_distance_term():
    # D = 0: 1; D = d_mean: 1/2; D = 2 d_mean: 2^-4
    np.testing.assert_allclose(distance_term(np.array([0, 3.0, 6.0]), 3.0), [1, 0.5, 1 / 16], rtol=1e-15)
    assert distance_term(np.array(2.0), 3.0) == pytest.approx(math.exp(-4 / 9 * math.log(2)))


def test_equation_9_by_hand():
    term = distance_term(np.array([[3.0, 6.0]]), 3.0)
    entropy = entropy_lookup(np.array([0.25, 0.0, 1.0]))
    label = np.array([[0, 1, 0, 255], [2, 255, 2, 1]], np.uint8)
    # left cell 0.5, right cell 0.0625; class 0 adds 0.25, class 2 adds 1 (clipped), class 1 and 255 nothing
    weights = [[0.75, 0.5, 0.3125, 0.0625], [1, 0.5, 1, 0.0625]]
    found = transferability_map(term, entropy, label)
    np.testing.assert_array_equal(found.values, np.floor(np.multiply(weights, 255)).astype(np.uint8))
    assert found.values[0, 1] == 127  # 127.5 is truncated


def test_eight_bits_are_truncated_not_rounded():
    for weight, value in ((254.99 / 255, 254), (1.0, 255), (0.5, 127), (0.9999 / 255, 0)):
        found = transferability_map(np.array([[weight]]), NONE, np.full((1, 1), 255, np.uint8))
        assert found.values[0, 0] == value


def test_rows_and_columns_are_not_swapped():
    # 2 rows x 3 columns on an image of 4 x 9 pixels (height x width)
    term = np.arange(6).reshape(2, 3) / 10
    found = transferability_map(term, NONE, np.full((4, 9), 255, np.uint8))
    expected = (255 * np.kron(term, np.ones((2, 3)))).astype(np.uint8)
    np.testing.assert_array_equal(found.values, expected)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(5, 23), st.integers(5, 23))
def test_upsampling_is_torch_nearest(rows, cols, height, width):
    term = np.random.default_rng(0).random((rows, cols))
    found = transferability_map(term, NONE, np.full((height, width), 255, np.uint8))
    table = torch.from_numpy((255 * term).astype(np.uint8)).float()[None, None]
    expected = torch.nn.functional.interpolate(table, size=(height, width), mode="nearest-exact")
    coarse = torch.nn.functional.interpolate(table, size=(height, width), mode="nearest")
    assert found.values.shape == (height, width)
    # torch computes the index in single precision, which may differ on a border of two cells
    same = (found.values == coarse[0, 0].numpy()) | (found.values == expected[0, 0].numpy())
    assert same.all()


def test_histogram_counts_each_pixel_once():
    label = np.random.default_rng(1).choice([0, 1, 255], (20, 30)).astype(np.uint8)
    term = np.random.default_rng(2).random((4, 5))
    found = transferability_map(term, entropy_lookup(np.array([0.2, 0.4])), label)
    for c in (0, 1, 255):
        counts = np.bincount(found.values[label == c], minlength=256)
        np.testing.assert_array_equal(found.histogram[c], counts)


def test_moments_and_class_rows():
    values = np.array([0, 51, 51, 255], np.uint8)
    found = moments(np.bincount(values, minlength=256))
    assert found["pixels"] == 4
    assert found["mean"] == pytest.approx((values / 255).mean())
    assert found["std"] == pytest.approx((values / 255).std())
    assert (found["min"], found["max"]) == (0, 1)
    rows = class_rows(np.eye(256, dtype=np.int64), ("road", "sky"))
    assert [(row["class"], row["name"]) for row in rows] == [(0, "road"), (1, "sky"), (255, "unlabelled")]
    assert np.isnan(moments(np.zeros(256, np.int64))["mean"])


def test_label_smaller_than_the_grid():
    with pytest.raises(BismapError, match="smaller than the grid"):
        transferability_map(np.zeros((4, 4)), NONE, np.zeros((3, 9), np.uint8))

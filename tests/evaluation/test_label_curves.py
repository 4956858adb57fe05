"""Curves of pseudo-label quality: regions, counts and figures against direct forms."""

import numpy as np
import pytest

from bismap.errors import BismapError
from bismap.evaluation.label_curves import count_kept, curve_rows, head_classes, near_border, quality

CLASSES = 4


def image(seed, shape=(20, 30)):
    rng = np.random.default_rng(seed)
    truth = np.repeat(
        np.repeat(rng.choice(CLASSES, (5, 6), p=(0.4, 0.5, 0.05, 0.05)), shape[0] // 5, 0), shape[1] // 6, 1
    ).astype(np.uint8)
    truth[rng.random(shape) < 0.1] = 255
    classes = np.where(rng.random(shape) < 0.6, np.where(truth == 255, 0, truth), rng.integers(0, CLASSES, shape))
    return truth, classes.astype(np.uint8), rng.integers(0, 100, shape).astype(np.uint16)


@pytest.mark.parametrize("reach", [1, 3])
def test_near_a_border_are_pixels_with_two_classes_around_them(reach):
    truth, *_ = image(0)
    expected = np.zeros(truth.shape, bool)
    for y, x in np.ndindex(truth.shape):
        around = truth[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        expected[y, x] = len(set(around.ravel().tolist()) - {255}) > 1
    labelled = truth != 255
    np.testing.assert_array_equal(near_border(truth, reach)[labelled], expected[labelled])
    assert 0 < expected.mean() < 1


def test_head_classes_are_the_fewest_that_hold_nine_tenths():
    assert head_classes(np.array([5, 50, 30, 15, 0])).tolist() == [False, True, True, True, False]
    assert head_classes(np.array([10, 90])).tolist() == [False, True]
    assert head_classes(np.array([0, 7, 0])).tolist() == [False, True, False]


def test_rows_against_pixels_taken_one_by_one():
    truth, classes, codes = image(1)
    least = np.array([[60, 40, 80, 0], [0, 0, 0, 0]])
    pixels = np.array([(truth == c).sum() for c in range(CLASSES)])
    rows = curve_rows((7.0, 8.0), count_kept(truth, classes, codes, least, "a"), pixels)
    assert [(row["setting"], row["region"]) for row in rows] == [
        (setting, region) for setting in (7.0, 8.0) for region in ("all", "head", "tail", "border")
    ]
    head = head_classes(pixels)
    assert 0 < head.sum() < CLASSES
    near = near_border(truth)
    for row in rows:
        kept = codes >= least[0 if row["setting"] == 7.0 else 1][classes]
        true = truth != 255
        members = {"head": head, "tail": ~head}.get(row["region"], np.ones(CLASSES, bool))
        place = true & (near if row["region"] == "border" else True)
        inside = place & members[np.where(true, truth, 0)]
        assert row["share"] == pytest.approx(kept[true].mean())
        assert row["labelled_share"] == pytest.approx(kept[inside].mean())
        assert row["accuracy"] == pytest.approx((classes == truth)[inside & kept].mean())
        ious = [
            (place & kept & (truth == c) & (classes == c)).sum()
            / (place & kept & ((truth == c) | (classes == c))).sum()
            for c in np.flatnonzero(members)
        ]
        assert row["miou"] == pytest.approx(np.mean(ious))


def test_a_class_without_labelled_pixels_counts_as_zero():
    counts = np.array([[4, 0, 1], [0, 0, 5]])  # class 1 has no label
    found = quality(counts, np.array([True, True]))
    assert (found.miou, found.accuracy, found.labelled_share) == (0.5, 1.0, 0.4)
    nothing = quality(np.array([[0, 0, 3], [0, 0, 2]]), np.array([True, True]))
    assert np.isnan(nothing.accuracy)
    assert (nothing.miou, nothing.labelled_share) == (0.0, 0.0)


def test_a_label_out_of_range_is_named():
    truth, classes, codes = image(2)
    truth[0, 0] = 9
    with pytest.raises(BismapError, match=r"berlin.*truth hold id 9"):
        count_kept(truth, classes, codes, np.zeros((1, CLASSES), int), "berlin")

"""IAST's recursion on a fixed stream, against its formulas written out (A§17, 10)."""

import numpy as np
import pytest

from bismap.pseudo_labels.instance_adaptive import HIGHEST, Selector

IAST = Selector(initial=0.9, alpha=0.2, beta=0.9, gamma=8.0, batch=2)


def stream(images, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.integers(0, classes, (5, 7)).astype(np.uint8), rng.beta(5, 1, (5, 7))) for _ in range(images)]


def by_hand(images, classes):
    """Thresholds after each batch of two, the percentile by sorting and interpolating."""
    theta, found = [0.9] * classes, []
    for start in range(0, len(images), 2):
        batch = images[start : start + 2]
        for c in range(classes):
            listed = [theta[c]]
            for labels, confidences in batch:
                listed += [v for k, v in zip(labels.flat, confidences.flat, strict=True) if k == c]
            listed.sort()
            place = (1 - 0.2 * theta[c] ** 8) * (len(listed) - 1)
            low = int(place)
            high = min(low + 1, len(listed) - 1)
            value = listed[low] + (place - low) * (listed[high] - listed[low])
            theta[c] = 0.9 * theta[c] + 0.1 * value
        found += [list(theta)] * len(batch)
    return found


@pytest.mark.parametrize("images", [1, 2, 7])
def test_the_recursion(images):
    given = stream(images)
    np.testing.assert_allclose(list(IAST.thresholds(given, 4)), by_hand(given, 4), rtol=1e-12)


def test_a_class_that_no_pixel_has_keeps_its_threshold():
    given = [(np.zeros((3, 3), np.uint8), np.full((3, 3), 0.5))]
    (found,) = IAST.thresholds(given, 2)
    assert found[1] == pytest.approx(0.9)
    assert found[0] < 0.9


def test_a_threshold_stays_below_one():
    certain = [(np.zeros((9, 9), np.uint8), np.ones((9, 9)))] * 400
    *_, last = Selector(0.9, 0.2, 0.0, 8.0, 1).thresholds(certain, 1)
    assert last[0] == HIGHEST


def test_order_matters_and_is_kept():
    given = stream(6)
    ahead, back = (np.array(list(IAST.thresholds(order, 4))) for order in (given, given[::-1]))
    assert not np.allclose(ahead[-1], back[-1])

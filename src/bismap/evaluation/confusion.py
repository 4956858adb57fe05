"""Joint counts of true and given labels, and the confusion matrix in them. Labels are trainIds, 255 = ignore."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.errors import BismapError

Item = TypeVar("Item")
LEVELS = 256


def joint_counts(truth: NDArray[np.uint8], given: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count pixels by (true, given) value.

    All 256 x 256 pairs are counted in one pass: no masks, and labels out of range show up in the counts.

    Args:
        truth: uint8, any shape.
        given: uint8, the same shape.

    Returns:
        int64 [256, 256], rows = truth.
    """
    if truth.shape != given.shape:
        raise BismapError(f"truth has shape {truth.shape}, the labels to measure have {given.shape}")
    pair = truth.ravel().astype(np.uint16)
    pair <<= 8
    pair |= given.ravel()
    return np.bincount(pair, minlength=LEVELS * LEVELS).reshape(LEVELS, LEVELS)


def confusion_matrix(counts: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The [classes, classes] part of joint counts, rows = truth; pixels ignored in either are left out."""
    return counts[:classes, :classes].copy()


def check_labels(counts: NDArray[np.int64], classes: int, *, name: str, complete: bool) -> None:
    """Check that truth and given labels are classes, or 255.

    Args:
        counts: joint counts of one image.
        name: the image, for the message.
        complete: every pixel with a true label must have been given one, too.

    Raises:
        BismapError: naming the image and the first label out of range.
    """
    allowed = np.zeros(LEVELS, bool)
    allowed[:classes] = allowed[IGNORE] = True
    for kind, totals in (("truth", counts.sum(axis=1)), ("given labels", counts.sum(axis=0))):
        wrong = np.flatnonzero((totals > 0) & ~allowed)
        if wrong.size:
            raise BismapError(f"{name}: {kind} hold id {wrong[0]}; expected 0..{classes - 1} or {IGNORE}")
    missing = int(counts[:classes, IGNORE].sum())
    if complete and missing:
        raise BismapError(f"{name}: {missing} pixels with a true label have no prediction ({IGNORE})")


def sum_counts(count: Callable[[Item], NDArray[np.int64]], items: Iterable[Item], threads: int) -> NDArray[np.int64]:
    """Sum of ``count(item)`` over all items, several at a time; integers, so the order does not matter."""
    total = np.zeros((LEVELS, LEVELS), np.int64)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for counts in pool.map(count, items):
            total += counts
    return total

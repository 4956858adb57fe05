"""What the tables show: figures of an image, and of a run over a split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.data.images import resize_label
from bismap.evaluation.confusion import LEVELS, check_labels, confusion_matrix, joint_counts
from bismap.evaluation.protocols import mean_iou, subset_indices

PARTS = 10_000
"""Shares of an image are given in so many parts."""


@dataclass(frozen=True)
class Figures:
    """Figures of one image.

    Attributes:
        present: pixels of each class ``[C]``: of the truth, or without one of the labels that stand in for it.
        pixels: of the image, labelled or not.
        labelled: layer -> share of pixels with a pseudo-label.
        means: layer -> mean of the map.
        areas: layer -> see `class_areas`; empty without truth.
    """

    present: NDArray[np.int64]
    pixels: int
    labelled: Mapping[str, float]
    means: Mapping[str, float]
    areas: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)


def class_pixels(label: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Pixels of each class ``[C]`` in a label image."""
    return np.bincount(label.ravel(), minlength=LEVELS)[:classes]


def labelled_share(label: NDArray[np.uint8]) -> float:
    """Share of the pixels that have a label."""
    return float((label != IGNORE).mean())


def class_areas(truth: NDArray[np.uint8], given: NDArray[np.uint8], classes: int, name: str) -> NDArray[np.int64]:
    """Pixels of each class in the truth, in truth and labels (intersection), and in either (union).

    Pixels that are ignored in either do not count. Measured at the size of the labels given.

    Args:
        truth: uint8 ``[H, W]``, 255 = ignore.
        given: labels to measure, uint8 ``[h, w]``.
        classes: number of classes, C.
        name: of the image, for the message.

    Returns:
        int64 ``[C, 3]``.

    Raises:
        BismapError: naming the image, if either holds something that is no class.
    """
    counts = joint_counts(resize_label(truth, given.shape[::-1]), given)
    check_labels(counts, classes, name=name, complete=False)
    confusion = confusion_matrix(counts, classes)
    true, both = confusion.sum(axis=1), np.diag(confusion)
    return np.stack([true, both, true + confusion.sum(axis=0) - both], axis=1)


def area_iou(areas: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU of each class ``[C]``; NaN for one that is not in the truth, as in the `evaluate` stage."""
    true, both, either = areas.T.astype(float)
    return np.divide(both, either, out=np.full(both.shape, np.nan), where=true > 0)


def presence(figures: Figures) -> list[int]:
    """Class, parts of the image, class, parts, ... of the classes that are there, at least one part each."""
    found = np.flatnonzero(figures.present)
    parts = np.maximum(1, np.rint(figures.present[found] * PARTS / figures.pixels)).astype(int)
    return np.stack([found, parts], axis=1).ravel().tolist()


def image_miou(areas: NDArray[np.int64]) -> float | None:
    """Mean IoU over the classes in an image's truth; None if it has none."""
    return rounded(mean_iou(area_iou(areas), range(len(areas))))


def area_rows(areas: NDArray[np.int64]) -> list[int]:
    """Class, truth, intersection, union, class, ... of the classes whose union is not empty."""
    found = np.flatnonzero(areas[:, 2])
    return np.concatenate([found[:, None], areas[found]], axis=1).ravel().tolist()


def split_scores(
    areas: NDArray[np.int64], names: Sequence[str], subsets: Mapping[str, Sequence[str]]
) -> dict[str, object]:
    """Figures of a run over a split: IoU of each class, mean IoUs, and the share of each class in the truth.

    Args:
        areas: summed over the images ``[C, 3]``.
        names: of the classes.
        subsets: name of a mean IoU -> its classes; none = all.
    """
    iou, true = area_iou(areas), areas[:, 0]
    return {
        "iou": [None if np.isnan(value) else rounded(float(value), 6) for value in iou],
        "miou": {name: rounded(mean_iou(iou, members), 6) for name, members in subset_indices(names, subsets).items()},
        "truth": [rounded(float(pixels) / max(int(true.sum()), 1), 6) for pixels in true],
    }


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A figure as the tables hold it."""
    return None if value is None else round(value, digits)

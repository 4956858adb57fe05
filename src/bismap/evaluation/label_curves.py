"""How good pseudo-labels are, against the share of pixels that they label, by region of the images.

Regions: all pixels; those of the *head* classes, the fewest classes that hold `HEAD` of the split's true pixels; those
of the *tail* classes, the others; and those near a *border* between two classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from bismap.data import IGNORE
from bismap.evaluation.confusion import check_labels, joint_counts
from bismap.pseudo_labels.threshold import keep

HEAD = 0.9
BORDER = 3
REGIONS = ("all", "head", "tail", "border")
COLUMNS = ("setting", "share", "region", "labelled_share", "accuracy", "miou")


def near_border(truth: NDArray[np.uint8], reach: int = BORDER) -> NDArray[np.bool_]:
    """Pixels with two classes in the square of ``2 * reach + 1`` pixels around them.

    Args:
        truth: ``[height, width]`` trainIds; 255, unlabelled, is no class.
        reach: pixels to each side.
    """
    window = 2 * reach + 1
    greatest = maximum_filter(np.where(truth == IGNORE, 0, truth), window)
    return greatest != minimum_filter(truth, window)


def head_classes(pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The fewest classes that hold `HEAD` of the pixels ``[C]``."""
    order = np.argsort(-pixels, kind="stable")
    before = np.cumsum(pixels[order]) - pixels[order]
    head = np.zeros(len(pixels), bool)
    head[order] = before < HEAD * pixels.sum()
    return head


def count_kept(
    truth: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    codes: NDArray[np.uint16],
    least: NDArray[np.int64],
    name: str,
) -> NDArray[np.int64]:
    """Pixels of one image by threshold, nearness to a border, true class and label.

    Args:
        truth: ``[height, width]`` trainIds, 255 unlabelled.
        classes: assigned trainIds, same shape.
        codes: their scores' codes, same shape.
        least: ``[P, C]`` smallest code kept of each class, for P thresholds.
        name: of the image, for the message.

    Returns:
        int64 ``[P, 2, C, C + 1]``: away from a border and near one; the last column holds what was not labelled.

    Raises:
        BismapError: if truth or classes hold a label that is none.
    """
    count = least.shape[1]
    near = near_border(truth)
    found = np.empty((len(least), 2, count, count + 1), np.int64)
    for point, codes_kept in enumerate(least):
        labels = keep(classes, codes, codes_kept)
        for place, mask in enumerate((~near, near)):
            joint = joint_counts(truth[mask], labels[mask])
            check_labels(joint, count, name=name, complete=False)
            found[point, place] = joint[:count, [*range(count), IGNORE]]
    return found


@dataclass(frozen=True)
class Quality:
    """Of the pixels of a region.

    Attributes:
        labelled_share: share of the region's pixels that have a label; NaN without pixels.
        accuracy: share of its labelled pixels whose label is true; NaN without labelled pixels.
        miou: mean IoU over labelled pixels of the region's classes that the split has; a class without a labelled pixel
            counts as 0, so that leaving out hard classes gains nothing.
    """

    labelled_share: float
    accuracy: float
    miou: float


def quality(counts: NDArray[np.int64], members: NDArray[np.bool_]) -> Quality:
    """Quality of the labels of pixels whose true class is among ``members [C]``, from ``counts [C, C + 1]``."""
    confusion = counts[:, :-1]
    hit, true = np.diag(confusion)[members], confusion.sum(1)[members]
    union = true + confusion.sum(0)[members] - hit
    iou = np.divide(hit, union, out=np.zeros(len(hit)), where=union > 0)
    return Quality(
        labelled_share=_ratio(true.sum(), counts[members].sum()),
        accuracy=_ratio(hit.sum(), true.sum()),
        miou=float(iou.mean()) if len(iou) else np.nan,
    )


def curve_rows(settings: Sequence[float], counts: NDArray[np.int64], pixels: NDArray[np.int64]) -> list[Mapping]:
    """Rows of `COLUMNS`: of each setting (threshold) and region the quality, and the share of all pixels labelled.

    Args:
        settings: of the P thresholds.
        counts: ``[P, 2, C, C + 1]``, sums of `count_kept`.
        pixels: ``[C]`` true pixels of the split, which say what is head and what tail.
    """
    present, head = pixels > 0, head_classes(pixels)
    members = {"all": present, "head": present & head, "tail": present & ~head, "border": present}
    rows = []
    for setting, both in zip(settings, counts, strict=True):
        share = quality(both.sum(0), present).labelled_share
        for region in REGIONS:
            found = quality(both[1] if region == "border" else both.sum(0), members[region])
            rows.append({"setting": setting, "share": share, "region": region} | vars(found))
    return rows


def _ratio(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else np.nan

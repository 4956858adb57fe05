"""Intersection over union, and the two ways to measure a subset of the classes (A§13).

``full``
    All classes stay in the confusion matrix: a pixel of a class outside the subset that is predicted as a class of
    the subset is a false positive there (BiSMAP, DAFormer).
``ignored_truth``
    Pixels whose true class lies outside the subset are ignored, as if unlabelled (ProDA with ``--n_class 16``,
    CAG-UDA). A prediction outside the subset on a remaining pixel is still an error, so for a network without
    such outputs this is exactly their figure, and for one with all outputs nothing is forgiven.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bismap.errors import BismapError


def class_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU = TP / (TP + FP + FN) of each class; NaN for a class that no pixel of the truth has.

    Args:
        confusion: int64 [C, C], rows = truth.

    Returns:
        float64 [C], in [0, 1].
    """
    hit = np.diag(confusion).astype(float)
    true, given = confusion.sum(axis=1), confusion.sum(axis=0)
    iou = np.full(hit.shape, np.nan)
    np.divide(hit, true + given - hit, out=iou, where=true > 0)
    return iou


def ignore_truth(confusion: NDArray[np.int64], keep: Sequence[int]) -> NDArray[np.int64]:
    """The confusion matrix had the pixels of all classes but ``keep`` been unlabelled."""
    kept = np.zeros_like(confusion)
    kept[list(keep)] = confusion[list(keep)]
    return kept


def mean_iou(iou: NDArray[np.float64], subset: Sequence[int]) -> float | None:
    """Mean IoU over the classes of the subset that the truth has; None if it has none of them."""
    present = iou[list(subset)]
    present = present[~np.isnan(present)]
    return float(present.mean()) if present.size else None


def subset_indices(names: Sequence[str], subsets: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """trainIds of each named subset; an empty list of members means all classes.

    Raises:
        BismapError: for a class that does not exist or stands twice.
    """
    indices = {}
    for subset, members in subsets.items():
        unknown = [member for member in members if member not in names]
        if unknown:
            raise BismapError(f"class subset `{subset}`: no class {unknown[0]!r}; known: {', '.join(names)}")
        if len(set(members)) != len(members):
            raise BismapError(f"class subset `{subset}` names a class twice: {list(members)}")
        indices[subset] = [names.index(member) for member in members or names]
    return indices

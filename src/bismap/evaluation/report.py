"""What the evaluation files hold: built from counts alone, so that equal predictions give equal bytes."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.evaluation.confusion import confusion_matrix
from bismap.evaluation.protocols import class_iou, ignore_truth, mean_iou, subset_indices

PROTOCOL = {
    "iou": "TP / (TP + FP + FN) over all pixels of the split with a true label, at the images' native size, in [0, 1]; "
    "null for a class without a pixel in the truth",
    "miou": "mean of the IoU of a subset's classes that are not null, all classes in the confusion matrix: pixels of "
    "a class outside the subset count as false positives of the class that they are predicted as",
    "miou_ignored_truth": "the same after pixels whose true class is outside the subset were ignored as if unlabelled",
    "confusion": "pixels; rows = true class, columns = predicted class, in the order of `classes`",
}


def evaluation_report(
    counts: NDArray[np.int64],
    names: Sequence[str],
    subsets: Mapping[str, Sequence[str]],
    images: int,
) -> dict[str, Any]:
    """Figures of one run on one split.

    Args:
        counts: joint counts [256, 256] over the split, rows = truth.
        names: class names in trainId order.
        subsets: name of a figure (``miou16``) -> names of its classes; none = all.
        images: number of images counted.
    """
    classes = len(names)
    confusion = confusion_matrix(counts, classes)
    iou = class_iou(confusion)
    report = {
        "classes": list(names),
        "subsets": {subset: list(members or names) for subset, members in subsets.items()},
        "confusion": confusion.tolist(),
        "images": images,
        "iou": named(names, iou),
        "pixel_accuracy": ratio(np.trace(confusion), confusion.sum()),
        "pixels": int(confusion.sum()),
        "protocol": PROTOCOL,
    }
    return report | _subset_figures(confusion, iou, names, subsets)


def _subset_figures(
    confusion: NDArray[np.int64],
    iou: NDArray[np.float64],
    names: Sequence[str],
    subsets: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    full, ignored, ignored_iou = {}, {}, {}
    for subset, members in subset_indices(names, subsets).items():
        alone = class_iou(ignore_truth(confusion, members))
        full[subset] = mean_iou(iou, members)
        ignored[subset] = mean_iou(alone, members)
        ignored_iou[subset] = named([names[member] for member in members], alone[members])
    return {"miou": full, "miou_ignored_truth": ignored, "iou_ignored_truth": ignored_iou}


def pseudo_label_report(counts: NDArray[np.int64], names: Sequence[str], images: int) -> dict[str, Any]:
    """How much was labelled, and how well, against truth that no stage was shown.

    Args:
        counts: joint counts [256, 256], rows = truth, columns = pseudo-label, 255 = not labelled.
        names: class names in trainId order.
        images: number of images counted.
    """
    classes = len(names)
    confusion = confusion_matrix(counts, classes)
    labelled, pixels = counts[:, :classes].sum(), counts.sum()
    iou = class_iou(confusion)
    return {
        "classes": list(names),
        "confusion": confusion.tolist(),
        "images": images,
        "iou_of_labelled": named(names, iou),
        "labelled_share": ratio(labelled, pixels),
        "miou_of_labelled": mean_iou(iou, range(classes)),
        "per_class": {name: _class_quality(counts, classes, c) for c, name in enumerate(names)},
        "pixel_accuracy_of_labelled": ratio(np.trace(confusion), confusion.sum()),
        "pixels": int(pixels),
    }


def _class_quality(counts: NDArray[np.int64], classes: int, c: int) -> dict[str, float | None]:
    """Shares and rates of one class; ``recall`` is over all true pixels, ``recall_of_labelled`` over labelled ones."""
    confusion = confusion_matrix(counts, classes)
    hit = confusion[c, c]
    true = confusion[c].sum() + counts[c, IGNORE]
    truth = confusion.sum() + counts[:classes, IGNORE].sum()
    return {
        "labelled_share": ratio(confusion[c].sum(), true),
        "precision": ratio(hit, confusion[:, c].sum()),
        "recall": ratio(hit, true),
        "recall_of_labelled": ratio(hit, confusion[c].sum()),
        "share_of_labels": ratio(counts[:, c].sum(), counts[:, :classes].sum()),
        "share_of_truth": ratio(true, truth),
    }


def named(names: Iterable[str], values: Iterable[float]) -> dict[str, float | None]:
    """Values by class name; NaN becomes None, JSON's ``null``."""
    return {name: None if math.isnan(value) else float(value) for name, value in zip(names, values, strict=True)}


def ratio(part: int | np.int64, whole: int | np.int64) -> float | None:
    """``part / whole``, None where the whole is empty."""
    return int(part) / int(whole) if whole else None


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write sorted, indented JSON with a final newline; NaN is refused."""
    text = json.dumps(report, sort_keys=True, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")

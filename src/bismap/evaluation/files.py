"""Count label files against the truth of a data set, image by image."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bismap.data.images import read_png_label, resize_label
from bismap.errors import BismapError
from bismap.evaluation.confusion import check_labels, joint_counts, sum_counts

if TYPE_CHECKING:
    from bismap.data.dataset import Dataset, Item


def count_predictions(
    dataset: "Dataset", split: str, predictions: Mapping[str, Path], threads: int
) -> tuple[NDArray[np.int64], int]:
    """Joint counts of truth and predictions over a split, and the number of images.

    Every image of the split must have a truth and a prediction of the truth's size, and no other may have one.

    Raises:
        BismapError: naming the image that breaks this.
    """
    items = dataset.items(split)
    _match_ids({item.id for item in items}, set(predictions), f"predictions of split `{split}`")

    def count(item: "Item") -> NDArray[np.int64]:
        truth, given = dataset.read_label(item), read_png_label(predictions[item.id])
        if truth.shape != given.shape:
            raise BismapError(
                f"{predictions[item.id]}: {_size(given)}, but the truth of {item.id} is {_size(truth)}; predict again"
            )
        return _checked(joint_counts(truth, given), dataset, item.id, complete=True)

    return sum_counts(count, items, threads), len(items)


def count_pseudo_labels(
    dataset: "Dataset", split: str, pseudo_labels: Mapping[str, Path], threads: int
) -> tuple[NDArray[np.int64], int]:
    """Joint counts of truth and pseudo-labels over the images of a split that have a truth, and their number.

    Pseudo-labels are counted at their own size; the truth is brought to it, nearest neighbour.

    Raises:
        BismapError: if ids do not match, or no image has a truth.
    """
    items = labelled_items(dataset, split, set(pseudo_labels))

    def count(item: "Item") -> NDArray[np.int64]:
        given = read_png_label(pseudo_labels[item.id])
        truth = resize_label(dataset.read_label(item), given.shape[::-1])
        return _checked(joint_counts(truth, given), dataset, item.id, complete=False)

    return sum_counts(count, items, threads), len(items)


def labelled_items(dataset: "Dataset", split: str, given: set[str]) -> list["Item"]:
    """Images of a split that have a truth, where all of the split, and no others, were given labels.

    Raises:
        BismapError: if ids do not match, or no image has a truth.
    """
    _match_ids({item.id for item in dataset.items(split)}, given, f"pseudo-labels of split `{split}`")
    items = [item for item in dataset.items(split) if item.label is not None]
    if not items:
        raise BismapError(f"no image of split `{split}` has a truth to measure pseudo-labels against")
    return items


def _match_ids(wanted: set[str], found: set[str], what: str) -> None:
    if missing := sorted(wanted - found):
        raise BismapError(f"{what}: {len(missing)} images have none, {missing[0]} first")
    if extra := sorted(found - wanted):
        raise BismapError(f"{what}: {len(extra)} files belong to no image of the split, {extra[0]} first")


def _checked(counts: NDArray[np.int64], dataset: "Dataset", name: str, *, complete: bool) -> NDArray[np.int64]:
    check_labels(counts, len(dataset.classes), name=name, complete=complete)
    return counts


def _size(label: NDArray[np.uint8]) -> str:
    return f"{label.shape[1]}x{label.shape[0]}"

"""Label images of several sets side by side: predictions of runs (Figure 4), pseudo-labels (Figure 5)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.data.dataset import Dataset, Item
from bismap.data.images import read_image, read_png_label, resize_label
from bismap.data.shards import files
from bismap.errors import BismapError
from bismap.inspect.figures.panels import Panel, coloured, draw_panels
from bismap.inspect.overview import choose_items

Files = Mapping[str, Path]


def items_to_draw(items: Sequence[Item], images: int | Sequence[str], seed: int) -> list[Item]:
    """So many of the items, drawn by id and seed, or those of the given ids.

    Raises:
        BismapError: naming an id that is not among the items.
    """
    if isinstance(images, int):
        return choose_items(items, images, seed)
    by_id = {item.id: item for item in items}
    if unknown := [image for image in images if image not in by_id]:
        raise BismapError(
            f"there is no image `{unknown[0]}` among the {len(by_id)} of split `{items[0].split}` "
            f"({items[0].id} ... {items[-1].id}); name others in `images` of the figure's settings"
        )
    return [by_id[image] for image in images]


def files_of_sets(manifests: Sequence[Path], sets: Sequence[str]) -> list[Files]:
    """Label images by id of each set, whose shard manifests follow set by set.

    A set ends where the next would bring an image a second time.

    Raises:
        BismapError: if there are more or fewer sets than names.
    """
    found: list[dict[str, Path]] = []
    for manifest in manifests:
        own = files([manifest], ".png")
        if not found or found[-1].keys() & own.keys():
            found.append({})
        found[-1].update(own)
    if len(found) != len(sets):
        raise BismapError(f"label images of {len(found)} sets, expected {len(sets)}: {', '.join(sets)}")
    return found


def draw_label_images(
    dataset: Dataset, items: Sequence[Item], titles: Sequence[str], sets: Sequence[Files], notes: bool
) -> Figure:
    """A row for each item: photograph, the sets' label images, and the truth where there is one.

    Args:
        titles: of the sets.
        sets: label images by id.
        notes: write share and accuracy of the labels below each.
    """
    with_truth = any(item.label is not None for item in items)
    rows = [_row(dataset, item, sets, notes, with_truth) for item in items]
    return draw_panels(["photograph", *titles, *(["truth"] if with_truth else [])], rows, dataset.classes)


def label_note(label: NDArray[np.uint8], truth: NDArray[np.uint8] | None) -> str:
    """Share of an image's pixels that are labelled, and of these where the truth is known, the share that is right."""
    labelled = label != IGNORE
    text = f"{100 * labelled.mean():.0f} % labelled"
    if truth is None:
        return text
    truth = resize_label(truth, label.shape[::-1])
    known = labelled & (truth != IGNORE)
    right = (label == truth)[known]
    return f"{text}, {100 * right.mean():.0f} % right" if known.any() else text


def _row(dataset: Dataset, item: Item, sets: Sequence[Files], notes: bool, with_truth: bool) -> list[Panel]:
    truth = None if item.label is None else dataset.read_label(item)
    panels = [Panel(read_image(item.image), smooth=True)]
    for labels in sets:
        label = read_png_label(labels[item.id])
        panels.append(coloured(label, dataset.classes, label_note(label, truth) if notes else ""))
    if with_truth:
        unknown = np.full((item.height, item.width), IGNORE, np.uint8)
        panels.append(coloured(unknown if truth is None else truth, dataset.classes))
    return panels

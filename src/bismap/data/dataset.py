"""A checked data set: the table of its images and the way to read their labels."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bismap.data.classes import ClassSet
from bismap.data.images import read_bytes
from bismap.data.layouts import get_layout
from bismap.data.raw_labels import LabelMap, decode_raw_label
from bismap.errors import BismapError


class Item(NamedTuple):
    """One image of a split.

    Attributes:
        id: unique within the data set, fit for a file name, without dots.
        image: the photograph.
        label: its label file as it came; None where the image has none.
        split: the split that this item belongs to; an image in several splits is one item in each.
        height: of image and label, in pixels.
        width: of image and label, in pixels.
        pixels: labelled pixels of each class at this size; all 0 without label.
    """

    id: str
    image: Path
    label: Path | None
    split: str
    height: int
    width: int
    pixels: tuple[int, ...]


@dataclass(frozen=True)
class Dataset:
    """The images of an index; read labels with ``read_label``."""

    classes: ClassSet
    all_items: tuple[Item, ...]
    label_map: LabelMap
    encodings: Sequence[str]

    def items(self, split: str) -> list[Item]:
        """Images of a split, sorted by id.

        Raises:
            BismapError: if the index has no such split.
        """
        found = [item for item in self.all_items if item.split == split]
        if not found:
            known = ", ".join(sorted({item.split for item in self.all_items}))
            raise BismapError(f"no split `{split}` in the index (it holds: {known}); name it in the data set's splits")
        return sorted(found)

    def read_label(self, item: Item) -> NDArray[np.uint8]:
        """Class of each pixel at native size: uint8 ``[height, width]``, 255 = ignore.

        Raises:
            BismapError: if there is no label, or the file is not what the index has seen.
        """
        if item.label is None:
            raise BismapError(f"{item.image}: no label, but one is needed here")
        raw = decode_raw_label(read_bytes(item.label), self.encodings, item.label)
        if raw.shape != (item.height, item.width):
            raise BismapError(
                f"{item.label}: {raw.shape[1]}x{raw.shape[0]} pixels, the index says "
                f"{item.width}x{item.height}; the file has changed: run the index again"
            )
        return self.label_map.apply(raw, item.label)


def open_dataset(index: Path, root: Path) -> Dataset:
    """The data set of an index made by the ``index`` stage.

    Args:
        index: index.csv, or a link to it; ``classes.json`` lies beside the real file.
        root: folder of the raw data set (may be a link).

    Raises:
        BismapError: if one of the two files is missing or not as the ``index`` stage writes it.
    """
    entry = index.resolve().parent
    try:
        description = json.loads((entry / "classes.json").read_text(encoding="utf-8"))
        with (entry / index.resolve().name).open(newline="", encoding="utf-8") as lines:
            items = tuple(_item(row, root, len(description["classes"])) for row in csv.DictReader(lines))
        return _dataset(description, items)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BismapError(f"{index}: no index.csv with its classes.json ({error!r}); make the index again") from None


def _dataset(description: dict[str, Any], items: tuple[Item, ...]) -> Dataset:
    classes = ClassSet(tuple(description["classes"]), tuple(tuple(color) for color in description["palette"]))
    label_map = LabelMap({int(label): train_id for label, train_id in description["label_map"].items()})
    return Dataset(classes, items, label_map, get_layout(description["layout"]).encodings)


def _item(row: dict[str, str], root: Path, classes: int) -> Item:
    return Item(
        id=row["id"],
        image=root / row["image"],
        label=root / row["label"] if row["label"] else None,
        split=row["split"],
        height=int(row["height"]),
        width=int(row["width"]),
        pixels=tuple(int(row[f"pixels_{c}"]) for c in range(classes)),
    )

"""GTA5, "Playing for Data" (Richter et al. 2016); id map: A§13."""

from functools import partial
from pathlib import Path

from bismap.data import IGNORE
from bismap.data.classes import CITYSCAPES
from bismap.data.layouts.base import LabelSpec, Layout
from bismap.data.layouts.flat import scan_flat

CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Label id of each trainId, shared with Cityscapes."""


def cityscapes_spec(last_id: int) -> LabelSpec:
    """The 19 classes, with the ids ``0..last_id`` accepted."""
    train_ids = {label: train_id for train_id, label in enumerate(CITYSCAPES_IDS)}
    return LabelSpec(CITYSCAPES, {label: train_ids.get(label, IGNORE) for label in range(last_id + 1)})


def _label_spec(_: Path) -> LabelSpec:
    return cityscapes_spec(last_id=34)


GTA5 = Layout(
    name="gta5",
    description=(
        "  images/00001.png ... 24966.png   game pictures, RGB\n"
        "  labels/00001.png ... 24966.png   palettised PNG of the label ids 0-34\n"
        "  (https://download.visinf.tu-darmstadt.de/data/from_games/, unpack all parts into one folder)"
    ),
    required=("images", "labels"),
    encodings=("palette",),
    scan=partial(scan_flat, image_folder="images", label_folder="labels"),
    label_spec=_label_spec,
    labels_required=True,
    first_number=1,
)

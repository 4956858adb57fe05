"""SYNTHIA-RAND-CITYSCAPES (Ros et al. 2016); id map and label encoding: A§13."""

from functools import partial
from pathlib import Path

from bismap.data import IGNORE
from bismap.data.classes import CITYSCAPES
from bismap.data.layouts.base import LabelSpec, Layout
from bismap.data.layouts.flat import scan_flat

TRAIN_IDS = {
    **{3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 16: 9},
    **{1: 10, 10: 11, 17: 12, 8: 13, 18: 14, 19: 15, 20: 16, 12: 17, 11: 18},
}
"""trainId of each label id that is evaluated; 16, 18 and 20 do not occur in this part of SYNTHIA."""

LAST_ID = 22


def _label_spec(_: Path) -> LabelSpec:
    return LabelSpec(CITYSCAPES, {label: TRAIN_IDS.get(label, IGNORE) for label in range(LAST_ID + 1)})


SYNTHIA = Layout(
    name="synthia",
    description=(
        "  RGB/0000000.png ... 0009399.png         rendered pictures, RGB\n"
        "  GT/LABELS/0000000.png ... 0009399.png   16-bit RGB PNG, label id 0-22 in the first channel\n"
        "  (SYNTHIA-RAND-CITYSCAPES of https://synthia-dataset.net)"
    ),
    required=("RGB", "GT/LABELS"),
    encodings=("rgb16",),
    scan=partial(scan_flat, image_folder="RGB", label_folder="GT/LABELS"),
    label_spec=_label_spec,
    labels_required=True,
    first_number=0,
)

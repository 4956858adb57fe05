"""Cityscapes (Cordts et al. 2016), fine annotations as label ids."""

from pathlib import Path

from bismap.data.layouts.base import (
    LabelSpec,
    Layout,
    Listing,
    Problem,
    RawFile,
    by_stem,
    duplicate_ids,
    file_id,
    orphans,
    walk,
)
from bismap.data.layouts.gta5 import cityscapes_spec

IMAGE_SUFFIX = "_leftImg8bit.png"
LABEL_SUFFIX = "_gtFine_labelIds.png"


def _stem(path: str) -> str:
    # leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png -> val/ulm/ulm_000000_000019
    return path.partition("/")[2].removesuffix(IMAGE_SUFFIX).removesuffix(LABEL_SUFFIX)


def _scan(root: Path) -> Listing:
    images, problems = by_stem(_files(root, "leftImg8bit", IMAGE_SUFFIX), _stem)
    labels, _ = by_stem(_files(root, "gtFine", LABEL_SUFFIX), _stem)
    files = [
        RawFile(file_id(stem.rpartition("/")[2]), path, labels.get(stem), stem.partition("/")[0])
        for stem, path in images.items()
    ]
    missing = [problem._replace(id=problem.id.rpartition("__")[2]) for problem in orphans(labels, images)]
    return Listing(files, problems + missing + _empty_splits(root, files) + duplicate_ids(files))


def _empty_splits(root: Path, files: list[RawFile]) -> list[Problem]:
    folders = {path.name for path in (root / "leftImg8bit").iterdir() if path.is_dir() and path.name[0] != "."}
    empty = sorted(folders - {file.split for file in files})
    return [Problem(f"leftImg8bit/{split}", f"empty split: no {{city}}/*{IMAGE_SUFFIX}") for split in empty]


def _files(root: Path, folder: str, suffix: str) -> list[str]:
    return [path for path in walk(root, folder, (".png",)) if path.endswith(suffix)]


def _label_spec(_: Path) -> LabelSpec:
    return cityscapes_spec(last_id=33)


CITYSCAPES_LAYOUT = Layout(
    name="cityscapes",
    description=(
        "  leftImg8bit/{train,val}/{city}/{city}_000000_000000_leftImg8bit.png  photographs, RGB\n"
        "  gtFine/{train,val}/{city}/{city}_000000_000000_gtFine_labelIds.png   8-bit grey PNG of label ids\n"
        "      (0-33; the labels of a split that is used without labels may be left out)\n"
        "  (leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip of https://www.cityscapes-dataset.com)"
    ),
    required=("leftImg8bit",),
    encodings=("grey",),
    scan=_scan,
    label_spec=_label_spec,
)

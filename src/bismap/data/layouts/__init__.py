"""Layouts of raw data sets. Listing is by names only; importing loads nothing but the standard library."""

from pathlib import Path

from bismap.data.layouts.base import LabelSpec, Layout, Listing, Problem, RawFile
from bismap.data.layouts.cityscapes import CITYSCAPES_LAYOUT
from bismap.data.layouts.folder import FOLDER
from bismap.data.layouts.gta5 import GTA5
from bismap.data.layouts.synthia import SYNTHIA
from bismap.errors import BismapError

__all__ = [
    "LAYOUTS",
    "LabelSpec",
    "Layout",
    "Listing",
    "Problem",
    "RawFile",
    "describe",
    "get_layout",
    "list_raw",
    "scan",
]

LAYOUTS = {layout.name: layout for layout in (GTA5, SYNTHIA, CITYSCAPES_LAYOUT, FOLDER)}


def get_layout(name: str) -> Layout:
    """The layout that settings call ``name``.

    Raises:
        BismapError: if there is none.
    """
    if name not in LAYOUTS:
        raise BismapError(f"unknown data set layout `{name}`: expected one of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def describe(layout: str) -> str:
    """How a folder of this layout must look, in indented lines for the user."""
    return get_layout(layout).description


def scan(layout: str, root: Path) -> Listing:
    """All images of a raw data set and what is wrong with their names; no file is opened but split lists.

    Raises:
        BismapError: if the folder, or one that the layout requires in it, is missing.
    """
    found = get_layout(layout)
    missing = [name for name in found.required if not (root / name).exists()]
    if missing:
        parts = " and ".join(f"`{name}`" for name in missing)
        where = f"{root} lacks {parts}" if root.is_dir() else f"there is no folder {root}"
        raise BismapError(f"{where}. A data set of layout `{layout}` must look like this:\n{found.description}")
    return found.scan(root)


def list_raw(layout: str, root: Path) -> list[RawFile]:
    """All images of a raw data set by names only; one that is in several splits comes once a split.

    Raises:
        BismapError: if the folder, or one that the layout requires in it, is missing.
    """
    return scan(layout, root).files

"""Listing of the layouts with one flat folder of images and one of labels of the same names."""

from pathlib import Path

from bismap.data.layouts.base import Listing, RawFile, by_stem, duplicate_ids, file_id, orphans, walk

SPLIT = "train"
"""The one split of such a data set."""


def scan_flat(root: Path, image_folder: str, label_folder: str) -> Listing:
    """PNG images and labels paired by name."""

    def stem(path: str) -> str:
        return path.rpartition("/")[2][: -len(".png")]

    images, image_problems = by_stem(walk(root, image_folder, (".png",)), stem)
    labels, label_problems = by_stem(walk(root, label_folder, (".png",)), stem)
    files = [RawFile(file_id(name), path, labels.get(name), SPLIT) for name, path in images.items()]
    problems = image_problems + label_problems + orphans(labels, images) + duplicate_ids(files)
    return Listing(files, problems)

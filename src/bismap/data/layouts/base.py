"""What a layout is, and how the files of one are listed by their names."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bismap.data.classes import ClassSet


class RawFile(NamedTuple):
    """One image of a raw data set: paths relative to its folder; ``label`` is None where there is none."""

    id: str
    image: str
    label: str | None
    split: str


class Problem(NamedTuple):
    """Something wrong with ``file``; ``id`` is set where the image or the label of a pair is missing."""

    file: str
    text: str
    id: str | None = None


class Listing(NamedTuple):
    """Images of all splits, and what is wrong with the names found."""

    files: list[RawFile]
    problems: list[Problem]


class LabelSpec(NamedTuple):
    """The classes of a data set and the class of each accepted label id (``IGNORE`` for no class)."""

    classes: ClassSet
    label_map: Mapping[int, int]


@dataclass(frozen=True)
class Layout:
    """How a data set lies on disk.

    Attributes:
        name: how settings call it.
        description: how the folder must look, for the user.
        required: files and folders without which nothing can be listed.
        encodings: accepted encodings of label files (names of ``bismap.data.raw_labels``).
        scan: lists a folder by names only.
        label_spec: classes and label ids of the data set in a folder.
        labels_required: every split must have labels; else a split may have none at all.
        first_number: where image ids are numbers without gaps, the first one.
        keys: patterns of the files that say what images and labels mean (classes, splits).
    """

    name: str
    description: str
    required: tuple[str, ...]
    encodings: tuple[str, ...]
    scan: Callable[[Path], Listing]
    label_spec: Callable[[Path], LabelSpec]
    labels_required: bool = False
    first_number: int | None = None
    keys: tuple[str, ...] = ()


def file_id(stem: str) -> str:
    """Id of the image with this relative stem: a single file name without dots (suffixes stay readable)."""
    return stem.replace("/", "__").replace(".", "_")


def walk(root: Path, folder: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Paths relative to ``root`` of all visible files below ``folder`` with one of the suffixes (lower case).

    Links to folders are followed; nothing is found in a folder that is missing.
    """
    top = root / folder
    for parent, folders, names in os.walk(top, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = PurePosixPath(folder, Path(parent).relative_to(top).as_posix())
        for name in names:
            if name.lower().endswith(suffixes) and not name.startswith("."):
                yield f"{relative}/{name}"


def by_stem(paths: Iterable[str], stem: Callable[[str], str]) -> tuple[dict[str, str], list[Problem]]:
    """Paths by stem, the first of each in sorted order; each further one is a problem."""
    found: dict[str, str] = {}
    problems = []
    for path in sorted(paths):
        first = found.setdefault(stem(path), path)
        if first != path:
            problems.append(Problem(path, f"duplicate: {first} has the same name, keep one of them"))
    return found, problems


def orphans(labels: Mapping[str, str], images: Mapping[str, str]) -> list[Problem]:
    """A problem for each label that has no image, both given by stem."""
    return [Problem(path, "label without image", file_id(stem)) for stem, path in labels.items() if stem not in images]


def duplicate_ids(files: Iterable[RawFile]) -> list[Problem]:
    """A problem for each image whose id another image has, too."""
    first: dict[str, str] = {}
    problems = []
    for file in files:
        image = first.setdefault(file.id, file.image)
        if image != file.image:
            problems.append(Problem(file.image, f"duplicate id {file.id}: {image} has it, too"))
    return problems

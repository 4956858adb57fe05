"""Stylise image files: which reference each source image gets, and the table of what was fitted."""

import csv
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bismap.data.images import read_image
from bismap.errors import BismapError
from bismap.random import seed64
from bismap.stylize.gpa import align


class ImageFile(Protocol):
    """What this module needs of a data set's item."""

    id: str
    image: Path


@dataclass(frozen=True)
class Transform:
    """One row of ``transforms.csv``; mean lightness in [0, 1] over the pixels that the fit sees."""

    id: str
    reference: str
    gamma: float
    mean_l_source: float
    mean_l_aligned: float
    mean_l_reference: float


def choose_reference(source_id: str, references: Sequence[ImageFile], seed: int) -> ImageFile:
    """The reference of one source image: uniform, and a function of seed, id and the set of references only.

    Raises:
        BismapError: if there are no references.
    """
    if not references:
        raise BismapError("stylize: the target split has no images to take colours from")
    ordered = sorted(references, key=lambda item: item.id)
    return ordered[seed64(seed, "stylize", source_id) % len(ordered)]


def stylize_files(
    items: Sequence[ImageFile],
    references: Sequence[ImageFile],
    out: Path,
    *,
    seed: int,
    beta: float,
    fit_stride: int,
    png_compress_level: int,
    threads: int,
) -> list[Transform]:
    """Write ``{id}.png`` for each item, at the item's own size; at most ``threads`` images are held at a time.

    Returns one transform per item, in the order of ``items``.
    """
    ordered = sorted(references, key=lambda item: item.id)

    def stylize(item: ImageFile) -> Transform:
        reference = choose_reference(item.id, ordered, seed)
        aligned = align(read_image(item.image, None), read_image(reference.image, None), beta, fit_stride)
        _write_png(out / f"{item.id}.png", aligned.image, png_compress_level)
        means = (aligned.mean_source, aligned.mean_aligned, aligned.mean_reference)
        return Transform(item.id, reference.id, aligned.gamma, *means)

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        return list(pool.map(stylize, items))


def write_transforms(path: Path, transforms: Sequence[Transform]) -> None:
    """Write the table, one line per image, numbers with 6 digits after the point (gamma: 8)."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Transform)])
        for transform in transforms:
            name, reference, gamma, *means = astuple(transform)
            writer.writerow([name, reference, f"{gamma:.8f}", *(f"{mean:.6f}" for mean in means)])


def _write_png(path: Path, image: NDArray[np.uint8], compress_level: int) -> None:
    Image.fromarray(image).save(path, compress_level=compress_level)

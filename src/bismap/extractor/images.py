"""Which image files a domain consists of, and reading them shrunk."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from bismap.data import shards
from bismap.data.ahead import map_ahead
from bismap.data.dataset import Dataset
from bismap.data.images import read_image
from bismap.errors import BismapError


def domain_images(dataset: Dataset, split: str, stylized: Sequence[Path] = ()) -> list[tuple[str, Path]]:
    """``(id, file)`` of every image of the split, sorted by id; of the stylised ones where they are given.

    Raises:
        BismapError: if there is no such split or an image was not stylised.
    """
    images = [(item.id, item.image) for item in dataset.items(split)]
    if not stylized:
        return images
    files = shards.files(stylized, ".png")
    if missing := [image_id for image_id, _ in images if image_id not in files]:
        raise BismapError(f"{len(missing)} images are not stylised, {missing[0]} first: run `stylize` again")
    return [(image_id, files[image_id]) for image_id, _ in images]


def read_ahead(files: Sequence[Path], size: tuple[int, int], threads: int) -> Iterator[np.ndarray]:
    """Images uint8 [height, width, 3] at ``size`` (width, height), in order, ``2 * threads`` read ahead."""
    yield from map_ahead(partial(read_image, size=size), files, threads)


def shrunk_copy(files: Sequence[Path], size: tuple[int, int], target: Path, threads: int) -> np.ndarray:
    """Memory-mapped uint8 [n, height, width, 3] of all ``files`` shrunk to ``size`` (width, height).

    Made once in ``target`` (an .npy file, whole or absent) and taken from there by later attempts: training
    visits an image many times, and memory stays that of the pages in use.
    """
    if not target.is_file():
        part = target.with_suffix(".part")
        shape = (len(files), size[1], size[0], 3)
        copy = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        for row, image in enumerate(read_ahead(files, size, threads)):
            copy[row] = image
        copy.flush()
        del copy
        part.replace(target)
    return np.load(target, mmap_mode="r")

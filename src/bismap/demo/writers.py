"""Write rendered pictures as data sets: the source in GTA5's layout, the target in Cityscapes' layout."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from bismap.demo.ids import palette
from bismap.demo.render import render_picture
from bismap.errors import BismapError
from bismap.random import seed64

SIZE_SPREAD = 2
"""Pixels by which the heights of source pictures vary, as GTA5's do."""


class Picture(NamedTuple):
    """One picture to render, and where to write it."""

    split: str
    index: int
    width: int
    height: int
    image: Path
    label: Path


def render_dataset(
    out: Path, domain: str, seed: int, size: tuple[int, int], images: Mapping[str, int], threads: int
) -> int:
    """Render all pictures of a data set into ``out``; returns their number.

    Args:
        out: folder to write to.
        domain: ``"source"`` (GTA5's layout) or ``"target"`` (Cityscapes' layout).
        seed: of the world; picture k of a split does not depend on how many there are.
        size: (width, height), pixels.
        images: number of pictures per split.
        threads: number of processes.

    Raises:
        BismapError: for an unknown domain, or a source with other splits than ``train``.
    """
    pictures = list(_pictures(out, domain, seed, size, images))
    for folder in {path.parent for picture in pictures for path in (picture.image, picture.label)}:
        folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(threads) as pool:
        list(pool.map(partial(_write, seed, domain), pictures, chunksize=4))
    return len(pictures)


def _pictures(
    out: Path, domain: str, seed: int, size: tuple[int, int], images: Mapping[str, int]
) -> Iterator[Picture]:
    if domain == "source" and set(images) == {"train"}:
        for index in range(images["train"]):
            width, height = size
            height += seed64("demo size", seed, index) % (2 * SIZE_SPREAD + 1) - SIZE_SPREAD
            name = f"{index + 1:05d}.png"
            yield Picture("train", index, width, height, out / "images" / name, out / "labels" / name)
    elif domain == "target":
        for split, count in images.items():
            for index in range(count):
                stem = f"demo{split}_{index:06d}_000019"
                yield Picture(
                    split,
                    index,
                    *size,
                    out / "leftImg8bit" / split / f"demo{split}" / f"{stem}_leftImg8bit.png",
                    out / "gtFine" / split / f"demo{split}" / f"{stem}_gtFine_labelIds.png",
                )
    else:
        raise BismapError(f"render: domain `{domain}` with splits {sorted(images)}: a source has `train` alone")


def _write(seed: int, domain: str, picture: Picture) -> None:
    image, label = render_picture(
        seed, domain, picture.split, picture.index, picture.width, picture.height
    )
    Image.fromarray(image).save(picture.image, compress_level=3)
    _label_image(label, domain).save(picture.label, compress_level=3)


def _label_image(label: np.ndarray, domain: str) -> Image.Image:
    picture = Image.fromarray(label)
    if domain == "source":
        picture.putpalette(palette())
    return picture

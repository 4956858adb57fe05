"""Write rendered pictures as data sets: the source in GTA5's layout, the target in Cityscapes' layout."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from bismap.demo.dice import Dice
from bismap.demo.domains import DOMAINS
from bismap.demo.ids import palette
from bismap.demo.render import render_picture
from bismap.errors import BismapError
from bismap.random import seed64

SMALLEST = 32
"""Fewest pixels each way that a street can be drawn with."""

_SIZE_SPREAD = 2  # pixels by which some source pictures differ in size, as GTA5's do
_CITIES = ("lindenau", "marktfeld", "seebruecken")  # invented
_COMPRESSION = 6  # named, because the bytes must not follow a library's default


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

    The source is written as ``images/00001.png`` and ``labels/00001.png`` (palettised label ids), the target
    as ``leftImg8bit/{split}/{city}/{city}_000000_000019_leftImg8bit.png`` and ``gtFine/...`` (grey ids).

    Args:
        out: folder to write to.
        domain: ``"source"`` or ``"target"``.
        seed: of the world; picture k of a split does not depend on how many there are.
        size: (width, height) in pixels; some of the source's pictures differ by up to two.
        images: number of pictures per split; a source has the split ``train`` alone.
        threads: number of processes.

    Raises:
        BismapError: for an unknown domain, a size too small, a split without pictures, or a source with other
            splits than ``train``.
    """
    _check(domain, size, images)
    pictures = list((_game_pictures if domain == "source" else _photo_pictures)(out, seed, size, images))
    for folder in {path.parent for picture in pictures for path in (picture.image, picture.label)}:
        folder.mkdir(parents=True, exist_ok=True)
    write = partial(_write, seed, domain)
    if threads == 1:
        for picture in pictures:
            write(picture)
    else:
        # Spawned, not forked: the caller may have threads.
        with ProcessPoolExecutor(threads, mp_context=get_context("spawn")) as pool:
            list(pool.map(write, pictures, chunksize=4))
    return len(pictures)


def _check(domain: str, size: tuple[int, int], images: Mapping[str, int]) -> None:
    if domain not in DOMAINS:
        raise BismapError(f"render: unknown domain `{domain}`: expected one of {', '.join(DOMAINS)}")
    if min(size) < SMALLEST:
        raise BismapError(f"render: size {size[0]}x{size[1]} is too small: at least {SMALLEST} pixels each way")
    if domain == "source" and set(images) != {"train"}:
        raise BismapError(f"render: splits {sorted(images)}: a source in GTA5's layout has `train` alone")
    empty = sorted(split for split, count in images.items() if count < 1)
    if empty or not images:
        raise BismapError(f"render: no images for split {', '.join(empty) or '(none named)'}: at least 1 each")


def _game_pictures(out: Path, seed: int, size: tuple[int, int], images: Mapping[str, int]) -> Iterator[Picture]:
    for index in range(images["train"]):
        name = f"{index + 1:05d}.png"
        yield Picture("train", index, *_varied_size(seed, index, size), out / "images" / name, out / "labels" / name)


def _varied_size(seed: int, index: int, size: tuple[int, int]) -> tuple[int, int]:
    dice = Dice(seed64("demo", seed, "source", "train", index, "size"))
    if not dice.chance(0.2):
        return size
    return (
        size[0] + dice.whole(-_SIZE_SPREAD, _SIZE_SPREAD),
        size[1] + dice.whole(-_SIZE_SPREAD, _SIZE_SPREAD),
    )


def _photo_pictures(out: Path, seed: int, size: tuple[int, int], images: Mapping[str, int]) -> Iterator[Picture]:
    for split, count in sorted(images.items()):
        for index in range(count):
            number, city = divmod(index, len(_CITIES))
            # Names are unique over all splits, as Cityscapes' are: no city is in two.
            town = f"{_CITIES[city]}-{split}"
            stem = f"{town}_{number:06d}_000019"
            yield Picture(
                split,
                index,
                *size,
                out / "leftImg8bit" / split / town / f"{stem}_leftImg8bit.png",
                out / "gtFine" / split / town / f"{stem}_gtFine_labelIds.png",
            )


def _write(seed: int, domain: str, picture: Picture) -> None:
    image, label = render_picture(seed, domain, picture.split, picture.index, picture.width, picture.height)
    Image.fromarray(image).save(picture.image, compress_level=_COMPRESSION)
    _label_image(label, domain).save(picture.label, compress_level=_COMPRESSION)


def _label_image(label: np.ndarray, domain: str) -> Image.Image:
    picture = Image.fromarray(label)
    if domain == "source":
        picture.putpalette(palette())
    return picture

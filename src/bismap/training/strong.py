"""The student's strongly changed view in consistency training: RandAugment on colours and CutOut (A§7)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

MAGNITUDES = 10

Operation = Callable[[Image.Image, int], Image.Image]


def _enhance(kind: type) -> Operation:
    """Enhancement by a factor of 0.14 to 0.86, for magnitudes 1 to 9: always towards less."""
    return lambda image, magnitude: kind(image).enhance(0.9 * magnitude / MAGNITUDES + 0.05)


OPERATIONS: dict[str, Operation] = {
    "auto_contrast": lambda image, _: ImageOps.autocontrast(image),
    "brightness": _enhance(ImageEnhance.Brightness),
    "colour": _enhance(ImageEnhance.Color),
    "contrast": _enhance(ImageEnhance.Contrast),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "identity": lambda image, _: image,
    "posterize": lambda image, magnitude: ImageOps.posterize(image, int(4 * magnitude / MAGNITUDES) + 4),
    "sharpness": _enhance(ImageEnhance.Sharpness),
    "solarize": lambda image, magnitude: ImageOps.solarize(image, 256 - int(256 * magnitude / MAGNITUDES)),
}


class Strong(NamedTuple):
    """Settings of the strong view.

    Attributes:
        operations: operations drawn per image, with replacement.
        probability: chance that a drawn operation is applied.
        cutout: side of the black square, as a share of the crop's width.
    """

    operations: int
    probability: float
    cutout: float


def rand_augment(image: Image.Image, rng: np.random.Generator, settings: Strong) -> Image.Image:
    """Change the colours of an RGB image by a few operations of random kind and magnitude (1 to 9 of 10)."""
    names = list(OPERATIONS)
    for _ in range(settings.operations):
        name = names[rng.integers(len(names))]
        magnitude = int(rng.integers(1, MAGNITUDES))
        if rng.random() < settings.probability:
            image = OPERATIONS[name](image, magnitude)
    return image


def cut_out(size: tuple[int, int], rng: np.random.Generator, share: float) -> tuple[slice, slice]:
    """Rows and columns of a square in a crop of ``size`` (width, height).

    Its centre lies anywhere in the crop and its side is ``share`` of the crop's width; what reaches beyond
    the border is cut.
    """
    side = int(share * size[0])
    left, top = (int(rng.integers(length)) - side // 2 for length in size)
    return slice(max(top, 0), max(top + side, 0)), slice(max(left, 0), max(left + side, 0))

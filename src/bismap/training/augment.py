"""Augmentation of a training sample: scale, colour jitter, crop, flip, in this order (A§2.3).

Only the part of the image that ends up in the crop is scaled and jittered. Pillow computes that part of a
resize as it would within the whole; the jitters act pixel by pixel, but for the mean grey that the contrast
turns about, which is taken from a reduced image: a few grey levels off at most, as the jitters before it clip.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageStat

from bismap.data import IGNORE

Size = tuple[int, int]

CROP_RETRIES = 20
OVERVIEW_SIDE = 32


class Jitter(NamedTuple):
    """Greatest change of each colour property; each is changed in every sample.

    Attributes:
        hue: shift drawn from [-hue, hue], in turns of the colour circle.
        brightness, saturation, contrast: factor drawn from [1 - x, 1 + x].
    """

    hue: float
    brightness: float
    saturation: float
    contrast: float

    def draw(self, rng: np.random.Generator) -> "Jitter":
        """The shift and the factors of one sample."""
        hue, brightness, saturation, contrast = (rng.uniform(-x, x) for x in self)
        return Jitter(hue, 1.0 + brightness, 1.0 + saturation, 1.0 + contrast)


def jitter(part: Image.Image, whole: Image.Image, factors: Jitter) -> Image.Image:
    """Shift hue, then scale brightness, saturation and contrast, as torchvision's functional transforms do.

    Args:
        part: RGB image to change.
        whole: the image that ``part`` was cut from; the contrast turns about its mean grey.
        factors: the hue shift and the three factors.
    """
    overview = whole.reduce(max(1, min(whole.size) // OVERVIEW_SIDE))
    part, overview = (_saturate(_brighten(_shift_hue(i, factors.hue), factors.brightness), factors.saturation)
                      for i in (part, overview))  # fmt: skip
    grey = int(ImageStat.Stat(overview.convert("L")).mean[0] + 0.5)
    return Image.blend(Image.new("RGB", part.size, (grey, grey, grey)), part, factors.contrast)


def _shift_hue(image: Image.Image, turns: float) -> Image.Image:
    shift = int(turns * 255)
    hue, saturation, value = image.convert("HSV").split()
    shifted = hue.point([(level + shift) % 256 for level in range(256)])
    return Image.merge("HSV", (shifted, saturation, value)).convert("RGB")


def _brighten(image: Image.Image, factor: float) -> Image.Image:
    return Image.blend(Image.new("RGB", image.size), image, factor)


def _saturate(image: Image.Image, factor: float) -> Image.Image:
    return Image.blend(image.convert("L").convert("RGB"), image, factor)


@dataclass(frozen=True)
class Geometry:
    """Where a crop lies: the image is resized to ``scaled``, cut at (left, top) and perhaps mirrored.

    All sizes are (width, height). Where the scaled image is smaller than the crop, the rest of the crop, at
    the right and below, is padding.
    """

    original: Size
    scaled: Size
    left: int
    top: int
    crop: Size
    flip: bool

    @cached_property
    def inside(self) -> Size:
        """Size of the part of the crop that shows the image."""
        return min(self.crop[0], self.scaled[0] - self.left), min(self.crop[1], self.scaled[1] - self.top)

    def cut_image(self, image: Image.Image) -> Image.Image:
        """That part of the bilinearly resized image."""
        x, y = self.original[0] / self.scaled[0], self.original[1] / self.scaled[1]
        right, bottom = self.left + self.inside[0], self.top + self.inside[1]
        # min(): a product may exceed the image by a rounding error, which Pillow refuses.
        box = (self.left * x, self.top * y, min(right * x, image.width), min(bottom * y, image.height))
        return image.resize(self.inside, Image.Resampling.BILINEAR, box=box)

    def cut_map(self, values: np.ndarray) -> np.ndarray:
        """The same part of a map ``[H, W]``, resized by nearest neighbour."""
        columns = _nearest(self.left, self.inside[0], self.original[0] / self.scaled[0])
        rows = _nearest(self.top, self.inside[1], self.original[1] / self.scaled[1])
        return values[rows[:, None], columns]

    def place(self, part: np.ndarray, fill: int) -> np.ndarray:
        """The crop ``[h, w, ...]`` that holds ``part``: padded with ``fill`` and mirrored as drawn."""
        width, height = self.crop
        if part.shape[:2] != (height, width):
            padded = np.full((height, width, *part.shape[2:]), fill, part.dtype)
            padded[: part.shape[0], : part.shape[1]] = part
            part = padded
        return part[:, ::-1] if self.flip else part


def _nearest(start: int, count: int, ratio: float) -> np.ndarray:
    return ((np.arange(start, start + count) + 0.5) * ratio).astype(np.intp)


@dataclass(frozen=True)
class Augmentation:
    """How the samples of one domain are varied.

    Attributes:
        crop: (width, height) of the crop, pixels.
        scale: the scaled width is drawn from U(*scale) * reference_width.
        reference_width: pixels (A§14.1 row 5: 2200 for GTA5).
        jitter: ranges of the colour changes.
    """

    crop: Size
    scale: tuple[float, float]
    reference_width: int
    jitter: Jitter

    def draw_geometry(self, rng: np.random.Generator, label: np.ndarray) -> Geometry:
        """Draw scale, place and flip; a place whose labels are all one id is drawn anew, up to 20 times."""
        height, width = label.shape
        scaled_width = max(1, int(rng.uniform(*self.scale) * self.reference_width))
        scaled = scaled_width, max(1, int(scaled_width * height / width))
        flip = bool(rng.random() < 0.5)
        for _ in range(1 + CROP_RETRIES):
            left, top = (int(rng.integers(max(s - c, 0) + 1)) for s, c in zip(scaled, self.crop, strict=True))
            geometry = Geometry((width, height), scaled, left, top, self.crop, flip)
            labels = geometry.cut_map(label)
            if (labels != labels[0, 0]).any():
                break
        return geometry


class Views(NamedTuple):
    """Arrays of one crop: image ``[h, w, 3]``, labels and weights ``[h, w]``, all uint8."""

    image: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None


def view(
    geometry: Geometry, factors: Jitter, image: Image.Image, label: np.ndarray, weights: np.ndarray | None
) -> Views:
    """The jittered crop of an image with the same crop of its labels and weights.

    Padding is black, `IGNORE` and weight 0.
    """
    part = jitter(geometry.cut_image(image), image, factors)
    return Views(
        geometry.place(np.asarray(part), 0),
        geometry.place(geometry.cut_map(label), IGNORE),
        None if weights is None else geometry.place(geometry.cut_map(weights), 0),
    )

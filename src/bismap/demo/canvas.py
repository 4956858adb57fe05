"""The picture and its labels, drawn together so that they agree in every pixel."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from bismap.demo.camera import Pixel
from bismap.demo.color import Color

SUPERSAMPLING = 3
"""Drawing pixels per picture pixel, each way. Odd, so that a label is that of its pixel's very centre."""


class Canvas:
    """Colours and label ids at ``SUPERSAMPLING`` times the size of the picture.

    Shapes are given in drawing pixels. A shape with a label is drawn into both images, one without (a detail
    of what is there already) only into the colours. Everything fades into the haze with its distance.
    """

    def __init__(self, width: int, height: int, haze: Color, visibility: float) -> None:
        """Blank canvas for a picture of this size; at ``visibility`` metres haze takes 63 % of a colour."""
        size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
        self.width, self.height = size
        self.haze = haze
        self.visibility = visibility
        self.image = Image.new("RGB", size)
        self.labels = Image.new("L", size)
        self._paint = ImageDraw.Draw(self.image)
        self._mark = ImageDraw.Draw(self.labels)

    def tone(self, color: Color, z: float) -> tuple[int, int, int]:
        """The colour as seen through ``z`` metres of haze."""
        keep = math.exp(-z / self.visibility) if z > 0 else 1.0
        haze = self.haze
        red = int(haze[0] + (color[0] - haze[0]) * keep)
        green = int(haze[1] + (color[1] - haze[1]) * keep)
        blue = int(haze[2] + (color[2] - haze[2]) * keep)
        if 0 <= red < 256 and 0 <= green < 256 and 0 <= blue < 256:
            return red, green, blue
        return min(255, max(0, red)), min(255, max(0, green)), min(255, max(0, blue))

    def polygon(self, points: Sequence[Pixel], color: Color, z: float, label: int | None = None) -> None:
        """Fill a polygon at distance ``z``."""
        self._paint.polygon(points, fill=self.tone(color, z))
        if label is not None:
            self._mark.polygon(points, fill=label)

    def label_only(self, points: Sequence[Pixel], label: int) -> None:
        """Label a polygon whose colours are drawn otherwise."""
        self._mark.polygon(points, fill=label)

    def ellipse(self, centre: Pixel, radii: Pixel, color: Color | None, z: float, label: int | None = None) -> None:
        """Fill an upright ellipse at distance ``z``; without a colour only its label is drawn."""
        box = (centre[0] - radii[0], centre[1] - radii[1], centre[0] + radii[0], centre[1] + radii[1])
        if color is not None:
            self._paint.ellipse(box, fill=self.tone(color, z))
        if label is not None:
            self._mark.ellipse(box, fill=label)

    def line(self, points: Sequence[Pixel], width: float, color: Color, z: float, label: int | None = None) -> None:
        """Draw a line; with a label it is never thinner than a pixel of the picture, lest it have holes."""
        pixels = max(1 if label is None else SUPERSAMPLING, round(width))
        self._paint.line(points, fill=self.tone(color, z), width=pixels)
        if label is not None:
            self._mark.line(points, fill=label, width=pixels)

    def ring(self, centre: Pixel, radii: Pixel, width: float, color: Color, z: float) -> None:
        """Draw the outline of an upright ellipse."""
        box = (centre[0] - radii[0], centre[1] - radii[1], centre[0] + radii[0], centre[1] + radii[1])
        self._paint.ellipse(box, outline=self.tone(color, z), width=max(1, round(width)))

    def paste(self, top: int, image: np.ndarray, labels: np.ndarray) -> None:
        """Put whole rows, uint8 [h, width, 3] and [h, width], in at row ``top``."""
        self.image.paste(Image.fromarray(image), (0, top))
        self.labels.paste(Image.fromarray(labels), (0, top))

    def finish(self) -> tuple[Image.Image, np.ndarray]:
        """The antialiased picture and its label ids, uint8 [height, width]."""
        middle = SUPERSAMPLING // 2
        labels = np.asarray(self.labels)[middle::SUPERSAMPLING, middle::SUPERSAMPLING]
        return self.image.reduce(SUPERSAMPLING), np.ascontiguousarray(labels)

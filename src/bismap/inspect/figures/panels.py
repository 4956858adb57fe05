"""Pictures in rows and columns with titles above, notes below each, and a legend of classes at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from bismap.data.classes import ClassSet
from bismap.inspect.figures.saving import DPI, FAINT, INK, SMALL, TITLE

WIDTH = 7.0  # of the figure, inches: that of a page's text
LEAST = 1.1  # of a picture, inches, so that its note fits; many columns make a wider figure
GAP, HEAD, NOTE, MARGIN = 0.05, 0.18, 0.13, 0.05  # inches
LINE, ENTRY = 0.135, 0.95  # height and width of an entry of the legend, inches

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Panel:
    """A picture.

    Attributes:
        pixels: uint8 ``[H, W, 3]``.
        note: what is written below it.
        smooth: it may be averaged where its size changes, as a photograph may; labels may not.
    """

    pixels: Pixels
    note: str = ""
    smooth: bool = False

    def fitted(self, width: int) -> Pixels:
        """The picture, so many pixels wide."""
        method = Image.Resampling.LANCZOS if self.smooth else Image.Resampling.NEAREST
        height = round(width * self.pixels.shape[0] / self.pixels.shape[1])
        return np.array(Image.fromarray(self.pixels).resize((width, height), method))


def coloured(label: Pixels, classes: ClassSet, note: str = "") -> Panel:
    """A label image ``[H, W]`` in the colours of its classes; black without a class."""
    palette = np.array(classes.palette(), np.uint8).reshape(256, 3)
    return Panel(palette[label], note)


def panel_pixels(columns: int) -> int:
    """Width of each picture of a figure with so many columns, in pixels of the PNG."""
    return round(DPI * max(LEAST, (WIDTH - 2 * MARGIN + GAP) / columns - GAP))


def draw_panels(titles: Sequence[str], rows: Sequence[Sequence[Panel]], classes: ClassSet) -> Figure:
    """The figure; a column under each title, all pictures of a row of one shape.

    A pixel of a fitted picture is a pixel of the PNG.
    """
    fitted = [[panel.fitted(panel_pixels(len(titles))) for panel in row] for row in rows]
    heights = [row[0].shape[0] / DPI for row in fitted]
    wide = panel_pixels(len(titles)) / DPI
    below = GAP + (NOTE if any(panel.note for row in rows for panel in row) else 0)
    entries = [*zip(classes.names, classes.colors, strict=True), ("no label", (0, 0, 0))]
    width = len(titles) * (wide + GAP) - GAP + 2 * MARGIN
    per_line = max(1, int((width - 2 * MARGIN) / ENTRY))
    legend = GAP + LINE * -(-len(entries) // per_line) + MARGIN
    height = HEAD + sum(heights) + below * len(rows) + legend
    figure = Figure(figsize=(width, height), dpi=DPI)

    def place(left: float, top: float) -> tuple[float, float]:
        return left / width, 1 - top / height

    lefts = [MARGIN + column * (wide + GAP) for column in range(len(titles))]
    for left, title in zip(lefts, titles, strict=True):
        figure.text(*place(left + wide / 2, HEAD - 0.04), title, ha="center", va="bottom", size=TITLE, color=INK)
    top = HEAD
    for row, pictures, tall in zip(rows, fitted, heights, strict=True):
        for left, panel, picture in zip(lefts, row, pictures, strict=True):
            axes = figure.add_axes((*place(left, top + tall), wide / width, tall / height))
            axes.imshow(picture, interpolation="none", aspect="auto")
            axes.set_axis_off()
            under = place(left + wide / 2, top + tall + 0.02)
            figure.text(*under, panel.note, ha="center", va="top", size=SMALL, color=FAINT)
        top += tall + below
    figure.legend(
        handles=[_swatch(name, color) for name, color in entries],
        loc="upper center",
        bbox_to_anchor=place(width / 2, top + GAP),
        ncols=per_line,
        fontsize=SMALL,
        labelcolor=INK,
        frameon=False,
        borderpad=0,
        handlelength=1.2,
        handleheight=1.0,
        handletextpad=0.5,
        columnspacing=1.2,
        labelspacing=0.35,
        borderaxespad=0,
    )
    return figure


def _swatch(name: str, color: tuple[int, int, int]) -> Patch:
    return Patch(facecolor=[channel / 255 for channel in color], edgecolor=FAINT, linewidth=0.4, label=name)

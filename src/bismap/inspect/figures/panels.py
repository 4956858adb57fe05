"""Pictures in rows and columns with titles above, notes below each, and a legend of classes at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from bismap.data.classes import ClassSet
from bismap.data.images import resize_label
from bismap.inspect.figures.saving import DPI, FAINT, INK, SMALL, TITLE

WIDTH = 1.6  # of a picture, inches
GAP, HEAD, NOTE, MARGIN = 0.06, 0.2, 0.14, 0.08  # inches
LINE, ENTRY = 0.15, 1.05  # height and width of an entry of the legend, inches

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Panel:
    """A picture, uint8 ``[H, W, 3]``, and what is written below it."""

    pixels: Pixels
    note: str = ""


def photograph(pixels: Pixels) -> Pixels:
    """A photograph at the size of a panel."""
    return np.array(Image.fromarray(pixels).resize(_size(pixels), Image.Resampling.LANCZOS))


def coloured(label: Pixels, classes: ClassSet) -> Pixels:
    """A label image ``[H, W]`` in the colours of its classes, at the size of a panel; black without a class."""
    palette = np.array(classes.palette(), np.uint8).reshape(256, 3)
    return palette[resize_label(label, _size(label))]


def draw_panels(titles: Sequence[str], rows: Sequence[Sequence[Panel]], classes: ClassSet) -> Figure:
    """The figure; a column under each title, all pictures of a row of one height.

    A pixel of a picture is a pixel of the PNG.
    """
    noted = any(panel.note for row in rows for panel in row)
    heights = [row[0].pixels.shape[0] / DPI for row in rows]
    below = GAP + (NOTE if noted else 0)
    entries = [*zip(classes.names, classes.colors, strict=True), ("no label", (0, 0, 0))]
    width = len(titles) * (WIDTH + GAP) - GAP + 2 * MARGIN
    per_line = max(1, int((width - 2 * MARGIN) / ENTRY))
    legend = LINE * -(-len(entries) // per_line) + MARGIN
    height = HEAD + sum(heights) + below * len(rows) + legend + MARGIN
    figure = Figure(figsize=(width, height), dpi=DPI)

    def place(left: float, top: float) -> tuple[float, float]:
        return left / width, 1 - top / height

    lefts = [MARGIN + column * (WIDTH + GAP) for column in range(len(titles))]
    for left, title in zip(lefts, titles, strict=True):
        figure.text(*place(left + WIDTH / 2, HEAD - 0.05), title, ha="center", va="bottom", size=TITLE, color=INK)
    top = HEAD
    for row, tall in zip(rows, heights, strict=True):
        for left, panel in zip(lefts, row, strict=True):
            x, y = place(left, top + tall)
            axes = figure.add_axes((x, y, WIDTH / width, tall / height))
            axes.imshow(panel.pixels, interpolation="none", aspect="auto")
            axes.set_axis_off()
            figure.text(
                *place(left + WIDTH / 2, top + tall + 0.02), panel.note, ha="center", va="top", size=SMALL, color=FAINT
            )
        top += tall + below
    figure.legend(
        handles=[_swatch(name, color) for name, color in entries],
        loc="upper center",
        bbox_to_anchor=place(width / 2, top),
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
    )
    return figure


def _swatch(name: str, color: tuple[int, int, int]) -> Patch:
    return Patch(facecolor=[channel / 255 for channel in color], edgecolor=FAINT, linewidth=0.4, label=name)


def _size(pixels: NDArray) -> tuple[int, int]:
    width = round(WIDTH * DPI)
    return width, round(width * pixels.shape[0] / pixels.shape[1])

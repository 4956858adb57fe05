"""Contact sheets: titled sections of rows of pictures, a class legend and a colour bar, drawn with PIL."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bismap.inspect.colormap import VIRIDIS

MARGIN = 24
GAP = 8
HEADING, TITLE, SMALL = 20, 15, 12
INK, FAINT, PAPER, EMPTY = (25, 25, 25), (115, 115, 115), (255, 255, 255), (235, 235, 235)
SWATCH = 16
BAR_HEIGHT = 12

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Row:
    """Pictures of one image, side by side, all of one size; None leaves a place empty."""

    name: str
    panels: tuple[Image.Image | None, ...]


@dataclass(frozen=True)
class Section:
    """Rows under column titles.

    Attributes:
        heading: what the section shows.
        columns: title of each column.
        rows: as many panels each as there are columns.
        scale: caption of the colour bar below the last column; None for no bar.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    scale: str | None = None


def draw_sheet(sections: Sequence[Section], legend: Sequence[tuple[str, Color]], panel_width: int) -> Image.Image:
    """Draw sections below each other, and the legend under the first.

    Args:
        sections: from top to bottom.
        legend: name and colour of each class.
        panel_width: width of every panel, in pixels.
    """
    columns = max(len(section.columns) for section in sections)
    width = 2 * MARGIN + columns * panel_width + (columns - 1) * GAP
    legend_strip = _draw_legend(legend, width)
    strips = [_draw_section(section, width, panel_width) for section in sections]
    return _stack([strips[0], legend_strip, *strips[1:]], width)


def _stack(strips: Sequence[Image.Image], width: int) -> Image.Image:
    sheet = Image.new("RGB", (width, 2 * MARGIN + sum(strip.height for strip in strips)), PAPER)
    top = MARGIN
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def _draw_section(section: Section, width: int, panel_width: int) -> Image.Image:
    heights = [_row_height(row) for row in section.rows]
    top = HEADING + TITLE + 4 * GAP
    row_gap = SMALL + 2 * GAP
    bar = BAR_HEIGHT + SMALL + 4 * GAP if section.scale else GAP
    strip = Image.new("RGB", (width, top + sum(heights) + row_gap * len(heights) + bar), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.text((MARGIN, 0), section.heading, INK, _font(HEADING))
    lefts = [MARGIN + column * (panel_width + GAP) for column in range(len(section.columns))]
    for left, title in zip(lefts, section.columns, strict=True):
        draw.text((left, HEADING + 2 * GAP), title, INK, _font(TITLE))
    for row, height in zip(section.rows, heights, strict=True):
        _draw_row(strip, row, lefts, top, panel_width, height)
        top += height + row_gap
    if section.scale:
        _draw_bar(strip, (lefts[-1], top), panel_width, section.scale)
    return strip


def _row_height(row: Row) -> int:
    return max((panel.height for panel in row.panels if panel is not None), default=0)


def _draw_row(strip: Image.Image, row: Row, lefts: Sequence[int], top: int, panel_width: int, height: int) -> None:
    draw = ImageDraw.Draw(strip)
    for left, panel in zip(lefts, row.panels, strict=True):
        if panel is None:
            draw.rectangle((left, top, left + panel_width - 1, top + height - 1), EMPTY)
            draw.text((left + panel_width // 2, top + height // 2), "none", FAINT, _font(SMALL), anchor="mm")
        else:
            strip.paste(panel, (left, top))
    draw.text((lefts[0], top + height + GAP // 2), row.name, FAINT, _font(SMALL))


def _draw_bar(strip: Image.Image, corner: tuple[int, int], width: int, caption: str) -> None:
    """A horizontal colour bar from 0 to 1 with its caption in the middle."""
    left, top = corner
    levels = np.linspace(0, 255, width).round().astype(np.uint8)
    strip.paste(Image.fromarray(np.tile(VIRIDIS[levels], (BAR_HEIGHT, 1, 1))), (left, top))
    draw, below = ImageDraw.Draw(strip), top + BAR_HEIGHT + GAP // 2
    for x, text, anchor in ((0, "0", "la"), (width // 2, caption, "ma"), (width - 1, "1", "ra")):
        draw.text((left + x, below), text, FAINT, _font(SMALL), anchor=anchor)


def _draw_legend(legend: Sequence[tuple[str, Color]], width: int) -> Image.Image:
    """Swatches with names, in equal columns and lines of equal length."""
    font = _font(SMALL)
    cell = SWATCH + GAP + max(int(font.getlength(name)) for name, _ in legend) + 3 * GAP
    lines = -(-len(legend) // max((width - 2 * MARGIN) // cell, 1))
    columns = -(-len(legend) // lines)
    line = SWATCH + GAP
    strip = Image.new("RGB", (width, lines * line + 3 * GAP), PAPER)
    draw = ImageDraw.Draw(strip)
    for place, (name, color) in enumerate(legend):
        left, top = MARGIN + place % columns * cell, place // columns * line
        draw.rectangle((left, top, left + SWATCH - 1, top + SWATCH - 1), color, outline=FAINT)
        draw.text((left + SWATCH + GAP, top + SWATCH // 2), name, INK, font, anchor="lm")
    return strip


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

"""Facades: storeys, windows, shops and balconies on an upright wall."""

from dataclasses import dataclass

from bismap.demo import ids
from bismap.demo.color import BLACK, GLASS, Color, mixed, shaded, varied
from bismap.demo.dice import Dice
from bismap.demo.view import Panel

_LEGIBLE = 1.6
"""Share of the picture's width, in 1/256, that a window must span to be drawn by itself."""

_SHOPS: tuple[Color, ...] = (
    (176, 44, 40),
    (36, 92, 60),
    (32, 70, 130),
    (214, 170, 52),
    (70, 60, 56),
    (222, 220, 212),
)


@dataclass(frozen=True)
class Style:
    """What buildings of one kind have in common. Lengths in metres, shares of 1.

    Attributes:
        walls: colours of the walls.
        floors: fewest and most storeys.
        ground_floor, floor, parapet: heights.
        bay: distance of windows.
        window: (width share of the bay, sill, height) of a window.
        rim: brightness of a window's frame against the wall.
        shops: probability that the ground floor is shops.
        bands: windows run through as bands.
        balconies: probability of balconies.
        gabled: the roof is pitched.
    """

    walls: tuple[Color, ...]
    floors: tuple[int, int]
    ground_floor: float
    floor: float
    parapet: float
    bay: float
    window: tuple[float, float, float]
    rim: float
    shops: float
    bands: bool = False
    balconies: float = 0.0
    gabled: bool = False


STYLES: dict[str, Style] = {
    "plaster": Style(
        walls=(
            (208, 196, 168),
            (212, 198, 150),
            (172, 172, 168),
            (196, 160, 138),
            (206, 204, 198),
            (160, 170, 160),
        ),
        floors=(3, 5),
        ground_floor=3.9,
        floor=3.2,
        parapet=0.6,
        bay=2.7,
        window=(0.46, 0.85, 1.75),
        rim=1.15,
        shops=0.5,
        balconies=0.3,
        gabled=True,
    ),
    "old_town": Style(
        walls=((186, 148, 110), (150, 104, 84), (196, 184, 160), (170, 150, 130)),
        floors=(3, 4),
        ground_floor=4.4,
        floor=3.5,
        parapet=1.0,
        bay=2.3,
        window=(0.5, 0.7, 2.2),
        rim=1.28,
        shops=0.8,
        gabled=True,
    ),
    "brick": Style(
        walls=((146, 82, 62), (128, 74, 58), (158, 106, 80), (110, 66, 58)),
        floors=(2, 5),
        ground_floor=4.0,
        floor=3.3,
        parapet=0.9,
        bay=2.9,
        window=(0.42, 0.8, 1.8),
        rim=1.35,
        shops=0.5,
    ),
    "stucco": Style(
        walls=((226, 206, 168), (232, 226, 214), (214, 166, 122), (198, 204, 190), (224, 186, 168)),
        floors=(1, 3),
        ground_floor=3.6,
        floor=3.2,
        parapet=0.9,
        bay=3.6,
        window=(0.5, 0.9, 1.4),
        rim=0.8,
        shops=0.45,
        balconies=0.15,
    ),
    "office": Style(
        walls=((112, 128, 142), (134, 140, 142), (92, 104, 116), (158, 160, 158)),
        floors=(5, 14),
        ground_floor=4.6,
        floor=3.5,
        parapet=0.5,
        bay=1.9,
        window=(0.86, 0.45, 2.75),
        rim=0.9,
        shops=0.3,
    ),
    "concrete": Style(
        walls=((164, 158, 148), (146, 142, 136), (180, 172, 156)),
        floors=(3, 9),
        ground_floor=3.8,
        floor=3.1,
        parapet=0.8,
        bay=3.2,
        window=(1.0, 1.0, 1.45),
        rim=1.0,
        shops=0.25,
        bands=True,
        balconies=0.3,
    ),
    "warehouse": Style(
        walls=((172, 164, 150), (150, 158, 164), (188, 170, 132), (134, 120, 104)),
        floors=(1, 2),
        ground_floor=5.0,
        floor=3.4,
        parapet=0.7,
        bay=5.0,
        window=(0.55, 2.3, 1.2),
        rim=0.9,
        shops=0.0,
    ),
}


def paint_facade(panel: Panel, dice: Dice, style: Style, wall: Color, height: float, floors: int) -> None:
    """Draw a whole facade ``height`` metres high on the panel."""
    lit = panel.brightness()
    color = shaded(wall, lit)
    outline = [panel.at(0, 0), panel.at(panel.length, 0), panel.at(panel.length, height), panel.at(0, height)]
    # One polygon for the label; haze deepens along it in slices, drawn with the storeys.
    panel.view.canvas.polygon(outline, color, max(panel.z(panel.low), 0), ids.BUILDING)
    _haze_slices(panel, color, height)
    _paint_mouldings(panel, style, color, height, floors)
    for floor in range(1, floors):
        sill = style.ground_floor + (floor - 1) * style.floor
        _paint_storey(panel, dice, style, color, lit, sill)
    if dice.chance(style.shops):
        _paint_shops(panel, dice, style, lit)
    elif style.shops == 0:
        _paint_gates(panel, dice, style, lit)
    else:
        _paint_storey(panel, dice, style, color, lit, 0.25)
        _paint_door(panel, dice, lit)


def _haze_slices(panel: Panel, color: Color, height: float) -> None:
    pieces = 1 + int((panel.high - panel.low) / 8)
    width = (panel.high - panel.low) / pieces
    for k in range(pieces):
        left = panel.low + k * width
        panel.box(left, 0, left + width, height, color)


def _paint_mouldings(panel: Panel, style: Style, color: Color, height: float, floors: int) -> None:
    """A plinth, lines between the storeys, and the cornice."""
    panel.box(0, 0, panel.length, 0.5, shaded(color, 0.72))
    for floor in range(1, floors if not style.bands else 2):
        line = style.ground_floor + (floor - 1) * style.floor
        panel.box(0, line - 0.12, panel.length, line + 0.12, shaded(color, 0.86))
    panel.box(0, height - 0.45, panel.length, height, shaded(color, 1.1))
    panel.box(0, height - 0.6, panel.length, height - 0.45, shaded(color, 0.7))


def _paint_storey(panel: Panel, dice: Dice, style: Style, color: Color, lit: float, base: float) -> None:
    _, sill, tall = style.window
    low, high = base + sill, base + sill + tall
    glass = shaded(GLASS, 0.6 + 0.5 * lit)
    if style.bands:
        panel.box(0.6, low, panel.length - 0.6, high, mixed(glass, color, 0.15))
        _paint_mullions(panel, style, color, low, high)
    else:
        _paint_windows(panel, dice, style, color, glass, low, high)
    if dice.chance(style.balconies) and base > 1:
        _paint_balconies(panel, style, color, base)


def _bays(panel: Panel, bay: float) -> tuple[int, float, float]:
    """Number of bays, their width, and where the first begins."""
    count = max(1, int(panel.length / bay))
    return count, bay, (panel.length - count * bay) / 2


def _paint_windows(panel: Panel, dice: Dice, style: Style, color: Color, glass: Color, low: float, high: float) -> None:
    count, bay, start = _bays(panel, style.bay)
    margin = bay * (1 - style.window[0]) / 2
    rim = shaded(color, style.rim)
    for k in range(count):
        left, right = start + k * bay + margin, start + (k + 1) * bay - margin
        tone = dice.uniform(0.7, 1.15)
        curtain = dice.chance(0.22)
        span = _span(panel, left, right)
        if span < 2.5 * _LEGIBLE:
            # Too fine for frames: the mean colour of glass and frame.
            if span > 0.1:
                panel.box(left, low, right, high, mixed(shaded(glass, tone), color, 0.25))
            continue
        panel.box(left - 0.14, low - 0.16, right + 0.14, high + 0.14, rim)
        panel.box(left, low, right, high, shaded(glass, tone))
        panel.box(left, (low + high) / 2, right, high, shaded(glass, tone * 1.3))
        if curtain:
            panel.box(left, low, left + 0.3 * (right - left), high, mixed(glass, (210, 206, 196), 0.6))
        middle = (left + right) / 2
        panel.box(middle - 0.05, low, middle + 0.05, high, rim)


def _span(panel: Panel, left: float, right: float) -> float:
    """Share of the picture's width between two places on the panel, in 1/256."""
    return abs(panel.column(left)[0] - panel.column(right)[0]) / panel.view.canvas.width * 256


def _paint_mullions(panel: Panel, style: Style, color: Color, low: float, high: float) -> None:
    count, bay, start = _bays(panel, style.bay / 2)
    for k in range(count + 1):
        at = start + k * bay
        if panel.low < at < panel.high and _span(panel, at, at + bay) > 2 * _LEGIBLE:
            panel.box(at - 0.09, low, at + 0.09, high, color)


def _paint_balconies(panel: Panel, style: Style, color: Color, base: float) -> None:
    count, bay, start = _bays(panel, style.bay)
    for k in range(0, count, 2):
        left = start + (k + 0.1) * bay
        panel.box(left, base - 0.1, left + 0.8 * bay, base + 0.95, shaded(color, 0.62))
        panel.box(left, base + 0.85, left + 0.8 * bay, base + 0.95, shaded(color, 1.1))


def _paint_shops(panel: Panel, dice: Dice, style: Style, lit: float) -> None:
    """Shop windows with a sign above each, and an awning before some."""
    top = style.ground_floor - 0.3
    left = 0.4
    while left < panel.length - 2:
        right = min(left + dice.uniform(4, 8), panel.length - 0.4)
        sign = shaded(varied(dice, dice.choice(_SHOPS)), lit)
        panel.box(left, 0.35, right, top - 0.75, shaded(BLACK, 1.4 * lit))
        for k in range(3):
            pane = left + (right - left) * k / 3
            tone = mixed(GLASS, (214, 190, 140), dice.uniform(0, 0.5))
            panel.box(pane + 0.12, 0.6, pane + (right - left) / 3 - 0.12, top - 0.9, shaded(tone, lit))
        panel.box(left, top - 0.8, right, top, sign)
        panel.box(left + 0.8, top - 0.52, right - 0.8, top - 0.3, mixed(sign, (240, 238, 230), 0.8))
        if dice.chance(0.35):
            panel.box(left, top - 1.35, right, top - 0.75, shaded(sign, 1.15))
        left = right + dice.uniform(0.3, 1.2)


def _paint_gates(panel: Panel, dice: Dice, style: Style, lit: float) -> None:
    """Roller gates of a warehouse, ribbed across."""
    count, bay, start = _bays(panel, style.bay)
    for k in range(count):
        left = start + k * bay + 0.6
        if dice.chance(0.45):
            panel.box(left, 2.6, left + bay - 1.2, 3.7, shaded(GLASS, lit))
            continue
        color = shaded(varied(dice, dice.choice(((150, 152, 150), (96, 112, 128), (160, 96, 70)))), lit)
        panel.box(left, 0, left + bay - 1.2, 3.6, color)
        for rib in range(1, 9):
            panel.box(left, rib * 0.4, left + bay - 1.2, rib * 0.4 + 0.1, shaded(color, 0.8))


def _paint_door(panel: Panel, dice: Dice, lit: float) -> None:
    at = dice.uniform(0.3, 0.7) * panel.length
    color = shaded(dice.choice(((92, 62, 44), (54, 66, 58), (70, 70, 76))), lit)
    panel.box(at - 0.75, 0, at + 0.75, 2.75, shaded(color, 1.5))
    panel.box(at - 0.55, 0, at + 0.55, 2.5, color)

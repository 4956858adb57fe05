"""Buildings: a facade along the street, the end wall that faces the camera, and a roof."""

from dataclasses import dataclass

from bismap.demo import ids
from bismap.demo.color import Color, shaded, varied
from bismap.demo.dice import Dice
from bismap.demo.facades import STYLES, Style, paint_facade
from bismap.demo.street import Street
from bismap.demo.view import Panel, View

_ROOFS: tuple[Color, ...] = ((132, 72, 54), (112, 66, 54), (84, 80, 80), (98, 90, 84))


@dataclass(frozen=True)
class Building:
    """A building beside the street.

    Attributes:
        kind: name of its style.
        sign: side of the street, -1 or 1.
        front: distance of the facade from the middle of the street.
        start, end: where it begins and ends along the street.
        floors: number of storeys, the ground floor included.
        wall: colour of its walls.
        wide: its end wall is a facade, too, and wide: it stands at a corner.
    """

    kind: str
    sign: int
    front: float
    start: float
    end: float
    floors: int
    wall: Color
    wide: bool

    @property
    def style(self) -> Style:
        """What buildings of this kind have in common."""
        return STYLES[self.kind]

    @property
    def height(self) -> float:
        """Height of the eaves in metres."""
        return self.style.ground_floor + (self.floors - 1) * self.style.floor + self.style.parapet


def plan_building(dice: Dice, kind: str, sign: int, front: float, start: float, length: float, wide: bool) -> Building:
    """Draw a building of this kind."""
    style = STYLES[kind]
    return Building(
        kind=kind,
        sign=sign,
        front=front,
        start=start,
        end=start + length,
        floors=dice.whole(*style.floors),
        wall=varied(dice, dice.choice(style.walls), 0.12, 8),
        wide=wide,
    )


def draw_building(view: View, dice: Dice, street: Street, building: Building) -> None:
    """Draw roof, end wall and facade."""
    start = street.at(building.sign * building.front, building.start)
    end = street.at(building.sign * building.front, building.end)
    facade = Panel(view, start, end)
    if facade.hidden:
        return
    depth = dice.uniform(30, 50) if building.wide else dice.uniform(9, 13)
    gabled = building.style.gabled
    peak = building.height + (depth * 0.5 * dice.uniform(0.6, 0.95) if gabled and not building.wide else 0.0)
    if peak > building.height:
        _draw_roof(view, dice, building, start, end, depth, peak)
    if building.start > view.camera.near:
        _draw_end(view, dice, building, start, depth, peak)
    paint_facade(facade, dice, building.style, building.wall, building.height, building.floors)


def _draw_roof(
    view: View,
    dice: Dice,
    building: Building,
    start: tuple[float, float],
    end: tuple[float, float],
    depth: float,
    peak: float,
) -> None:
    """The slope that rises from the eaves over the facade, with chimneys and dormers."""
    out = building.sign * depth / 2
    point = view.camera.point
    z = (max(start[1], 0) + end[1]) / 2
    color = shaded(varied(dice, dice.choice(_ROOFS)), view.light.on(-building.sign * 0.6, 0.8, 0))
    slope = [
        point(start[0], building.height, start[1]),
        point(end[0], building.height, end[1]),
        point(end[0] + out, peak, end[1]),
        point(start[0] + out, peak, start[1]),
    ]
    for _ in range(dice.whole(0, 2)):
        share = dice.uniform(0.15, 0.85)
        x, at = start[0] + out * 0.9, start[1] + share * (end[1] - start[1])
        if at > view.camera.near:
            box = [point(x - 0.4, peak - 1, at), point(x + 0.4, peak - 1, at)]
            box += [point(x + 0.4, peak + 1.1, at), point(x - 0.4, peak + 1.1, at)]
            view.canvas.polygon(box, shaded((120, 78, 62), view.light.on(0, 0, -1)), at, ids.BUILDING)
    view.canvas.polygon(slope, color, z, ids.BUILDING)


def _draw_end(
    view: View, dice: Dice, building: Building, start: tuple[float, float], depth: float, peak: float
) -> None:
    """The wall at the near end, which faces the camera: a gable, or the second facade of a corner house."""
    far = (start[0] + building.sign * depth, start[1])
    wall = Panel(view, start, far) if building.sign > 0 else Panel(view, far, start)
    top = building.height
    outline = [wall.at(0, 0), wall.at(wall.length, 0), wall.at(wall.length, top)]
    outline += [wall.at(wall.length / 2, peak), wall.at(0, top)]
    view.canvas.polygon(outline, shaded(building.wall, wall.brightness() * 0.92), start[1], ids.BUILDING)
    if building.wide or dice.chance(0.5):
        paint_facade(wall, dice, building.style, building.wall, top, building.floors)


def draw_skyline(view: View, dice: Dice, height: float) -> None:
    """Far houses and trees that close the view: boxes along the horizon, at most ``height`` pixels high."""
    base = view.camera.horizon + 2
    z = view.canvas.visibility * 0.9
    u = -10.0
    while u < view.canvas.width:
        width = view.canvas.width * dice.uniform(0.015, 0.05)
        top = height * dice.uniform(0.35, 1.0)
        if dice.chance(0.6):
            color = varied(dice, (150, 142, 134), 0.2)
            box = [(u, base), (u + width, base), (u + width, base - top), (u, base - top)]
            view.canvas.polygon(box, color, z, ids.BUILDING)
        else:
            color = varied(dice, (84, 100, 62), 0.15)
            for k in range(3):
                centre = (u + width * (0.2 + 0.3 * k), base)
                radii = (width * 0.35, top * dice.uniform(0.4, 0.8))
                view.canvas.ellipse(centre, radii, color, z, ids.VEGETATION)
        u += width * dice.uniform(0.8, 1.3)

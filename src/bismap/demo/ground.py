"""The ground, pixel by pixel: each drawing pixel below the horizon is looked up on the street's plan."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from bismap.demo import ids
from bismap.demo.color import Color, shaded, varied
from bismap.demo.dice import Dice
from bismap.demo.domains import Domain
from bismap.demo.noise import TILE, ground_tile
from bismap.demo.street import KERB, Side, Street
from bismap.demo.view import View

_FARTHEST = 600.0  # metres; beyond, the ground looks as it does here
_CELL = 0.07  # metres per cell of the noise tile
_BAND = 1 << 17  # pixels worked on at a time: bounds memory, and fits the cache

ROAD, PARKING, KERBSTONE, VERGE, WALK, LEFT_LOT, RIGHT_LOT, PAINT, COVER, LAWN = range(10)


@dataclass(frozen=True)
class Surface:
    """A material of the ground: colour, label, strength of its grain, spacing of its joints in metres."""

    color: Color
    label: int
    grain: float
    joints: float = 0.0


@dataclass(frozen=True)
class Ground:
    """Everything on the ground of one picture.

    Attributes:
        borders: s where one zone ends and the next begins, ascending.
        zones: surface of each zone, one more than the borders.
        surfaces: all materials, by number.
        lines: (s, half width, dash, period) of each marking along the street; dash 0 is unbroken.
        patches: (s0, s1, z0, z1, factor) of repaired or worn rectangles of the road.
        covers: (s, z, radius) of manholes.
        lawns: (lot, z0, z1) of the plots whose ground is soil or grass.
        phase: where the noise tile begins.
    """

    borders: tuple[float, ...]
    zones: tuple[int, ...]
    surfaces: tuple[Surface, ...]
    lines: tuple[tuple[float, float, float, float], ...]
    patches: tuple[tuple[float, float, float, float, float], ...]
    covers: tuple[tuple[float, float, float], ...]
    lawns: tuple[tuple[int, float, float], ...]
    phase: tuple[int, int]


def plan_ground(dice: Dice, domain: Domain, street: Street, lawns: tuple[tuple[int, float, float], ...]) -> Ground:
    """Draw the materials of the ground, its markings and its wear; for ``lawns`` see ``Ground``."""
    left = _zones(street.left, LEFT_LOT)[::-1]
    right = _zones(street.right, RIGHT_LOT)
    return Ground(
        borders=(*(-border for border, _ in left), *(border for border, _ in right)),
        zones=(*(zone for _, zone in left), ROAD, *(zone for _, zone in right)),
        surfaces=_surfaces(dice, domain, street),
        lines=_lines(dice, street),
        patches=tuple(_patch(dice, street) for _ in range(dice.whole(1, 6))),
        covers=tuple(_cover(dice, street) for _ in range(dice.whole(0, 3))),
        lawns=lawns,
        phase=(dice.whole(0, TILE - 1), dice.whole(0, TILE - 1)),
    )


def _zones(side: Side, lot: int) -> list[tuple[float, int]]:
    """(inner border, zone) of one side, from the middle outwards."""
    zones = [(side.lanes, PARKING), (side.kerb, KERBSTONE)]
    if side.verge:
        zones.append((side.kerb + KERB, VERGE))
    return [*zones, (side.kerb + KERB + side.verge, WALK), (side.front, lot)]


def _surfaces(dice: Dice, domain: Domain, street: Street) -> tuple[Surface, ...]:
    tone = dice.within(domain.asphalt)
    asphalt = varied(dice, (tone, tone * 0.99, tone * 0.97), 0.03, 3)
    walk = varied(dice, dice.choice(domain.walk_colors), 0.08, 4)
    soil = varied(dice, dice.pick(domain.soil), 0.1, 6)
    paving = Surface(walk, ids.SIDEWALK, 0.1, dice.choice((0.5, 0.8, 1.5)))
    earth = Surface(soil, ids.TERRAIN, 0.3)
    cobbled = dice.chance(0.35)
    return (
        Surface(asphalt, ids.ROAD, 0.09),
        Surface(shaded(asphalt, dice.uniform(0.8, 1.12)), ids.ROAD, 0.12, 0.35 if cobbled else 0.0),
        Surface(shaded(walk, 1.14), ids.SIDEWALK, 0.08),
        earth,
        paving,
        earth if street.left.grassy else paving,
        earth if street.right.grassy else paving,
        Surface(shaded(dice.pick(domain.road_paint), dice.uniform(0.8, 1.0)), ids.ROAD, 0.2),
        Surface(shaded(asphalt, 0.78), ids.ROAD, 0.1),
        earth,
    )


def _lines(dice: Dice, street: Street) -> tuple[tuple[float, float, float, float], ...]:
    lane = street.lane
    own = [lane * k for k in range(1, round(street.right.lanes / lane))]
    oncoming = [-lane * k for k in range(1, round(street.left.lanes / lane))]
    lines = [(s, 0.07, 3.0, 9.0) for s in own + oncoming]
    if dice.chance(0.4):
        lines += [(-0.12, 0.06, 0.0, 1.0), (0.12, 0.06, 0.0, 1.0)]
    elif dice.chance(0.85):
        lines.append((0.0, 0.08, 4.0, 8.0))
    if dice.chance(0.6):
        lines += [(street.right.lanes, 0.06, 0.0, 1.0), (-street.left.lanes, 0.06, 0.0, 1.0)]
    return tuple(lines)


def _patch(dice: Dice, street: Street) -> tuple[float, float, float, float, float]:
    s, z = dice.uniform(-street.left.kerb, street.right.lanes), dice.uniform(2, 60)
    length = dice.choice((dice.uniform(2, 6), dice.uniform(15, 60)))
    factor = dice.choice((dice.uniform(0.62, 0.88), dice.uniform(1.1, 1.3)))
    return (s, s + dice.uniform(0.5, 4.0), z, z + length, factor)


def _cover(dice: Dice, street: Street) -> tuple[float, float, float]:
    return (
        dice.uniform(-street.left.lanes, street.right.lanes),
        dice.uniform(4, 30),
        dice.uniform(0.28, 0.4),
    )


def paint_ground(view: View, street: Street, ground: Ground, shadows: Image.Image) -> None:
    """Draw the ground from the horizon down; ``shadows`` (mode L, drawing size) holds their depth, 0..255."""
    canvas = view.canvas
    shade = np.asarray(shadows)
    step = max(1, _BAND // canvas.width)
    first = int(view.camera.horizon) + 1
    for top in range(first, canvas.height, step):
        rows = np.arange(top, min(top + step, canvas.height))
        canvas.paste(top, *_band(view, street, ground, rows, shade[rows[0] : rows[-1] + 1]))


def _band(
    view: View, street: Street, ground: Ground, rows: np.ndarray, shade: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Colours and labels of some rows, uint8 [rows, width, 3] and [rows, width]."""
    camera, canvas = view.camera, view.canvas
    z = np.minimum(camera.focal * camera.height / (rows + 0.5 - camera.horizon), _FARTHEST)
    columns = np.arange(canvas.width, dtype=np.float32) + np.float32(0.5 - camera.centre)
    s = np.outer(z / camera.focal, columns).astype(np.float32) - street.middle(z).astype(np.float32)[:, None]
    zone = _zone_map(ground, street, s, z)
    light = _grain(ground, zone, s, z)
    _darken_joints(ground, zone, light, s, z)
    _wear(ground, zone, light, s, z)
    _mark(ground, street, zone, s, z)
    colors = np.array([surface.color for surface in ground.surfaces], np.float32)
    labels = np.array([surface.label for surface in ground.surfaces], np.uint8)
    light *= np.float32(view.light.on(0, 1, 0))
    light *= 1 - shade * np.float32(0.62 / 255)
    keep = np.exp(-z / canvas.visibility).astype(np.float32)[:, None]
    light *= keep
    image = colors[zone]
    image *= light[..., None]
    image += ((1 - keep) * np.asarray(canvas.haze, np.float32))[:, None, :]
    return np.clip(image, 0, 255, out=image).astype(np.uint8), labels[zone]


def _zone_map(ground: Ground, street: Street, s: np.ndarray, z: np.ndarray) -> np.ndarray:
    number = np.zeros(s.shape, np.uint8)
    for border in ground.borders:
        number += s > np.float32(border)
    zone = np.asarray(ground.zones, np.uint8)[number]
    for lot, z0, z1 in ground.lawns:
        rows = np.flatnonzero((z > z0) & (z < z1))
        if rows.size:
            part = zone[rows[0] : rows[-1] + 1]
            part[part == lot] = LAWN
    if street.crossing is not None:
        zone[(z > street.crossing[0]) & (z < street.crossing[1])] = ROAD
    return zone


def _grain(ground: Ground, zone: np.ndarray, s: np.ndarray, z: np.ndarray) -> np.ndarray:
    tile = ground_tile()
    across = (s * np.float32(1 / _CELL)).astype(np.int32) + ground.phase[0] & TILE - 1
    # Grains are drawn out along the street, as wear is.
    along = (z / (2 * _CELL)).astype(np.int32) + ground.phase[1] & TILE - 1
    strength = np.array([surface.grain for surface in ground.surfaces], np.float32)[zone]
    return 1 + tile[along[:, None], across] * strength


def _darken_joints(ground: Ground, zone: np.ndarray, light: np.ndarray, s: np.ndarray, z: np.ndarray) -> None:
    near = z < 28  # farther joints are finer than the picture
    for number in (WALK, PARKING):
        spacing = ground.surfaces[number].joints
        if spacing and near.any():
            rows = np.flatnonzero(near)
            part = s[rows]
            joint = (part % np.float32(spacing) < 0.05) | (z[rows] % spacing < 0.05)[:, None]
            light[rows] *= np.where(joint & (zone[rows] == number), np.float32(0.78), np.float32(1))


def _wear(ground: Ground, zone: np.ndarray, light: np.ndarray, s: np.ndarray, z: np.ndarray) -> None:
    for s0, s1, z0, z1, factor in ground.patches:
        rows = np.flatnonzero((z > z0) & (z < z1))
        if rows.size:
            part = slice(rows[0], rows[-1] + 1)
            inside = (s[part] > s0) & (s[part] < s1) & (zone[part] <= PARKING)
            light[part][inside] *= np.float32(factor)


def _mark(ground: Ground, street: Street, zone: np.ndarray, s: np.ndarray, z: np.ndarray) -> None:
    crossing = street.crossing
    clear = np.ones(z.shape, bool) if crossing is None else (z < crossing[0] - 4.2) | (z > crossing[1])
    for position, half, dash, period in ground.lines:
        painted = clear if not dash else clear & (z % period < dash)
        rows = np.flatnonzero(painted)
        part = zone[rows]
        part[np.abs(s[rows] - np.float32(position)) < half] = PAINT
        zone[rows] = part
    if crossing is not None:
        stripes = (z > crossing[0] - 3.6) & (z < crossing[0] - 0.8)
        zone[stripes[:, None] & (zone <= PARKING) & (s % np.float32(1.0) < 0.5)] = PAINT
        stop = (z > crossing[0] - 4.6) & (z < crossing[0] - 4.2)
        zone[stop[:, None] & (zone == ROAD) & (s > 0)] = PAINT
    for position, distance, radius in ground.covers:
        rows = np.flatnonzero(np.abs(z - distance) < radius)
        part = zone[rows]
        reach = np.sqrt(radius**2 - (z[rows] - distance) ** 2)[:, None]
        part[(np.abs(s[rows] - np.float32(position)) < reach) & (part == ROAD)] = COVER
        zone[rows] = part

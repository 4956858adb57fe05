"""Persons on foot, and riders on bicycles and motorcycles."""

import math
from dataclasses import dataclass

from bismap.demo import ids
from bismap.demo.color import BLACK, RUBBER, STEEL, Color, shaded, varied
from bismap.demo.dice import Dice
from bismap.demo.view import Frame, View

_SKIN: tuple[Color, ...] = ((222, 178, 148), (196, 148, 112), (142, 98, 72), (98, 68, 52))
_HAIR: tuple[Color, ...] = ((40, 32, 28), (86, 62, 42), (150, 122, 80), (120, 116, 112))
_SHIRTS: tuple[Color, ...] = (
    (44, 46, 52), (170, 46, 42), (46, 78, 128), (206, 204, 198), (90, 104, 76), (196, 158, 70),
    (120, 76, 110), (72, 66, 62),
)  # fmt: skip
_TROUSERS: tuple[Color, ...] = ((42, 46, 60), (34, 34, 36), (70, 84, 112), (120, 108, 88), (84, 82, 80))
_PAINT: tuple[Color, ...] = ((40, 42, 46), (172, 40, 36), (40, 86, 150), (210, 208, 204), (60, 120, 80))


@dataclass(frozen=True)
class Person:
    """Height in metres, clothes, skin and hair, the stride of the legs (0: standing), and a bag or none."""

    height: float
    shirt: Color
    trousers: Color
    skin: Color
    hair: Color
    stride: float
    bag: bool


def plan_person(dice: Dice) -> Person:
    """Draw a person; one in eight is a child."""
    return Person(
        height=dice.uniform(1.0, 1.4) if dice.chance(0.12) else dice.uniform(1.6, 1.9),
        shirt=varied(dice, dice.choice(_SHIRTS), 0.15),
        trousers=varied(dice, dice.choice(_TROUSERS), 0.15),
        skin=dice.choice(_SKIN),
        hair=dice.choice(_HAIR),
        stride=dice.choice((0.0, dice.uniform(0.12, 0.3), dice.uniform(0.2, 0.34))),
        bag=dice.chance(0.25),
    )


def draw_person(view: View, dice: Dice, x: float, z: float, person: Person) -> None:
    """Draw the person standing or walking at (x, z)."""
    if not view.sees(x, z, 0.6):
        return
    frame = Frame(view, x, z, dice.sign())
    k = person.height / 1.75
    lit = view.light.on(0, 0, -1) * 1.05
    for side in (-1, 1):
        foot = side * (0.09 + person.stride * 0.6) * k
        leg = ((foot, 0.0), (side * (0.09 + person.stride * 0.25) * k, 0.45 * k), (side * 0.07 * k, 0.92 * k))
        frame.line(leg, 0.15 * k, shaded(person.trousers, lit * (1 if side > 0 else 0.75)), ids.PERSON)
        frame.box(foot - 0.06 * k, 0, foot + 0.12 * k, 0.08 * k, shaded(BLACK, lit), ids.PERSON)
    if person.bag:
        frame.box(-0.34 * k, 0.7 * k, -0.16 * k, 1.1 * k, shaded((92, 64, 44), lit), ids.PERSON)
    _draw_torso(frame, person, k, lit, ids.PERSON, 0.0)
    for side in (-1, 1):
        hand = (side * (0.26 + person.stride * 0.3) * k, 0.8 * k)
        arm = ((side * 0.2 * k, 1.4 * k), (side * 0.27 * k, 1.12 * k), hand)
        frame.line(arm, 0.1 * k, shaded(person.shirt, lit * (0.85 if side > 0 else 0.65)), ids.PERSON)


def _draw_torso(frame: Frame, person: Person, k: float, lit: float, label: int, shift: float) -> None:
    """Trunk, neck and head; ``shift`` moves the shoulders forward of the hips."""
    shirt = shaded(person.shirt, lit)
    trunk = ((-0.16, 0.86), (0.16, 0.86), (0.22 + shift, 1.4), (0.1 + shift, 1.48), (-0.1 + shift, 1.48))
    trunk += ((-0.22 + shift, 1.4),)
    frame.polygon([(right * k, up * k) for right, up in trunk], shirt, label)
    dark = ((-0.16, 0.86), (-0.04, 0.86), (-0.06 + shift, 1.44), (-0.22 + shift, 1.4))
    frame.polygon([(right * k, up * k) for right, up in dark], shaded(shirt, 0.76))
    frame.box((shift - 0.05) * k, 1.44 * k, (shift + 0.05) * k, 1.56 * k, shaded(person.skin, 0.8 * lit), label)
    frame.ellipse(shift * k, 1.64 * k, (0.105 * k, 0.13 * k), shaded(person.hair, lit), label)
    frame.ellipse((shift + 0.02) * k, 1.61 * k, (0.08 * k, 0.1 * k), shaded(person.skin, lit))


@dataclass(frozen=True)
class Cycle:
    """A bicycle or motorcycle: label id, colour, whether it is seen from the side, and its rider or none."""

    label: int
    paint: Color
    across: bool
    rider: Person | None


def plan_cycle(dice: Dice, label: int, ridden: bool, across: bool) -> Cycle:
    """Draw a bicycle or motorcycle (the label says which)."""
    paint = varied(dice, dice.choice(_PAINT), 0.15)
    return Cycle(label, paint, across, plan_person(dice) if ridden else None)


def draw_cycle(view: View, dice: Dice, x: float, z: float, cycle: Cycle) -> None:
    """Draw the cycle at (x, z), its rider upon it."""
    if not view.sees(x, z, 1.3):
        return
    frame = Frame(view, x, z, dice.sign())
    lit = view.light.on(0, 0, -1)
    motor = cycle.label == ids.MOTORCYCLE
    if cycle.across:
        (_draw_motorcycle_side if motor else _draw_bicycle_side)(frame, cycle, lit)
        if cycle.rider:
            _draw_rider_side(frame, cycle.rider, lit, motor)
    else:
        _draw_cycle_end(frame, cycle, lit, motor)
        if cycle.rider:
            _draw_rider_end(frame, cycle.rider, lit, motor)


def _draw_wheel(frame: Frame, at: float, radius: float, tyre: float, label: int) -> None:
    """A wheel seen from the side: its label covers the spokes, too, as in both data sets."""
    frame.ellipse(at, radius, (radius, radius), None, label)
    pixels = (radius * frame.scale, radius * frame.scale)
    frame.canvas.ring(frame.at(at, radius), pixels, max(2.0, tyre * frame.scale), RUBBER, frame.z)
    for k in range(4):
        angle = math.pi * k / 4 + 0.3
        reach = (radius * math.cos(angle), radius * math.sin(angle))
        spoke = ((at - reach[0], radius - reach[1]), (at + reach[0], radius + reach[1]))
        frame.line(spoke, 0.012, (96, 96, 98))


def _draw_bicycle_side(frame: Frame, cycle: Cycle, lit: float) -> None:
    for at in (-0.52, 0.52):
        _draw_wheel(frame, at, 0.34, 0.06, cycle.label)
    paint = shaded(cycle.paint, lit)
    tubes = ((-0.52, 0.34), (-0.16, 0.88), (0.4, 0.84), (-0.05, 0.32), (-0.16, 0.88))
    frame.line(tubes, 0.055, paint, cycle.label)
    frame.line(((-0.52, 0.34), (-0.05, 0.32)), 0.05, paint, cycle.label)
    frame.line(((0.52, 0.34), (0.38, 1.02), (0.24, 1.05)), 0.05, paint, cycle.label)
    frame.box(-0.32, 0.92, -0.04, 1.0, BLACK, cycle.label)


def _draw_motorcycle_side(frame: Frame, cycle: Cycle, lit: float) -> None:
    paint, dark = shaded(cycle.paint, lit), shaded(BLACK, 1.5 * lit)
    frame.polygon(((-0.75, 0.3), (0.6, 0.3), (0.75, 0.75), (-0.9, 0.8)), dark, cycle.label)
    for at in (-0.72, 0.74):
        frame.ellipse(at, 0.32, (0.32, 0.32), RUBBER, cycle.label)
        frame.ellipse(at, 0.32, (0.17, 0.17), shaded(STEEL, lit))
    frame.polygon(((-0.1, 0.62), (0.52, 0.66), (0.4, 1.0), (0.0, 0.98)), paint, cycle.label)
    frame.polygon(((-0.95, 0.72), (-0.05, 0.68), (0.0, 0.86), (-0.6, 0.88), (-1.0, 0.98)), dark, cycle.label)
    frame.polygon(((-0.9, 0.7), (-0.6, 0.66), (-0.55, 0.8), (-0.98, 0.9)), paint)
    frame.box(-0.3, 0.28, 0.3, 0.5, shaded(STEEL, 0.9 * lit))
    frame.line(((0.74, 0.32), (0.5, 1.08), (0.3, 1.12)), 0.07, shaded(STEEL, lit), cycle.label)
    frame.ellipse(0.62, 0.92, (0.09, 0.09), (230, 228, 210), cycle.label)


def _draw_cycle_end(frame: Frame, cycle: Cycle, lit: float, motor: bool) -> None:
    half = 0.1 if motor else 0.045
    frame.box(-half, 0, half, 0.66, RUBBER, cycle.label)
    frame.line(((0, 0.0), (0, 0.98)), 2 * half, RUBBER, cycle.label)
    if motor:
        frame.polygon(((-0.2, 0.4), (0.2, 0.4), (0.24, 0.9), (-0.24, 0.9)), shaded(cycle.paint, lit), cycle.label)
        frame.box(-0.08, 0.66, 0.08, 0.76, (206, 40, 32))
        frame.box(-0.1, 0.46, 0.1, 0.6, (210, 208, 200))
    else:
        frame.line(((0, 0.5), (0, 0.95)), 0.06, shaded(cycle.paint, lit), cycle.label)
        frame.box(-0.1, 0.9, 0.1, 0.98, BLACK, cycle.label)
    frame.line(((-0.3, 1.06), (0.3, 1.06)), 0.06, shaded(STEEL, lit), cycle.label)


def _draw_rider_side(frame: Frame, rider: Person, lit: float, motor: bool) -> None:
    hip, seat = (-0.2, 0.98) if not motor else (-0.25, 0.92), 0.0
    trousers = shaded(rider.trousers, lit)
    knee = (hip[0] + 0.42, 0.7)
    frame.line((hip, knee, (knee[0] - 0.16, 0.3)), 0.15, trousers, ids.RIDER)
    lean = 0.26
    chest = ((hip[0] - 0.14, hip[1] - 0.06), (hip[0] + 0.12, hip[1] - 0.06))
    chest += ((hip[0] + lean + 0.14, hip[1] + 0.5), (hip[0] + lean - 0.14, hip[1] + 0.56))
    frame.polygon(chest, shaded(rider.shirt, lit), ids.RIDER)
    shoulder = (hip[0] + lean, hip[1] + 0.46)
    frame.line((shoulder, (0.12 + seat, 1.14), (0.34, 1.08)), 0.1, shaded(rider.shirt, 0.8 * lit), ids.RIDER)
    _draw_head(frame, hip[0] + lean + 0.08, hip[1] + 0.7, rider, lit, motor)


def _draw_rider_end(frame: Frame, rider: Person, lit: float, motor: bool) -> None:
    low = 0.82 if motor else 0.92
    for side in (-1, 1):
        leg = ((side * 0.07, low), (side * 0.13, 0.66), (side * 0.1, 0.3 + 0.06 * side))
        frame.line(leg, 0.14, shaded(rider.trousers, lit * (0.9 + 0.1 * side)), ids.RIDER)
        arm = ((side * 0.18, low + 0.48), (side * 0.27, low + 0.28), (side * 0.26, 1.08))
        frame.line(arm, 0.1, shaded(rider.shirt, 0.8 * lit), ids.RIDER)
    trunk = ((-0.15, low - 0.06), (0.15, low - 0.06), (0.2, low + 0.5), (-0.2, low + 0.5))
    frame.polygon(trunk, shaded(rider.shirt, lit), ids.RIDER)
    frame.polygon((trunk[0], (-0.04, low), (-0.05, low + 0.5), trunk[3]), shaded(rider.shirt, 0.78 * lit))
    _draw_head(frame, 0.0, low + 0.68, rider, lit, motor)


def _draw_head(frame: Frame, right: float, up: float, rider: Person, lit: float, motor: bool) -> None:
    helmet = shaded(rider.hair if not motor else (60, 62, 70), lit)
    frame.ellipse(right, up, (0.115, 0.14), helmet, ids.RIDER)
    frame.ellipse(right + 0.03, up - 0.03, (0.07, 0.08), shaded(rider.skin, lit) if not motor else BLACK)

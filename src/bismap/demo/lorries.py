"""Trucks and buses."""

from bismap.demo import ids
from bismap.demo.color import BLACK, GLASS, Color, shaded
from bismap.demo.dice import Dice
from bismap.demo.solids import Profile, Solid
from bismap.demo.view import View

TRUCK_LENGTH, TRUCK_HALF, TRUCK_HEIGHT = 8.2, 1.22, 3.5
BUS_LENGTH, BUS_HALF, BUS_HEIGHT = 11.0, 1.27, 3.15

_CAB: Profile = (
    (2.05, 0.5, "body"),
    (2.05, 2.7, "body"),
    (3.6, 2.75, "glass"),
    (4.0, 1.6, "body"),
    (4.1, 0.5, "body"),
)
_BOX: Profile = ((-4.1, 0.95, "body"), (-4.1, 3.5, "body"), (1.9, 3.5, "body"), (1.9, 0.95, "body"))
_BED: Profile = ((-4.1, 0.95, "body"), (-4.1, 2.0, "load"), (1.9, 2.0, "body"), (1.9, 0.95, "body"))
_BUS: Profile = (
    (-5.5, 0.35, "body"),
    (-5.5, 3.05, "body"),
    (-5.3, 3.15, "body"),
    (5.3, 3.15, "body"),
    (5.45, 2.75, "glass"),
    (5.5, 1.05, "body"),
    (5.5, 0.35, "body"),
)


def draw_truck(
    view: View, dice: Dice, x: float, z: float, yaw: float, paint: Color, cargo: Color, is_open: bool
) -> None:
    """Draw a truck with a closed box, or an open bed with a load, in the colour ``cargo``."""
    if not view.sees(x, z, TRUCK_LENGTH / 2):
        return
    truck = Solid(view, x, z, yaw, ids.TRUCK)
    _draw_chassis(truck, TRUCK_HALF, -4.1, 4.1, 0.95, (-3.0, -1.9, 3.1), 0.5)
    glass = shaded(GLASS, dice.uniform(0.8, 1.3))
    load = dice.choice(((150, 120, 84), (120, 116, 110), (98, 82, 62)))
    pieces = [
        (_CAB, {"body": paint, "glass": glass}, 3.0),
        (_BED if is_open else _BOX, {"body": cargo, "load": load}, -1.1),
    ]
    for profile, parts, middle in sorted(pieces, key=lambda piece: -abs(truck.eye_ahead - piece[2])):
        truck.hull(profile, TRUCK_HALF, parts)
        if middle > 0:
            _draw_cab(truck, glass)
        else:
            _draw_cargo(truck, cargo, 2.0 if is_open else 3.5)


def _draw_chassis(
    body: Solid, half: float, rear: float, front: float, top: float, axles: tuple[float, ...], radius: float
) -> None:
    end = rear if body.eye_ahead < 0 else front
    body.across(end, -half + 0.08, 0.3, half - 0.08, top, BLACK)
    for left in (-half, half - 0.4):
        body.across(end, left, 0.0, left + 0.4, 0.8, (18, 18, 20))
    side = body.sees_side(half)
    if side:
        body.along(side * (half - 0.04), rear + 0.2, 0.4, front - 0.1, top, (44, 44, 46))
        for axle in axles:
            body.wheel(side * half, axle, radius)


def _draw_cab(truck: Solid, glass: Color) -> None:
    side = truck.sees_side(TRUCK_HALF)
    if side:
        window = ((2.5, 1.65), (2.5, 2.4), (3.45, 2.4), (3.8, 1.65))
        flank = side * (TRUCK_HALF + 0.005)
        truck.face([(flank, up, ahead) for ahead, up in window], shaded(glass, truck.light(side, 0, 0)))
        truck.wheel(flank, 3.1, 0.5)
    if truck.eye_ahead > 4.1:
        truck.across(4.11, -0.8, 0.75, 0.8, 1.35, BLACK)
        for left in (-1.1, 0.75):
            truck.across(4.11, left, 0.6, left + 0.35, 0.85, (236, 234, 220))


def _draw_cargo(truck: Solid, cargo: Color, top: float) -> None:
    if truck.eye_ahead < -4.1:
        lit = truck.light(0, 0, -1)
        truck.across(-4.11, -0.03, 1.0, 0.03, top - 0.1, shaded(cargo, 0.6 * lit))
        for left in (-1.1, 1.05):
            truck.across(-4.11, left, 1.1, left + 0.05, top - 0.15, shaded(cargo, 0.7 * lit))
        truck.across(-4.11, -1.2, 0.62, 1.2, 0.92, (60, 60, 62))
        for left in (-1.15, 0.8):
            truck.across(-4.12, left, 0.66, left + 0.35, 0.88, (206, 40, 34))
    side = truck.sees_side(TRUCK_HALF)
    if side:
        lit = truck.light(side, 0, 0)
        flank = side * (TRUCK_HALF + 0.005)
        for k in range(1, 4):
            at = -4.1 + 1.5 * k
            truck.along(flank, at - 0.03, 1.0, at + 0.03, top, shaded(cargo, 0.8 * lit))
        truck.along(flank, -4.1, 0.95, 1.9, 1.1, shaded(cargo, 0.55 * lit))


def draw_bus(view: View, dice: Dice, x: float, z: float, yaw: float, paint: Color, stripe: Color) -> None:
    """Draw a city bus or coach."""
    if not view.sees(x, z, BUS_LENGTH / 2):
        return
    bus = Solid(view, x, z, yaw, ids.BUS)
    glass = shaded(GLASS, dice.uniform(0.7, 1.1))
    _draw_chassis(bus, BUS_HALF - 0.05, -5.45, 5.45, 0.5, (), 0.48)
    bus.hull(_BUS, BUS_HALF, {"body": paint, "glass": glass})
    if bus.eye_ahead < -5.5:
        _draw_bus_rear(bus, glass, stripe)
    elif bus.eye_ahead > 5.5:
        _draw_bus_front(bus, stripe)
    side = bus.sees_side(BUS_HALF)
    if side:
        _draw_bus_flank(bus, glass, paint, stripe, side)


def _draw_bus_rear(bus: Solid, glass: Color, stripe: Color) -> None:
    lit = bus.light(0, 0, -1)
    bus.across(-5.51, -1.05, 1.75, 1.05, 2.75, shaded(glass, lit))
    bus.across(-5.51, -1.27, 1.05, 1.27, 1.25, shaded(stripe, lit))
    bus.across(-5.51, -0.8, 0.55, 0.8, 1.0, shaded(BLACK, 1.6))
    for left in (-1.2, 0.95):
        bus.across(-5.51, left, 0.7, left + 0.25, 1.5, (206, 40, 34))


def _draw_bus_front(bus: Solid, stripe: Color) -> None:
    bus.across(5.52, -0.8, 2.72, 0.8, 3.0, (34, 32, 26))
    bus.across(5.53, -0.6, 2.78, 0.6, 2.94, (240, 176, 60))
    bus.across(5.52, -1.27, 0.9, 1.27, 1.05, shaded(stripe, bus.light(0, 0, 1)))
    for left in (-1.15, 0.8):
        bus.across(5.52, left, 0.55, left + 0.35, 0.78, (236, 234, 220))


def _draw_bus_flank(bus: Solid, glass: Color, paint: Color, stripe: Color, side: int) -> None:
    lit = bus.light(side, 0, 0)
    flank = side * (BUS_HALF + 0.005)
    bus.along(flank, -5.4, 0.35, 5.4, 0.7, shaded(stripe, 0.85 * lit))
    bus.along(flank, -5.2, 1.35, 5.4, 2.65, shaded(glass, 1.1 * lit))
    for k in range(1, 8):
        at = -5.2 + 1.33 * k
        bus.along(flank, at - 0.05, 1.35, at + 0.05, 2.65, shaded(paint, 0.7 * lit))
    if side > 0:
        for at in (0.2, 4.2):
            bus.along(flank, at, 0.45, at + 1.1, 2.6, shaded(BLACK, 1.8))
    for axle in (-3.2, 3.0):
        bus.wheel(flank, axle, 0.48)

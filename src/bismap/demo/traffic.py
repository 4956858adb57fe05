"""Vehicles: driving in the lanes, parked at the kerb, crossing from the side street; and cyclists."""

import math
from collections.abc import Iterator
from functools import partial

from bismap.demo import ids
from bismap.demo.cars import SHAPES, draw_car
from bismap.demo.color import Color, varied
from bismap.demo.dice import Dice
from bismap.demo.domains import Domain
from bismap.demo.lorries import (
    BUS_HALF,
    BUS_HEIGHT,
    BUS_LENGTH,
    TRUCK_HALF,
    TRUCK_HEIGHT,
    TRUCK_LENGTH,
    draw_bus,
    draw_truck,
)
from bismap.demo.people import draw_cycle, plan_cycle
from bismap.demo.shadows import Caster
from bismap.demo.street import END, Street
from bismap.demo.things import Thing, places

_CARGO: tuple[Color, ...] = ((214, 212, 206), (196, 120, 48), (60, 100, 150), (92, 118, 84), (170, 168, 160))


def drive(dice: Dice, domain: Domain, street: Street) -> Iterator[Thing]:
    """Vehicles in all lanes."""
    for sign, side in ((-1, street.left), (1, street.right)):
        for k in range(round(side.lanes / street.lane)):
            s = sign * (k + 0.5) * street.lane
            own = abs(s + street.offset) < street.lane / 2
            z = 9.0 if own else 2.0
            while (z := z + dice.gap(domain.traffic) + 2.0) < END:
                kind = dice.pick(domain.vehicles)
                length = length_of(kind)
                z += length / 2
                if not street.crossed(z, 2.0):
                    x, z = street.at(s + dice.uniform(-0.3, 0.3), z)
                    turn = 0.0 if sign > 0 else math.pi
                    yield vehicle(dice, domain, kind, x, z, turn + _heading(street, z))
                z += length / 2


def park(dice: Dice, domain: Domain, street: Street) -> Iterator[Thing]:
    """Cars at the kerb, where there is a parking strip."""
    kinds = {kind: weight for kind, weight in domain.vehicles.items() if kind in SHAPES}
    for side in street.sides:
        if side.parking < 1:
            continue
        for z in _spaced(dice, domain.rates["parked_car"], 4.5, END * 0.8):
            if not street.crossed(z, 6.0):
                x, z = street.at(side.sign * (side.lanes + 1.15 + dice.uniform(-0.1, 0.15)), z)
                turn = 0.0 if side.sign > 0 else math.pi
                yield vehicle(dice, domain, dice.pick(kinds), x, z, turn + _heading(street, z))


def cross(dice: Dice, domain: Domain, street: Street) -> Iterator[Thing]:
    """Vehicles that cross from the side street, seen from the side."""
    if street.crossing is None or not dice.chance(0.4):
        return
    z = street.crossing[0] + 3
    sign = dice.sign()
    for _ in range(dice.whole(1, 2)):
        x = dice.uniform(-14, 14) + street.middle(z)
        kind = dice.pick(domain.vehicles)
        yield vehicle(dice, domain, kind, x, z, sign * math.pi / 2)
        z += 4


def cycle(dice: Dice, domain: Domain, street: Street) -> Iterator[Thing]:
    """Riders on bicycles and motorcycles, on both sides of the road, and some that cross it."""
    for name, label in (("bicycle", ids.BICYCLE), ("motorcycle", ids.MOTORCYCLE)):
        for side in street.sides:
            for z in places(dice, domain.rates[name], 5, 60):
                across = dice.chance(0.4 if label == ids.BICYCLE else 0.2)
                edge = side.lanes - (0.6 if label == ids.BICYCLE else street.lane / 2)
                s = dice.uniform(-0.8, 0.8) * side.lanes if across else side.sign * (edge + dice.uniform(-0.4, 0.4))
                yield cycle_thing(dice, label, street, s, z, True, across)


def cycle_thing(dice: Dice, label: int, street: Street, s: float, z: float, ridden: bool, across: bool) -> Thing:
    """A bicycle or motorcycle at (s, z)."""
    x, z = street.at(s, z)
    planned = plan_cycle(dice, label, ridden, across)
    caster = Caster.block(x, z, 0.8 if across else 0.2, 0.2 if across else 0.8, 0.0, 1.6 if ridden else 0.9)
    return Thing(z, partial(draw_cycle, x=x, z=z, cycle=planned), caster)


def length_of(kind: str) -> float:
    """Length of a vehicle in metres."""
    if kind in SHAPES:
        return SHAPES[kind].front - SHAPES[kind].rear
    return BUS_LENGTH if kind == "bus" else TRUCK_LENGTH


def vehicle(dice: Dice, domain: Domain, kind: str, x: float, z: float, yaw: float) -> Thing:
    """A vehicle of this kind with its middle at (x, z)."""
    paint = varied(dice, dice.pick(domain.paint), 0.15)
    if kind == "bus":
        body, stripe = dice.pick(domain.buses)
        half, height = BUS_HALF, BUS_HEIGHT
        draw = partial(draw_bus, paint=body, stripe=stripe)
    elif kind == "truck":
        half, height = TRUCK_HALF, TRUCK_HEIGHT
        draw = partial(draw_truck, paint=paint, cargo=dice.choice(_CARGO), is_open=dice.chance(0.35))
    else:
        half, height = SHAPES[kind].half, SHAPES[kind].height
        draw = partial(draw_car, kind=kind, paint=paint)
    reach = length_of(kind) / 2
    sideways = abs(math.sin(yaw)) > 0.7
    extent = (reach, half) if sideways else (half, reach)
    caster = Caster.block(x, z, *extent, 0.0, height * 0.95)
    return Thing(z - (0.0 if sideways else 0.3 * reach), partial(draw, x=x, z=z, yaw=yaw), caster)


def _heading(street: Street, z: float) -> float:
    return math.atan(street.heading + street.curvature * z)


def _spaced(dice: Dice, rate: float, start: float, end: float) -> Iterator[float]:
    """Parking places in a row, so many taken that there are ``rate`` cars in 100 m."""
    z = start + dice.uniform(0, 6)
    while z < end:
        if dice.chance(rate * 0.06):
            yield z
        z += dice.uniform(5.4, 6.4)

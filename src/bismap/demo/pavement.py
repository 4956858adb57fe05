"""What stands or walks on the pavement: lamps, trees, signs, traffic lights, persons, bicycles, bins."""

from collections.abc import Iterator
from functools import partial

from bismap.demo import ids
from bismap.demo.dice import Dice
from bismap.demo.domains import Domain
from bismap.demo.furniture import draw_lamp, draw_sign, draw_static, draw_traffic_light
from bismap.demo.people import draw_person, plan_person
from bismap.demo.rows import tree_thing
from bismap.demo.shadows import Caster
from bismap.demo.street import END, Side, Street
from bismap.demo.things import Thing, places
from bismap.demo.traffic import cycle_thing


def line_kerb(dice: Dice, domain: Domain, street: Street, side: Side) -> Iterator[Thing]:
    """Lamps, trees and signs along the kerb of one side."""
    kerb = side.sign * (side.kerb + 0.55)
    if dice.chance(0.85):
        spacing, height = dice.uniform(22, 34), dice.uniform(6.5, 9.0)
        for k in range(5):
            x, z = street.at(kerb, dice.uniform(6, 10) + k * spacing)
            draw = partial(draw_lamp, x=x, z=z, inward=-side.sign, height=height)
            yield Thing(z, draw, Caster.block(x, z, 0.12, 0.12, 0.0, height))
    for z in places(dice, domain.rates["sign"], 5, 90):
        x, z = street.at(kerb + dice.uniform(-0.2, 0.2), z)
        draw = partial(draw_sign, x=x, z=z, kind=_sign_kind(dice, domain))
        yield Thing(z, draw, Caster.block(x, z, 0.3, 0.05, 0.0, 2.5))
    if dice.chance(0.6):
        kind = dice.pick(domain.trees)
        for z in places(dice, 0 if kind == "bush" else 2 * domain.rates["tree"], 8, END):
            if not street.crossed(z, 5.0):
                yield tree_thing(dice, kind, *street.at(side.sign * (side.kerb + 0.9), z))


def _sign_kind(dice: Dice, domain: Domain) -> str:
    kind = dice.pick({"ban": 0.25, "warning": 0.2, "order": 0.15, "info": 0.22, "stop": 0.1, "guide": 0.08})
    return "diamond" if kind == "warning" and dice.chance(domain.diamond_signs) else kind


def people_pavement(dice: Dice, domain: Domain, street: Street, side: Side) -> Iterator[Thing]:
    """Persons, alone or in groups, parked cycles, bins and bushes."""
    low, high = side.kerb + 0.5, side.front - 0.3
    for z in places(dice, domain.rates["person"], 6, 80):
        for _ in range(dice.pick({1: 0.6, 2: 0.28, 3: 0.12})):
            s = side.sign * dice.uniform(low, high)
            yield person_thing(dice, *street.at(s, z + dice.uniform(-1, 1)))
    for z in places(dice, domain.rates["parked_cycle"], 6, 50):
        label = dice.pick({ids.BICYCLE: 0.75, ids.MOTORCYCLE: 0.25})
        for k in range(dice.whole(1, 4)):
            s = side.sign * (high - 0.6 + 0.1 * k)
            yield cycle_thing(dice, label, street, s, z + 0.8 * k, False, dice.chance(0.8))
    for z in places(dice, domain.rates["static"], 6, 60):
        x, z = street.at(side.sign * dice.uniform(low, high), z)
        yield Thing(z, partial(draw_static, x=x, z=z), Caster.block(x, z, 0.4, 0.3, 0.0, 1.1))
    for z in places(dice, domain.rates["bush"], 6, 90):
        if not street.crossed(z, 3.0):
            yield tree_thing(dice, "bush", *street.at(side.sign * (side.front + dice.uniform(-0.2, 1.5)), z))


def guard_crossing(dice: Dice, domain: Domain, street: Street) -> Iterator[Thing]:
    """Traffic lights at the side street, and persons on the zebra crossing."""
    if street.crossing is None:
        return
    z = street.crossing[0] - 0.6
    if dice.chance(0.8):
        hanging = dice.chance(domain.light_arm)
        for side in street.sides:
            arm = min(side.lanes, 6.5) * 0.8 if hanging else 0.0
            x, z = street.at(side.sign * (side.kerb + 0.5), z)
            draw = partial(draw_traffic_light, x=x, z=z, inward=-side.sign, arm=arm)
            yield Thing(z, draw, Caster.block(x, z, 0.15, 0.15, 0.0, 5.0 if arm else 3.4))
    if dice.chance(0.5):
        for _ in range(dice.whole(1, 4)):
            s = dice.uniform(-street.left.kerb, street.right.kerb)
            yield person_thing(dice, *street.at(s, street.crossing[0] - dice.uniform(1, 3.4)))


def person_thing(dice: Dice, x: float, z: float) -> Thing:
    """A person at (x, z)."""
    person = plan_person(dice)
    caster = Caster.block(x, z, 0.22, 0.16, 0.0, person.height)
    return Thing(z, partial(draw_person, x=x, z=z, person=person), caster)

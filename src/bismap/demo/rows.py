"""What lines the street behind the pavement: buildings, parks, open land, walls and fences."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from bismap.demo.buildings import draw_building, plan_building
from bismap.demo.dice import Dice
from bismap.demo.domains import Domain
from bismap.demo.furniture import draw_fence, draw_wall
from bismap.demo.shadows import Caster
from bismap.demo.street import END, Side, Street
from bismap.demo.things import Thing
from bismap.demo.vegetation import draw_tree, plan_tree

_LENGTHS = {
    "building": (9.0, 24.0),
    "park": (14.0, 40.0),
    "open": (25.0, 70.0),
    "wall": (10.0, 30.0),
    "fence": (10.0, 30.0),
}


@dataclass(frozen=True)
class Plot:
    """A stretch of one side: its kind, where it begins and ends, and whether a side street is before it."""

    kind: str
    start: float
    end: float
    corner: bool

    @property
    def green(self) -> bool:
        """Whether its ground is soil or grass."""
        return self.kind in ("park", "open", "fence")


def plan_plots(dice: Dice, domain: Domain, street: Street) -> list[Plot]:
    """Divide one side of the street into plots, with a gap for the side street."""
    plots, z, corner = [], dice.uniform(-10, 0), False
    while z < END:
        kind = dice.pick(domain.rows)
        end = z + dice.within(_LENGTHS[kind])
        cut = street.crossing
        if cut and z < cut[0] - 1 and end > cut[0] - 4:
            end = cut[0] - 1
        plots.append(Plot(kind, z, end, corner))
        corner = bool(cut) and end == cut[0] - 1
        z = cut[1] + 1 if corner else end + (dice.uniform(0, 2.5) if dice.chance(0.3) else 0.0)
    return plots


def furnish(dice: Dice, domain: Domain, street: Street, side: Side, plots: list[Plot]) -> Iterator[Thing]:
    """Everything that stands on the plots of one side."""
    setback = dice.uniform(0, 4) if side.grassy else 0.0
    for plot in plots:
        if plot.kind == "building":
            yield _building(dice, domain, street, side, plot, setback)
        elif plot.kind in ("wall", "fence"):
            yield from _enclosed(dice, domain, street, side, plot)
        else:
            yield from _planted(dice, domain, street, side, plot, 26.0 if plot.kind == "park" else 9.0)


def _building(
    dice: Dice, domain: Domain, street: Street, side: Side, plot: Plot, setback: float, kind: str = ""
) -> Thing:
    kind = kind or dice.pick(domain.facades)
    length = plot.end - plot.start
    front = side.front + setback
    building = plan_building(dice, kind, side.sign, front, plot.start, length, plot.corner)
    line = (street.at(side.sign * front, plot.start), street.at(side.sign * front, plot.end))
    draw = partial(draw_building, street=street, building=building)
    return Thing(plot.end, draw, Caster(line, 0.0, building.height))


def _enclosed(dice: Dice, domain: Domain, street: Street, side: Side, plot: Plot) -> Iterator[Thing]:
    """A wall or fence along the pavement, with a house or trees behind."""
    s = side.sign * (side.front + 0.1)
    start, end = street.at(s, plot.start), street.at(s, plot.end)
    if dice.chance(0.4):
        behind = Plot("building", plot.start, plot.end - 2, plot.corner)
        yield _building(dice, domain, street, side, behind, dice.uniform(5, 9))
    for thing in _planted(dice, domain, street, side, plot, 14.0):
        # Behind the wall: drawn before it, wherever along it they stand.
        yield Thing(max(thing.depth, plot.end + 0.01), thing.draw, thing.caster)
    draw = draw_wall if plot.kind == "wall" else draw_fence
    caster = Caster((start, end), 0.0, 2.4) if plot.kind == "wall" else None
    yield Thing(plot.end, partial(draw, start=start, end=end), caster)


def _planted(dice: Dice, domain: Domain, street: Street, side: Side, plot: Plot, rate: float) -> Iterator[Thing]:
    """Trees and bushes, ``rate`` in 100 m."""
    z = plot.start
    while (z := z + dice.gap(100 / rate)) < plot.end:
        kind = dice.pick(domain.trees)
        yield tree_thing(dice, kind, *street.at(side.sign * (side.front + dice.uniform(2, 14)), z))


def tree_thing(dice: Dice, kind: str, x: float, z: float) -> Thing:
    """A tree of this kind at (x, z), with the shadow of its crown."""
    tree = plan_tree(dice, kind)
    low = 0.0 if kind == "bush" else tree.height * 0.35
    caster = Caster.block(x, z, tree.reach * 0.8, tree.reach * 0.8, low, tree.height * 0.95)
    return Thing(z, partial(draw_tree, x=x, z=z, tree=tree), caster)

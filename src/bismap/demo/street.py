"""The plan of a street: lanes, kerbs, pavements, side streets, and how it bends.

Positions are (s, z): metres to the right of the street's middle, and metres ahead of the camera.
"""

from dataclasses import dataclass

from bismap.demo.dice import Dice
from bismap.demo.domains import Domain

END = 130.0
"""Distance in metres up to which the street is furnished."""

KERB = 0.18
"""Width of the kerbstone in metres."""


@dataclass(frozen=True)
class Side:
    """One side of the street, from the middle outwards; widths in metres, 0 where there is none.

    Attributes:
        sign: -1 on the left, 1 on the right.
        lanes: width of the moving lanes.
        parking: width of the parking strip.
        verge: width of the grass strip.
        walk: width of the pavement.
        grassy: the ground behind the pavement is open soil, not paved.
    """

    sign: int
    lanes: float
    parking: float
    verge: float
    walk: float
    grassy: bool

    @property
    def kerb(self) -> float:
        """Distance of the kerb from the middle."""
        return self.lanes + self.parking

    @property
    def front(self) -> float:
        """Distance of the building line from the middle."""
        return self.kerb + self.verge + self.walk


@dataclass(frozen=True)
class Street:
    """A street and the way it runs.

    Attributes:
        left, right: its two sides.
        lane: width of a lane.
        offset, heading, curvature: of its middle line, x = offset + heading z + curvature z² / 2.
        crossing: where a side street begins and ends, or None.
    """

    left: Side
    right: Side
    lane: float
    offset: float
    heading: float
    curvature: float
    crossing: tuple[float, float] | None

    @property
    def sides(self) -> tuple[Side, Side]:
        """Left and right."""
        return (self.left, self.right)

    def middle(self, z: float) -> float:
        """x of the middle line at distance ``z``; also of arrays."""
        return self.offset + z * (self.heading + z * (0.5 * self.curvature))

    def at(self, s: float, z: float) -> tuple[float, float]:
        """(x, z) of a place in the street."""
        return (s + self.middle(z), z)

    def crossed(self, z: float, margin: float = 0.0) -> bool:
        """Whether the side street, or ``margin`` metres about it, is at distance ``z``."""
        return self.crossing is not None and self.crossing[0] - margin < z < self.crossing[1] + margin


def plan_street(dice: Dice, domain: Domain) -> Street:
    """Draw the plan of one street; the camera is in a right-hand lane."""
    lanes = dice.pick(domain.lanes)
    lane = dice.uniform(3.1, 3.7)
    own = dice.whole(1, lanes)
    start = dice.uniform(12, 45)
    crossing = (start, start + dice.uniform(8, 14)) if dice.chance(domain.crossing) else None
    return Street(
        left=_plan_side(dice, domain, -1, lanes * lane),
        right=_plan_side(dice, domain, 1, lanes * lane),
        lane=lane,
        offset=-(own - 0.5) * lane + dice.uniform(-0.4, 0.4),
        heading=dice.uniform(-0.045, 0.045),
        curvature=dice.uniform(-1, 1) * domain.curvature,
        crossing=crossing,
    )


def _plan_side(dice: Dice, domain: Domain, sign: int, lanes: float) -> Side:
    probability, width = domain.verge
    return Side(
        sign=sign,
        lanes=lanes,
        parking=2.3 if dice.chance(domain.parking) else 0.3,
        verge=dice.within(width) if dice.chance(probability) else 0.0,
        walk=dice.within(domain.walk),
        grassy=dice.chance(0.4),
    )

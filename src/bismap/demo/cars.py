"""Cars: sedans, hatchbacks, estates, sports cars, off-roaders, vans and pickups."""

from dataclasses import dataclass

from bismap.demo import ids
from bismap.demo.color import BLACK, GLASS, Color, shaded
from bismap.demo.dice import Dice
from bismap.demo.solids import Profile, Solid
from bismap.demo.view import View


@dataclass(frozen=True)
class Shape:
    """Build of a car; lengths in metres.

    Attributes:
        profile: its side view.
        windows: outline of the side windows, (ahead, up).
        half: half the width.
        wheels: place (ahead) of the axles, and their radius.
        waist: (low, high) of the lamps.
    """

    profile: Profile
    windows: tuple[tuple[float, float], ...]
    half: float
    wheels: tuple[float, float, float]
    waist: tuple[float, float]

    @property
    def rear(self) -> float:
        """Rearmost point."""
        return min(ahead for ahead, _, _ in self.profile)

    @property
    def front(self) -> float:
        """Foremost point."""
        return max(ahead for ahead, _, _ in self.profile)

    @property
    def height(self) -> float:
        """Height of the roof."""
        return max(up for _, up, _ in self.profile)


def _shape(
    points: str, windows: tuple[tuple[float, float], ...], half: float, wheels: tuple[float, float, float]
) -> Shape:
    """Shape from points written ``ahead,up`` with ``*`` after those where glass begins."""
    profile = []
    for word in points.split():
        ahead, up = word.rstrip("*").split(",")
        profile.append((float(ahead), float(up), "glass" if word.endswith("*") else "body"))
    waist = profile[2][1]
    return Shape(tuple(profile), windows, half, wheels, (waist - 0.3, waist - 0.06))


SHAPES: dict[str, Shape] = {
    "sedan": _shape(
        "-2.25,.32 -2.3,.62 -2.2,.98 -1.65,1.02* -.95,1.43 .35,1.45* 1.15,1 2.15,.8 2.28,.58 2.25,.32",
        ((-1.5, 1.03), (-0.92, 1.37), (0.3, 1.39), (1.0, 1.0)),
        0.9,
        (-1.35, 1.4, 0.33),
    ),
    "hatchback": _shape(
        "-1.85,.32 -1.95,.6 -1.88,1* -1.5,1.44 .1,1.5* .95,1.04 1.85,.84 1.98,.56 1.92,.32",
        ((-1.62, 1.04), (-1.4, 1.39), (0.05, 1.43), (0.8, 1.05)),
        0.86,
        (-1.22, 1.25, 0.31),
    ),
    "estate": _shape(
        "-2.2,.32 -2.28,.6 -2.2,1* -1.8,1.44 .3,1.49* 1.15,1.02 2.15,.82 2.28,.58 2.22,.32",
        ((-2.0, 1.03), (-1.72, 1.37), (0.25, 1.42), (1.0, 1.02)),
        0.9,
        (-1.4, 1.4, 0.33),
    ),
    "sports": _shape(
        "-2.1,.26 -2.2,.55 -2.1,.86 -1.7,.92* -.8,1.2 .1,1.22* 1.05,.84 2.1,.62 2.25,.42 2.2,.22",
        ((-1.3, 0.92), (-0.75, 1.14), (0.05, 1.16), (0.85, 0.85)),
        0.94,
        (-1.32, 1.4, 0.34),
    ),
    "suv": _shape(
        "-2.2,.42 -2.3,.75 -2.25,1.16* -1.95,1.74 .35,1.8* 1.05,1.24 2.15,1.08 2.32,.75 2.28,.4",
        ((-2.0, 1.22), (-1.82, 1.64), (0.3, 1.7), (0.92, 1.25)),
        0.96,
        (-1.4, 1.42, 0.4),
    ),
    "van": _shape(
        "-2.4,.36 -2.45,.75 -2.42,1.2* -2.35,1.88 -2.2,2 1,2* 1.75,1.22 2.35,1.02 2.48,.6 2.42,.36",
        ((0.1, 1.24), (0.1, 1.8), (0.95, 1.8), (1.5, 1.24)),
        0.98,
        (-1.55, 1.6, 0.34),
    ),
    "pickup": _shape(
        "-2.65,.5 -2.7,.8 -2.68,1.12 -.75,1.12* -.55,1.74 .6,1.78* 1.25,1.16 2.45,1.08 2.62,.75 2.58,.42",
        ((-0.6, 1.2), (-0.48, 1.64), (0.55, 1.68), (1.1, 1.2)),
        0.98,
        (-1.6, 1.65, 0.42),
    ),
}


def draw_car(view: View, dice: Dice, x: float, z: float, yaw: float, kind: str, paint: Color) -> None:
    """Draw a car of this kind with its middle at (x, z)."""
    shape = SHAPES[kind]
    if not view.sees(x, z, 2.8):
        return
    car = Solid(view, x, z, yaw, ids.CAR)
    _draw_underside(car, shape)
    glass = shaded(GLASS, dice.uniform(0.7, 1.4))
    car.hull(shape.profile, shape.half, {"body": paint, "glass": glass})
    if car.distant:
        return
    if car.eye_ahead < shape.rear:
        _draw_rear(car, dice, shape, paint)
    elif car.eye_ahead > shape.front:
        _draw_front(car, shape, paint)
    side = car.sees_side(shape.half)
    if side:
        _draw_flank(car, shape, paint, glass, side)


def _draw_underside(car: Solid, shape: Shape) -> None:
    """The dark gap below the body, and the tyres seen from behind or ahead."""
    half, radius = shape.half, shape.wheels[2]
    end = shape.rear if car.eye_ahead < 0 else shape.front
    inset = 0.12 if end < 0 else -0.12
    top = max(shape.profile[0][1], shape.profile[-1][1]) + 0.06
    car.across(end + inset, -half + 0.05, 0.14, half - 0.05, top, BLACK)
    for left in (-half, half - 0.24):
        car.across(end + inset, left, 0.0, left + 0.24, radius * 1.3, (18, 18, 20))
    side = car.sees_side(half)
    if side:
        car.along(side * (half - 0.05), shape.rear + 0.2, 0.16, shape.front - 0.2, top, BLACK)


def _draw_rear(car: Solid, dice: Dice, shape: Shape, paint: Color) -> None:
    end, half = shape.rear - 0.01, shape.half
    low, high = shape.waist
    red = (226, 48, 40) if dice.chance(0.35) else (140, 30, 30)
    for left in (-half + 0.03, half - 0.27):
        car.across(end, left, low + 0.05, left + 0.24, high, red)
    car.across(end, -0.26, low - 0.1, 0.26, low + 0.06, (222, 218, 204))
    lower = shape.profile[0][1]
    car.across(end, -half + 0.04, lower, half - 0.04, lower + 0.14, shaded(paint, 0.45))


def _draw_front(car: Solid, shape: Shape, paint: Color) -> None:
    end, half = shape.front + 0.01, shape.half
    low = shape.profile[-2][1]
    high = shape.profile[-3][1] - 0.02
    for left in (-half + 0.05, half - 0.38):
        car.across(end, left, low, left + 0.33, high, (236, 234, 220))
    car.across(end, -half + 0.45, low - 0.08, half - 0.45, high - 0.04, BLACK)
    car.across(end, -0.26, low - 0.22, 0.26, low - 0.1, (222, 218, 204))
    lower = shape.profile[-1][1]
    car.across(end, -half + 0.05, lower, half - 0.05, lower + 0.08, shaded(paint, 0.45))


def _draw_flank(car: Solid, shape: Shape, paint: Color, glass: Color, side: int) -> None:
    flank = side * (shape.half + 0.005)
    lit = car.light(side, 0, 0)
    lower = shape.profile[0][1]
    car.along(flank, shape.rear + 0.15, lower, shape.front - 0.15, lower + 0.14, shaded(paint, 0.5 * lit))
    car.face([(flank, up, ahead) for ahead, up in shape.windows], shaded(glass, lit * 1.15))
    first, last = shape.windows[0][0], shape.windows[-1][0]
    roof = shape.windows[1][1]
    sill = min(up for _, up in shape.windows)
    pillars = (first * 0.35 + last * 0.65, first * 0.72 + last * 0.28)
    for pillar in pillars if car.detailed else ():
        if pillar > shape.windows[1][0]:
            car.along(flank, pillar - 0.05, sill, pillar + 0.05, roof, shaded(paint, 0.8 * lit))
            car.along(flank, pillar - 0.015, lower + 0.15, pillar + 0.015, sill, shaded(paint, 0.6 * lit))
    rear, front, radius = shape.wheels
    for axle in (rear, front):
        arch = [(flank, lower, axle - radius * 1.15), (flank, radius * 1.7, axle - radius * 0.8)]
        arch += [(flank, radius * 2.15, axle), (flank, radius * 1.7, axle + radius * 0.8)]
        car.face([*arch, (flank, lower, axle + radius * 1.15)], BLACK)
        car.wheel(flank, axle, radius)

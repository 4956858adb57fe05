"""One scene: first its plan, from the street to the last bin; then it is painted from far to near."""

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

from bismap.demo import ids
from bismap.demo.buildings import draw_skyline
from bismap.demo.camera import Camera
from bismap.demo.canvas import Canvas
from bismap.demo.color import mixed
from bismap.demo.dice import Dice
from bismap.demo.domains import Domain
from bismap.demo.ground import LEFT_LOT, RIGHT_LOT, paint_ground, plan_ground
from bismap.demo.pavement import guard_crossing, line_kerb, people_pavement
from bismap.demo.rows import Plot, furnish, plan_plots
from bismap.demo.shadows import shadow_map
from bismap.demo.sky import paint_hills, paint_sky
from bismap.demo.street import Street, plan_street
from bismap.demo.things import Thing
from bismap.demo.traffic import cross, cycle, drive, park
from bismap.demo.view import Light, View


def draw_scene(
    dice: Dice, generator: np.random.Generator, domain: Domain, width: int, height: int
) -> tuple[Image.Image, np.ndarray]:
    """Draw one scene of the domain.

    Returns:
        The picture before photometry (RGB, width x height), and its label ids, uint8 [height, width].
    """
    zenith, horizon = dice.pick(domain.skies)
    canvas = Canvas(width, height, mixed(horizon, zenith, 0.15), dice.within(domain.visibility))
    view = View(canvas, _camera(dice, domain, canvas), _light(dice, domain))
    street = plan_street(dice, domain)
    plots = (plan_plots(dice, domain, street), plan_plots(dice, domain, street))
    ground = plan_ground(dice, domain, street, tuple(_lawns(plots)))
    things = sorted(_things(dice, domain, street, plots), key=lambda thing: -thing.depth)
    paint_sky(view, generator, zenith, horizon, dice.within(domain.clouds))
    if dice.chance(domain.hills):
        paint_hills(view, dice, domain)
    draw_skyline(view, dice, canvas.height * dice.uniform(0.02, 0.09))
    paint_ground(view, street, ground, shadow_map(view, (thing.caster for thing in things if thing.caster)))
    for thing in things:
        thing.draw(view, dice.fork())
    if dice.chance(domain.bonnet):
        _draw_bonnet(view, dice)
    return canvas.finish()


def _camera(dice: Dice, domain: Domain, canvas: Canvas) -> Camera:
    return Camera.looking(
        canvas.width,
        canvas.height,
        field_of_view=dice.within(domain.field_of_view),
        horizon=dice.within(domain.horizon),
        above=dice.within(domain.camera_height),
    )


def _light(dice: Dice, domain: Domain) -> Light:
    x, y, z = dice.sign() * dice.uniform(0.3, 0.8), dice.uniform(0.45, 0.9), dice.uniform(-0.7, 0.4)
    length = math.sqrt(x * x + y * y + z * z)
    sun = dice.uniform(0.6, 0.95) if dice.chance(domain.sunny) else dice.uniform(0.0, 0.15)
    return Light((x / length, y / length, z / length), sun)


def _lawns(plots: tuple[list[Plot], list[Plot]]) -> Iterator[tuple[int, float, float]]:
    for lot, side in zip((LEFT_LOT, RIGHT_LOT), plots, strict=True):
        yield from ((lot, plot.start, plot.end) for plot in side if plot.green)


def _things(dice: Dice, domain: Domain, street: Street, plots: tuple[list[Plot], list[Plot]]) -> Iterator[Thing]:
    for side, own in zip(street.sides, plots, strict=True):
        yield from furnish(dice, domain, street, side, own)
        yield from line_kerb(dice, domain, street, side)
        yield from people_pavement(dice, domain, street, side)
    yield from guard_crossing(dice, domain, street)
    yield from drive(dice, domain, street)
    yield from park(dice, domain, street)
    yield from cross(dice, domain, street)
    yield from cycle(dice, domain, street)


def _draw_bonnet(view: View, dice: Dice) -> None:
    """The camera's own car at the lower edge."""
    canvas = view.canvas
    tone = dice.uniform(40, 90)
    rise = canvas.height * dice.uniform(0.05, 0.09)
    middle = (canvas.width / 2, canvas.height + rise * 0.6)
    for share, light in ((1.0, 0.75), (0.97, 1.0), (0.8, 1.25)):
        color = (tone * light, tone * light, tone * light * 1.05)
        radii = (canvas.width * 0.56 * share, rise * 1.6 * share)
        canvas.ellipse(middle, radii, color, 0.0, ids.EGO_VEHICLE if share == 1.0 else None)

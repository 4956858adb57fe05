"""Shadows on the ground: of the sun, and the dark below whatever stands on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from bismap.demo.view import View

Place = tuple[float, float]

_SUN, _CONTACT = 255, 150


@dataclass(frozen=True)
class Caster:
    """Something that throws a shadow: its outline (x, z) on the ground, and between which heights it is."""

    outline: tuple[Place, ...]
    low: float
    high: float

    @classmethod
    def block(cls, x: float, z: float, half_width: float, half_length: float, low: float, high: float) -> "Caster":
        """Caster with a rectangular outline about (x, z)."""
        across, along = (x - half_width, x + half_width), (z - half_length, z + half_length)
        return cls(tuple((px, pz) for px in across for pz in along), low, high)


def shadow_map(view: View, casters: Iterable[Caster]) -> Image.Image:
    """Depth of shadow on the ground, mode L at drawing size: 0 in the light."""
    canvas = view.canvas
    depth = Image.new("L", (canvas.width, canvas.height))
    draw = ImageDraw.Draw(depth)
    casters = list(casters)
    strength = int(_SUN * view.light.sun)
    if strength > 40:
        for caster in casters:
            _fill(view, draw, _cast(view, caster), strength)
    for caster in casters:
        if caster.low < 0.5 and len(caster.outline) > 2:
            _fill(view, draw, convex_hull(caster.outline), max(strength, _CONTACT))
    return depth


def _cast(view: View, caster: Caster) -> list[Place]:
    points = []
    for height in (caster.low, caster.high):
        dx, dz = view.light.drift(height)
        points += [(x + dx, z + dz) for x, z in caster.outline]
    return convex_hull(points)


def _fill(view: View, draw: ImageDraw.ImageDraw, outline: Sequence[Place], value: int) -> None:
    if len(outline) < 3 or max(z for _, z in outline) <= view.camera.near:
        return
    draw.polygon([view.camera.point(x, 0.0, z) for x, z in outline], fill=value)


def convex_hull(points: Iterable[Place]) -> list[Place]:
    """Corners of the convex hull, in order (Andrew's monotone chain)."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered
    return _chain(ordered)[:-1] + _chain(ordered[::-1])[:-1]


def _chain(points: Sequence[Place]) -> list[Place]:
    chain: list[Place] = []
    for x, z in points:
        while len(chain) > 1:
            (x0, z0), (x1, z1) = chain[-2], chain[-1]
            if (x1 - x0) * (z - z0) - (z1 - z0) * (x - x0) > 0:
                break
            chain.pop()
        chain.append((x, z))
    return chain

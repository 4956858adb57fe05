"""Bodies with volume: a side view drawn out across, turned and placed in the world."""

import math
from collections.abc import Sequence
from itertools import pairwise

from bismap.demo.camera import Pixel
from bismap.demo.color import Color, shaded
from bismap.demo.view import View

Profile = Sequence[tuple[float, float, str]]
"""Outline of a side view, from the rear underside over the roof to the front underside: (ahead, up, part);
the part names what covers the stretch from this point to the next."""


_CIRCLE = tuple((math.cos(math.pi * k / 6), math.sin(math.pi * k / 6)) for k in range(12))


class Solid:
    """A vehicle's own axes, in metres: right, up, ahead; the origin is on the ground below its middle.

    ``eye_right`` and ``eye_ahead`` are the camera's place in them; of a ``distant`` body only the hull is
    worth drawing, of a ``detailed`` one everything.
    """

    def __init__(self, view: View, x: float, z: float, yaw: float, label: int) -> None:
        """``yaw`` is the turn in radians to the right from driving straight away from the camera."""
        self.view = view
        self.label = label
        self.x, self.z = x, z
        self._cos, self._sin = math.cos(yaw), math.sin(yaw)
        self.distant = view.detail(1.0, z) < 4
        self.detailed = view.detail(1.0, z) > 14
        self.eye_right = -x * self._cos + z * self._sin
        self.eye_ahead = -x * self._sin - z * self._cos

    def at(self, right: float, up: float, ahead: float) -> Pixel:
        """Where a point of the body is seen."""
        x = self.x + right * self._cos + ahead * self._sin
        return self.view.camera.point(x, up, self.z - right * self._sin + ahead * self._cos)

    def light(self, right: float, up: float, ahead: float) -> float:
        """Brightness of a surface with this unit normal."""
        return self.view.light.on(right * self._cos + ahead * self._sin, up, -right * self._sin + ahead * self._cos)

    def face(self, points: Sequence[tuple[float, float, float]], color: Color) -> None:
        """Fill a polygon of (right, up, ahead)."""
        # The haze within one body is the same: its middle's distance will do.
        self.view.canvas.polygon([self.at(*point) for point in points], color, self.z, self.label)

    def across(self, ahead: float, left: float, low: float, right: float, high: float, color: Color) -> None:
        """Fill a rectangle that stands across the body, such as a lamp or a number plate."""
        self.face([(left, low, ahead), (right, low, ahead), (right, high, ahead), (left, high, ahead)], color)

    def along(self, side: float, back: float, low: float, front: float, high: float, color: Color) -> None:
        """Fill a rectangle along the body, ``side`` metres to the right of its middle."""
        self.face([(side, low, back), (side, low, front), (side, high, front), (side, high, back)], color)

    def sees_side(self, half: float) -> int:
        """Which flank the camera sees: -1 left, 1 right, 0 neither."""
        return (self.eye_right > half) - (self.eye_right < -half)

    def hull(self, profile: Profile, half: float, parts: dict[str, Color]) -> None:
        """Draw the profile ``2 half`` wide: first what spans its width, far parts first, then the flank."""
        strips = []
        for (a0, u0, part), (a1, u1, _) in pairwise(profile):
            length = math.hypot(a1 - a0, u1 - u0) or 1.0
            up, ahead = (a1 - a0) / length, -(u1 - u0) / length
            outside = (self.eye_ahead - a0) * ahead + (self.view.camera.height - u0) * up
            if outside > 0:
                corners = [(-half, u0, a0), (half, u0, a0), (half, u1, a1), (-half, u1, a1)]
                distance = abs(self.eye_ahead - (a0 + a1) / 2)
                strips.append((distance, corners, shaded(parts[part], self.light(0, up, ahead))))
        for _, corners, color in sorted(strips, key=lambda strip: -strip[0]):
            self.face(corners, color)
        side = self.sees_side(half)
        if side:
            color = shaded(parts["body"], self.light(side, 0, 0))
            self.face([(side * half, up, ahead) for ahead, up, _ in profile], color)

    def wheel(self, side: float, ahead: float, radius: float) -> None:
        """Draw a wheel on the flank ``side`` metres to the right of the middle."""
        rings = ((1.0, (20, 20, 22)), (0.6, (132, 134, 138)), (0.25, (50, 50, 54)))
        for share, color in rings if self.detailed else rings[:2]:
            reach = share * radius
            self.face([(side, radius + reach * up, ahead + reach * along) for along, up in _CIRCLE], color)

"""What a drawing function needs: the canvas, the camera, the light; and two kinds of surfaces to draw on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bismap.demo.camera import Camera, Pixel
from bismap.demo.canvas import Canvas
from bismap.demo.color import Color


@dataclass(frozen=True)
class Light:
    """Sunlight and light of the sky.

    Attributes:
        toward: unit vector (x, y, z) that points to the sun.
        sun: share of the light that comes from the sun; 0 under clouds.
    """

    toward: tuple[float, float, float]
    sun: float

    def on(self, nx: float, ny: float, nz: float) -> float:
        """Brightness of a surface with this unit normal; a level one is near 1."""
        facing = max(0.0, nx * self.toward[0] + ny * self.toward[1] + nz * self.toward[2])
        sky = 0.82 + 0.18 * ny
        return (1 - 0.52 * self.sun) * sky + 0.85 * self.sun * facing

    def drift(self, height: float) -> tuple[float, float]:
        """Where on the ground (x, z) the shadow of a point at this height falls, seen from its foot."""
        return (-self.toward[0] / self.toward[1] * height, -self.toward[2] / self.toward[1] * height)


@dataclass(frozen=True)
class View:
    """Canvas, camera and light of one picture."""

    canvas: Canvas
    camera: Camera
    light: Light

    def detail(self, metres: float, z: float) -> float:
        """How large this length is seen at distance ``z``, as a share of the picture's width in 1/256.

        Details are left out by this measure, not by pixels, so that a scene is the same at every size.
        """
        return metres * self.camera.scale(z) / self.canvas.width * 256

    def sees(self, x: float, z: float, reach: float) -> bool:
        """Whether something within ``reach`` metres of (x, z) can be in the picture."""
        if z + reach <= self.camera.near:
            return False
        near = self.camera.scale(z - reach)
        return abs(x) * self.camera.scale(z) - reach * near < self.camera.centre


class Frame:
    """A flat figure that faces the camera, drawn in metres from its foot: right and up."""

    def __init__(self, view: View, x: float, z: float, flip: int = 1) -> None:
        self.canvas = view.canvas
        self.z = z
        self.scale = view.camera.scale(z)
        self.flip = flip
        self.foot = view.camera.point(x, 0.0, z)

    def at(self, right: float, up: float) -> Pixel:
        """Where a point of the figure is seen."""
        return (self.foot[0] + self.flip * right * self.scale, self.foot[1] - up * self.scale)

    def polygon(self, points: Sequence[Pixel], color: Color, label: int | None = None) -> None:
        """Fill a polygon."""
        self.canvas.polygon([self.at(*point) for point in points], color, self.z, label)

    def box(self, left: float, bottom: float, right: float, top: float, color: Color, label: int | None = None) -> None:
        """Fill an upright rectangle."""
        self.polygon(((left, bottom), (right, bottom), (right, top), (left, top)), color, label)

    def ellipse(
        self,
        right: float,
        up: float,
        radii: Pixel,
        color: Color | None,
        label: int | None = None,
    ) -> None:
        """Fill an ellipse about a point."""
        scaled = (radii[0] * self.scale, radii[1] * self.scale)
        self.canvas.ellipse(self.at(right, up), scaled, color, self.z, label)

    def line(self, points: Sequence[Pixel], width: float, color: Color, label: int | None = None) -> None:
        """Draw a line ``width`` metres wide."""
        self.canvas.line([self.at(*point) for point in points], width * self.scale, color, self.z, label)


class Panel:
    """An upright wall between two points of the ground, drawn in metres along and up."""

    def __init__(self, view: View, start: tuple[float, float], end: tuple[float, float]) -> None:
        """``start`` and ``end`` are (x, z); what lies nearer than the camera's near plane is cut away."""
        self.view = view
        self.length = math.dist(start, end)
        self._start = start
        self._step = ((end[0] - start[0]) / self.length, (end[1] - start[1]) / self.length)
        near = view.camera.near
        self.low, self.high = 0.0, self.length
        if start[1] < near < end[1]:
            self.low = (near - start[1]) / self._step[1]
        elif end[1] < near < start[1]:
            self.high = (near - start[1]) / self._step[1]
        self.hidden = max(start[1], end[1]) <= near

    def z(self, along: float) -> float:
        """Distance of the wall ``along`` metres from its start."""
        return self._start[1] + self._step[1] * along

    def column(self, along: float) -> tuple[float, float]:
        """Column of the drawing where this place of the wall is seen, and pixels per metre there."""
        along = min(max(along, self.low), self.high)
        camera = self.view.camera
        scale = camera.scale(self._start[1] + self._step[1] * along)
        return camera.centre + (self._start[0] + self._step[0] * along) * scale, scale

    def at(self, along: float, up: float) -> Pixel:
        """Where a point of the wall is seen."""
        camera = self.view.camera
        u, scale = self.column(along)
        return (u, camera.horizon + (camera.height - up) * scale)

    def box(self, left: float, bottom: float, right: float, top: float, color: Color, label: int | None = None) -> None:
        """Fill an upright rectangle of the wall."""
        if right <= self.low or left >= self.high:
            return
        camera, canvas = self.view.camera, self.view.canvas
        u0, scale0 = self.column(left)
        u1, scale1 = self.column(right)
        if min(u0, u1) > canvas.width or max(u0, u1) < 0:
            return
        base, high, low = camera.horizon, camera.height - top, camera.height - bottom
        points = (
            (u0, base + low * scale0),
            (u1, base + low * scale1),
            (u1, base + high * scale1),
            (u0, base + high * scale0),
        )
        canvas.polygon(points, color, self.z((left + right) / 2), label)

    def brightness(self) -> float:
        """Light on the side of the wall that the camera sees."""
        nx, nz = self._step[1], -self._step[0]
        # The camera stands at (0, 0): the normal that points to it is the visible side's.
        if nx * self._start[0] + nz * self._start[1] > 0:
            nx, nz = -nx, -nz
        return self.view.light.on(nx, 0.0, nz)

"""A pinhole camera that looks along the street, level with the ground.

The world's axes, in metres: x to the right, y up from the ground, z forward from the camera.
"""

import math
from dataclasses import dataclass

Pixel = tuple[float, float]


@dataclass(frozen=True)
class Camera:
    """Projection of the world onto the drawing.

    Attributes:
        focal: focal length in pixels of the drawing.
        centre: column of the optical axis.
        horizon: row of the horizon.
        height: metres above the ground.
        near: metres; what is nearer is drawn as if it were at this distance.
    """

    focal: float
    centre: float
    horizon: float
    height: float
    near: float = 1.2

    @classmethod
    def looking(cls, width: int, height: int, field_of_view: float, horizon: float, above: float) -> "Camera":
        """Camera for a drawing of this size: degrees across; row of the horizon as a share of the height."""
        focal = width / 2 / math.tan(math.radians(field_of_view) / 2)
        return cls(focal=focal, centre=width / 2, horizon=horizon * height, height=above)

    def scale(self, z: float) -> float:
        """Pixels per metre at distance ``z``."""
        return self.focal / max(z, self.near)

    def point(self, x: float, y: float, z: float) -> Pixel:
        """Column and row where a point of the world is seen."""
        scale = self.focal / (z if z > self.near else self.near)
        return (self.centre + x * scale, self.horizon + (self.height - y) * scale)
